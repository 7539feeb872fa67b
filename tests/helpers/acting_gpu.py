"""Stands in for torch.cuda where there is no GPU: tensors stay on the CPU, and CUDA graphs are really replayed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fastscale_lib.measuring import environment, nvml, running, timing
from fastscale_lib.measuring.device_classes import Cuda


class ActingCuda(Cuda):
    """A GPU as `Device` sees it, whose tensors are those of the CPU."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))

    def __str__(self) -> str:
        return "cuda:0"

    @property
    def name(self) -> str:
        return "Acting GPU"

    @contextmanager
    def current(self):
        yield

    def facts(self) -> dict[str, Any]:
        return {"device_count": 1, "cudnn": "91900", "driver": "580"}

    def state_at_work(self, run: Callable[[], None], run_s: float) -> nvml.State:
        run()
        return nvml.State()

    def free_cache(self) -> None:
        pass


class Event:
    """An event in a queue that is always empty."""

    def record(self) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: Event) -> float:
        return 1e3 * (end.at - self.at)


class Stream:
    """A queue that only knows its name, and whether it waits for another."""

    def __init__(self, name: str, done: list[str]) -> None:
        self.name, self.done = name, done

    def wait_stream(self, other: Stream) -> None:
        self.done.append(f"{self.name} waits for {other.name}")


class Graph(TorchDispatchMode):
    """A CUDA graph: the operators of the captured run, done again on the same tensors, without the host's code.

    Unlike a real one it also does them while they are captured.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple, dict[str, Any], Any]] = []
        self.replays = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if str(func).startswith(("aten.item", "aten._local_scalar_dense")):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        """Do all again; what was written anew is written to where it was."""
        self.replays += 1
        with torch.inference_mode():
            for func, args, kwargs, before in self.calls:
                again = func(*args, **kwargs)
                for old, new in zip(tree_leaves(before), tree_leaves(again), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


class ActingGpu:
    """What torch.cuda was asked for, in order, and the graphs that it made."""

    def __init__(self, monkeypatch) -> None:
        self.done: list[str] = []
        self.graphs: list[Graph] = []
        usual, made = Stream("usual", self.done), iter(range(9))

        @contextmanager
        def on(stream: Stream):
            self.done.append(f"on {stream.name}")
            yield
            self.done.append(f"off {stream.name}")

        @contextmanager
        def captured(graph: Graph, stream: Stream):
            self.done.append(f"capture on {stream.name}")
            with graph:
                yield

        def graph() -> Graph:
            self.graphs.append(Graph())
            return self.graphs[-1]

        stands_in = {
            "Event": lambda enable_timing: Event(),
            "Stream": lambda device: Stream(f"side {next(made)}", self.done),
            "current_stream": lambda device: usual,
            "stream": on,
            "CUDAGraph": graph,
            "graph": captured,
            "synchronize": lambda device=None: self.done.append("wait"),
            "reset_peak_memory_stats": lambda device: self.done.append("forget the peak"),
            "max_memory_allocated": lambda device: 10**6,
        }
        for name, stand_in in stands_in.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)
        for module in (timing, running, environment):
            monkeypatch.setattr(module, "find_device", lambda *asked: ActingCuda())
