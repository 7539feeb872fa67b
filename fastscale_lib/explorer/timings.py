"""The explorer's timings: the marked networks, measured one after another in a process apart."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, NamedTuple

import pandas as pd
import traitlets as T

from .._common.device_kinds import CPU, kind_of, preferred
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.parts import Dimensions
from ..figures.theme import label
from ..records.measurement import Measurement
from .job_queue import Job, Measuring, running_loop
from .state import AUTO, State
from .tables import short
from .views import ALPHA

CPU_BATCH = 8  # the default where there is no GPU
REST_S = 0.5  # how long the state must have rested before Live measures
ENDED = "this explorer was ended, as it is when its cell runs again; fs.explore() makes another"
_COLUMNS = ["strategy", "scale", "flops", "median_ms", "low_ms", "high_ms", "doubt", "device", "text"]


class Marked(NamedTuple):
    """A scaled network to be measured: of which base, under which settings, and by which strategies it comes."""

    base: Network
    settings: tuple
    network: Dimensions
    strategies: tuple[str, ...]
    scale: float
    flops: int

    @property
    def what(self) -> str:
        return " and ".join(map(label, self.strategies))


class Timed(NamedTuple):
    """A scaled network that was measured: of which base, under which settings, by which strategy, and how long."""

    base: Network
    settings: tuple
    network: Dimensions
    strategy: str
    scale: float
    flops: int
    measurement: Measurement

    @property
    def what(self) -> str:
        """Its strategy, scale and counted flops: at the same scale those of two strategies differ."""
        times = self.flops / complexity(self.base).flops
        return f"{label(self.strategy)}, s = {self.scale:.3g}: {short(self.flops)} flops, {times:.3g}× the base's"


class TimedState(State):
    """The state, and the timings made of it; what goes on and what is wrong is said in `status` and `message`."""

    message = T.Unicode("", help="what is wrong")
    status = T.Unicode("", help="what goes on")
    busy = T.Bool(False, help="whether something is being measured")
    progress = T.Float(0.0, help="how much of it is done, from 0 to 1")
    measurements = T.Tuple(help="every `Timed` network, in the order of measuring")

    def __init__(self, *arguments: Any, **traits: Any) -> None:
        super().__init__(*arguments, **traits)
        self._measuring: Measuring | None = None
        self._rest: threading.Timer | None = None
        self.ended = False  # for good: nothing is measured any more
        self._own_batch = False  # whether the batch was chosen, or is the default
        self._waiting: bool | None = None  # for the devices: whether to measure again what is known
        self._wanted: list[Hashable] = []  # what is to be measured, of what was asked for last
        self._done: set[Hashable] = set()  # what of it has been measured
        self._failures: dict[str, list[str]] = {}  # whose measurements failed, by what was said
        self._times: tuple[tuple, pd.DataFrame] | None = None  # for what they are, and they

    @property
    def times(self) -> pd.DataFrame:
        """What was measured of the present base network under the present settings; times in ms a batch.

        low_ms and high_ms are NaN where there is no interval; doubt says why a time decides nothing, None where it can.
        """
        key = self.measurements, self.base, self.settings
        if self._times is None or self._times[0] != key:  # three readers ask at every move of a slider
            rows = [
                (
                    *(t.strategy, t.scale, t.flops, m.median_ms, m.low_ms, m.high_ms),
                    m.doubt,
                    m.where,
                    f"{t.what}<br>{m}",
                )
                for t in self.measurements
                if (t.base, t.settings) == key[1:]
                for m in [t.measurement]
            ]
            self._times = key, pd.DataFrame(rows, columns=_COLUMNS)
        return self._times[1].copy(deep=False)

    @property
    def settings(self) -> tuple:
        """What a time depends on beside the network: batch, mode, precision, device."""
        device = self.device
        if device == AUTO:
            device = preferred(self.devices)
        return self.batch, self.mode, self.precision, device

    def time(self) -> None:
        """Measure the marked networks, one after another, and return at once; see `wait`."""
        self._measure(again=True)

    def cancel(self) -> None:
        """Stop measuring; what was measured stays."""
        self._waiting = None
        if self._measuring:
            self._measuring.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being measured; False if that took longer than `timeout` seconds."""
        return self._measuring is None or self._measuring.wait(timeout)

    def stop(self) -> None:
        """Stop measuring, and give the process that measures back; it is taken again when it is needed."""
        self._waiting = None
        if self._rest:
            self._rest.cancel()
        if self._measuring:
            self._measuring.close()

    def ask_devices(self) -> None:
        """Learn which devices there are, in the process apart, so that this one need not load torch."""
        if not self.devices and not self._measurer.busy:
            self._measurer.start([Job(None, {"kind": "devices"})])

    def measure_soon(self) -> None:
        """With `live`, measure once the state has rested; what was being measured is overtaken."""
        if self._rest:
            self._rest.cancel()
        if not self.live or self.ended:
            return
        loop = running_loop()
        wake = (lambda: loop.call_soon_threadsafe(self._measure_live)) if loop else self._measure_live
        self._rest = threading.Timer(REST_S, wake)
        self._rest.daemon = True
        self._rest.start()

    def _measure_live(self) -> None:
        if self.live:
            self.message = ""
            self._measure(again=False)

    def _measure(self, again: bool) -> None:
        if not self.devices:
            self.ask_devices()
            self._waiting, self.busy, self.status = again, True, "starting the process that measures"
            return
        jobs = self._marked(again)
        if not jobs and not self.busy:
            return
        self._begin(jobs)

    def _begin(self, jobs: list[Job]) -> None:
        """Do these jobs, one after another, in place of what is in hand."""
        measurer = self._measurer
        self._wanted, self._done, self._failures = [job.key for job in jobs], set(), {}
        self.busy, self.progress = True, 0.0
        if jobs:
            self.status = f"timing {len(jobs)} network{'s' * (len(jobs) != 1)}: waiting for the process that measures"
        measurer.start(jobs)

    def _marked(self, again: bool) -> list[Job]:
        """A job for each different marked network; those that were measured already only if asked for again."""
        known = {(t.base, t.settings, t.network) for t in self.measurements}
        by_network: dict[Dimensions, list[str]] = {}
        for name in (*self.strategies, ALPHA):
            by_network.setdefault(self.scaled(name).dimensions, []).append(name)
        jobs = []
        for dims, names in by_network.items():
            if again or (self.base, self.settings, dims) not in known:
                network = self.scaled(names[0])
                strategies = tuple(self.strategy(name).name for name in names)
                flops = complexity(network).flops
                key = Marked(self.base, self.settings, dims, strategies, self.scale, flops)
                jobs.append(Job(key, self._request(network)))
        return jobs

    def _request(self, network: Network) -> dict[str, Any]:
        batch, mode, precision, device = self.settings
        settings = {"batch": batch, "mode": mode, "precision": precision, "device": device, "seconds": self.seconds}
        return {"kind": "measure", "network": network.to_dict(), **settings}

    @property
    def _measurer(self) -> Measuring:
        if self.ended:
            raise T.TraitError(f"explorer: {ENDED}")
        if self._measuring is None:
            self._measuring = Measuring(self._on_event)
        return self._measuring

    def _on_event(self, key: Marked | None, event: dict[str, Any]) -> None:
        if event["kind"] == "result":
            self._done.add(key)
        getattr(self, f"_on_{event['kind']}")(key, event)

    def _on_devices(self, key: None, event: dict[str, Any]) -> None:
        self.devices = event["devices"]
        if kind_of(preferred(self.devices)) is CPU and not self._own_batch:
            self.batch, self._own_batch = CPU_BATCH, False
            self.status = f"no GPU here: timing is on the CPU, with batch {CPU_BATCH}"
        if self.device != AUTO and self.device not in self.devices:
            missing, self.device, self._waiting = self.device, AUTO, None
            self.message = f"device: {missing!r} is not there; use one of {AUTO}, {', '.join(self.devices)}"
        if self._waiting is not None:
            again, self._waiting = self._waiting, None
            self._measure(again)

    def _on_progress(self, key: Marked, event: dict[str, Any]) -> None:
        if key not in self._wanted:
            return
        total, number = len(self._wanted), self._wanted.index(key)
        self.progress = min(1.0, (number + min(event["fraction"], 1.0)) / total)
        at = f", {short(key.flops)} flops" if isinstance(key, Marked) else ""
        self.status = f"timing {number + 1} of {total}: {key.what}{at} ({event['phase']})"

    def _on_result(self, key: Marked, event: dict[str, Any]) -> None:
        measurement = Measurement.from_dict(event["measurement"])
        timed = tuple(
            Timed(key.base, key.settings, key.network, name, key.scale, key.flops, measurement)
            for name in key.strategies
        )
        replaced = {(t.base, t.settings, t.strategy, t.scale) for t in timed}
        kept = (t for t in self.measurements if (t.base, t.settings, t.strategy, t.scale) not in replaced)
        self.measurements = (*kept, *timed)

    def _on_error(self, key: Marked | None, event: dict[str, Any]) -> None:
        if event["reason"] == "cancelled":
            if self._measuring.left == 1:  # not overtaken by others that now wait
                self._wanted = []
                self.status = "cancelled; what was measured stays"
        elif key is None:
            self.message, self.status, self._waiting = f"there is no timing: {event['message']}", "", None
        elif key in self._wanted:
            # A wrong setting is wrong for all of them, and those that wait are dropped.
            whose = self._wanted[self._wanted.index(key) :] if event["reason"] == "setting" else [key]
            self._failures.setdefault(event["message"], []).extend(each.what for each in whose)
            self.message = "; ".join(self._whose(names) + text for text, names in self._failures.items())

    def _on_done(self, key: None, event: dict[str, Any]) -> None:
        if not self.busy:
            return
        self.busy, self.progress = False, 1.0
        if self._wanted:
            self.status = self._outcome()

    def _whose(self, names: list[str]) -> str:
        """Of which networks something is said; nothing if it is of all of several."""
        return "" if 1 < len(names) == len(self._wanted) else f"{' and '.join(names)}: "

    def _outcome(self) -> str:
        """How many of the networks that were asked for were timed, at which flops; how many were not, and why."""
        done = [key for key in self._wanted if key in self._done]
        flops = ", ".join(f"{key.what}: {short(key.flops)}" for key in done if isinstance(key, Marked))
        at = f" ({flops} flops)" if flops else ""
        if not self._failures:
            return f"timed {len(done)} network{'s' * (len(done) != 1)}{at}"
        failed = sum(map(len, self._failures.values()))
        return f"timed {len(done)} of {len(self._wanted)}{at}; {failed} failed: {'; '.join(self._failures)}"
