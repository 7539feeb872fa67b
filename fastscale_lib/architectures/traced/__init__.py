"""Any torch module: traced on tensors without data, counted, and scaled by the keywords that it is made with."""
