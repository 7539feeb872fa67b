"""Waiting for what happens elsewhere: bounds that a hang alone reaches, however slow or busy the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

HANGS_S = 120.0  # nothing that a test waits for takes as long on a machine ten times slower


def until(condition: Callable[[], Any], pause: Callable[[], Any] = lambda: time.sleep(0.01)) -> None:
    """Wait until the condition holds, pausing between looks; fail where it never comes to hold."""
    end = time.monotonic() + HANGS_S
    while not condition():
        assert time.monotonic() < end, f"waited {HANGS_S:g} s in vain"
        pause()
