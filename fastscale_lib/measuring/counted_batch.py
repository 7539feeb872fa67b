"""The largest batch for a memory that is not here, by the count of what a run holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..records.measurement import MeasureError
from .settings import Settings

# The most that an H200 held beyond what is counted, as a fraction of it, rounded up: data/devices/held_beyond.csv.
HELD_BEYOND = {"inference": 0.38, "training": 0.03}


class CountedBatch(int):
    """Images in a batch, found by counting; its `repr` says what it rests on.

    Attributes:
        counted_bytes: the peak of the tensors of this batch.
        held_bytes: what a GPU may hold, with `HELD_BEYOND`.
        mode: of the run.
    """

    counted_bytes: int
    held_bytes: int
    mode: str

    def __repr__(self) -> str:
        counted, held = self.counted_bytes / 1e9, self.held_bytes / 1e9
        return (
            f"{int(self)} images: {counted:,.2f} GB counted, and up to {held:,.2f} GB held, since an H200 held up to "
            f"{HELD_BEYOND[self.mode]:.0%} more in {self.mode}; the context of the device is beside that"
        )

    __str__ = int.__repr__


def counted_batch(network: Any, settings: Settings, memory_bytes: int, limit: int) -> CountedBatch:
    """Find the largest batch whose counted peak, with `HELD_BEYOND`, is within the memory.

    Raises:
        MeasureError: not even one image fits.
    """
    from .counted_memory import peak_memory  # which loads torch

    def held(batch: int) -> CountedBatch:
        asked = replace(settings, batch=batch)
        found = CountedBatch(batch)
        found.counted_bytes = peak_memory(
            network, asked.batch, asked.mode, asked.precision, asked.resolution
        ).peak_bytes
        found.held_bytes, found.mode = round(found.counted_bytes * (1 + HELD_BEYOND[asked.mode])), asked.mode
        return found

    most = held(1)
    if most.held_bytes > memory_bytes:
        said = repr(most).replace("1 images", "1 image")
        raise MeasureError(f"not even one image fits {memory_bytes / 1e9:g} GB: {said}", "out of memory")
    other, beyond = held(min(8, limit)), limit + 1
    while beyond - most > 1:
        # Memory grows nearly in proportion to the batch, so a line through two counts is near, or at, the answer.
        slope = (other.held_bytes - most.held_bytes) / (other - most) if other != most else 0.0
        guess = most + int((memory_bytes - most.held_bytes) / slope) if slope > 0 else beyond - 1
        tried = held(min(max(guess, most + 1), beyond - 1))
        if tried.held_bytes <= memory_bytes:
            most, other = tried, most
        else:
            beyond, other = int(tried), tried
    return most
