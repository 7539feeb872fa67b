"""Torch modules, traced on tensors without data, counted, and scaled by their keywords."""
