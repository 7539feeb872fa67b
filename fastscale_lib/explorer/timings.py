"""The explorer's timings: the marked networks, measured one after another in a subprocess."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import pandas as pd
import traitlets as T

from .._common.device_kinds import CPU, kind_of, preferred
from .._common.errors import FastscaleError
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.parts import Dimensions
from ..architectures.traced.module_family import Family
from ..figures.theme import label
from ..measuring.batch_search import LIMIT
from ..measuring.settings import Settings
from ..records.measurement import Measurement
from .app_measured import doubt_of
from .batch_search import BatchSearch
from .job_queue import Job, Measuring, running_loop
from .state import AUTO, CPU_BATCH, State, short
from .views import ALPHA

REST_S = 0.5  # how long the state must have rested before Live measures
SPENT = 0.9  # of a network's part of the bar, once its seconds are spent: it is looked at once more after that
ENDED = "this explorer was ended, as it is when its cell runs again; fs.explore() makes another"
_COLUMNS = ["strategy", "scale", "flops", "median_ms", "low_ms", "high_ms", "doubt", "device", "text"]


class Marked(NamedTuple):
    """A scaled network to be measured: its base, the settings, and the strategies that give it."""

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
    """A scaled network that was measured: its base, the settings, its strategy, and its time."""

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


class Timings:
    """Times the marked networks of a state in the subprocess, and keeps the times in the state.

    What goes on, and what is wrong, is said in the state's `status` and `message`.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.ended = False  # for good: nothing is measured any more
        self._measuring: Measuring | None = None
        self._rest: threading.Timer | None = None
        self._waiting: Callable[[], object] | None = None  # what is done once the devices are known
        self._wanted: list[Any] = []  # what is to be measured, of what was asked for last
        self._takers: dict[Hashable, Callable[[Any, Measurement], None]] = {}  # of what has been asked for
        self._done: set[Hashable] = set()  # what of it has been measured
        self._failures: dict[str, list[str]] = {}  # whose measurements failed, by what was said
        self._networks: dict[Hashable, Network] = {}  # those that are to be measured
        self._full: list[Marked] = []  # those that did not fit in memory
        self._search: BatchSearch | None = None
        self._times: tuple[tuple, pd.DataFrame] | None = None  # for what they are, and they
        state.when_changed(lambda _: self._measure_soon())

    @property
    def pid(self) -> int | None:
        """The id of the process that measures; None where none runs."""
        return self._measuring.worker.pid if self._measuring else None

    @property
    def times(self) -> pd.DataFrame:
        """What was measured of the present base network and settings; times in ms/batch.

        low_ms and high_ms are NaN where there is no interval; doubt says why a time decides nothing, or what disturbed
        it; None where nothing did.
        """
        key = self.state.measurements, self.state.base, self.state.settings
        if self._times is None or self._times[0] != key:  # three readers ask at every move of a slider
            rows = [
                (
                    *(t.strategy, t.scale, t.flops, m.median_ms, m.low_ms, m.high_ms),
                    doubt_of(m),
                    m.where,
                    f"{t.what}<br>{m}",
                )
                for t in self.state.measurements
                if (t.base, t.settings) == key[1:]
                for m in [t.measurement]
            ]
            self._times = key, pd.DataFrame(rows, columns=_COLUMNS)
        return self._times[1].copy(deep=False)

    def time(self) -> None:
        """Measure the marked networks, one after another, and return at once; see `wait`."""
        self._measure(again=True)

    def cancel(self) -> None:
        """Stop measuring; what was measured stays."""
        self._waiting = None
        if self._search:
            self._search.cancel()
        if self._measuring:
            self._measuring.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being measured; False if that took longer than `timeout` seconds."""
        if self._search and not self._search.wait(timeout):
            return False
        return self._measuring is None or self._measuring.wait(timeout)

    @property
    def fits_not(self) -> list[Network]:
        """The networks that did not fit in memory when they were last to be timed."""
        state = self.state
        return [self._networks[key] for key in self._full if (key.base, key.settings) == (state.base, state.settings)]

    def fit_batch(self) -> None:
        """Search for the largest batch at which those fit that did not, and return at once."""
        networks = self.fits_not
        if not networks:
            raise T.TraitError("fit: every network that was timed fits at this batch; press Time first at a larger one")
        batch, mode, precision, device = self.state.settings
        if batch == 1:
            raise T.TraitError(f"fit: not even one image fits in the memory of {device}; use a smaller scale")
        self.state.busy, self.state.progress = True, 0.0
        self.state.status = f"searching for the largest batch below {batch} that fits"
        self._search = BatchSearch(self._tell_search, self._end_search)
        self._search.start(networks, Settings(min(batch, LIMIT + 1), mode, precision, device))

    def _tell_search(self, phase: str, fraction: float) -> None:
        self.state.progress, self.state.status = fraction, f"searching for the largest batch that fits: trying {phase}"

    def _end_search(self, found: int | FastscaleError) -> None:
        if self._search is None:  # overtaken by what is measured now
            return
        self._search.close()
        self._search, self._full = None, []
        if isinstance(found, int):
            self.state.batch = found
            much = "" if found == LIMIT else ", about the largest that does"
            self.state.status = f"batch {found} fits{much}; press Time"
        elif getattr(found, "reason", "") == "cancelled":
            self.state.status = "cancelled; what was measured stays"
        else:
            self.state.status, self.state.message = "", f"fit: {found}"
        self.state.progress, self.state.busy = 1.0, False

    def stop(self) -> None:
        """Stop measuring, and give the process that measures back, until it is needed again."""
        self._waiting = None
        if self._rest:
            self._rest.cancel()
        if self._search:
            self._search.close()
        if self._measuring:
            self._measuring.close()

    def end(self) -> None:
        """Stop for good; what was measured can still be read."""
        self.ended = True
        self.stop()

    def ask_devices(self) -> None:
        """Learn which devices there are, in the subprocess, so that this one need not load torch."""
        if not self.state.devices and not self._measurer.busy:
            self._measurer.start([Job(None, {"kind": "devices"})])

    def _measure_soon(self) -> None:
        """Measure once the state has rested, with `live`; what is being measured is overtaken."""
        if self._rest:
            self._rest.cancel()
        if not self.state.live or self.ended:
            return
        loop = running_loop()
        wake = (lambda: loop.call_soon_threadsafe(self._measure_live)) if loop else self._measure_live
        self._rest = threading.Timer(REST_S, wake)
        self._rest.daemon = True
        self._rest.start()

    def _measure_live(self) -> None:
        if self.state.live:
            self.state.message = ""
            self._measure(again=False)

    def _measure(self, again: bool) -> None:
        if isinstance(self.state.network, Family):
            self.state.message = (
                "time: a module cannot be sent to the process that measures; fs.measure(explorer.scaled()) times it"
            )
            return
        if self.waits_for_devices(lambda: self._measure(again)):
            return
        jobs = self._marked(again)
        if not jobs and not self.state.busy:
            return
        self.start(jobs, self._take)

    def waits_for_devices(self, then: Callable[[], object]) -> bool:
        """Return whether the devices are not known yet; `then` is called once they are."""
        if self.state.devices:
            return False
        self.ask_devices()
        self._waiting, self.state.busy, self.state.status = then, True, "starting the process that measures"
        return True

    def start(self, jobs: list[Job], take: Callable[[Any, Measurement], None]) -> None:
        """Do these jobs in place of those in hand; give each key and measurement to `take`.

        A key has `what`, the words for it.
        """
        measurer = self._measurer
        if self._search:
            self._search.close()
            self._search = None
        self._wanted, self._done, self._failures, self._full = [job.key for job in jobs], set(), {}, []
        self._networks = {job.key: Network.from_dict(job.request["network"]) for job in jobs}
        self._takers |= dict.fromkeys(self._wanted, take)
        self.state.busy, self.state.progress = True, 0.0
        if jobs:
            networks = f"network{'s' * (len(jobs) != 1)}"
            self.state.status = f"timing {len(jobs)} {networks}: waiting for the process that measures"
        measurer.start(jobs)

    def _marked(self, again: bool) -> list[Job]:
        """Make a job for each different marked network; one with a time keeps it, unless `again`."""
        state = self.state
        known = {(t.base, t.settings, t.network): t for t in state.measurements}
        named = {(t.base, t.settings, t.network, t.strategy) for t in state.measurements}
        by_network: dict[Dimensions, list[str]] = {}
        for name in (*state.strategies, ALPHA):
            by_network.setdefault(state.scaled(name).dimensions, []).append(name)
        jobs = []
        for dims, names in by_network.items():
            of, network = (state.base, state.settings, dims), state.scaled(names[0])
            strategies = [state.strategy(name).name for name in names]
            timed = None if again else known.get(of)
            if timed:
                strategies = [each for each in strategies if (*of, each) not in named]
            key = Marked(*of, tuple(strategies), state.scale, complexity(network).flops)
            if not timed:
                jobs.append(Job(key, self._request(network)))
            elif strategies:  # another strategy has made the same network
                self._take(key, timed.measurement)
        return jobs

    def _request(self, network: Network) -> dict[str, Any]:
        batch, mode, precision, device = self.state.settings
        how = {"batch": batch, "mode": mode, "precision": precision, "device": device}
        return {"kind": "measure", "network": network.to_dict(), **how, "seconds": self.state.seconds}

    @property
    def _measurer(self) -> Measuring:
        if self.ended:
            raise T.TraitError(f"explorer: {ENDED}")
        if self._measuring is None:
            self._measuring = Measuring(self._on_event)
        return self._measuring

    def _on_event(self, key: Any, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "devices":
            self._on_devices(event["devices"])
        elif kind == "progress":
            self._on_progress(key, event)
        elif kind == "result":
            self._done.add(key)
            self._takers[key](key, Measurement.from_dict(event["measurement"]))
        elif kind == "error":
            self._on_error(key, event)
        else:
            self._on_done()

    def _on_devices(self, devices: dict[str, str]) -> None:
        state = self.state
        if kind_of(preferred(devices)) is CPU and not state.batch_chosen:
            state.batch = CPU_BATCH
            state.batch_chosen = False
            state.status = f"no GPU here: timing is on the CPU, with batch {CPU_BATCH}"
        missing = state.device if state.device not in (AUTO, *devices) else None
        if missing:
            state.device, self._waiting = AUTO, None
        state.devices = devices
        if missing:
            state.message = f"device: {missing!r} is not there; use one of {AUTO}, {', '.join(devices)}"
        then, self._waiting = self._waiting, None
        try:
            if then:
                then()
        except (T.TraitError, ValueError, OSError) as error:
            state.message = str(error)

    def _on_progress(self, key: Any, event: dict[str, Any]) -> None:
        if key not in self._wanted:
            return
        total, number = len(self._wanted), self._wanted.index(key)
        self.state.progress = (number + SPENT * min(event["fraction"], 1.0)) / total
        at = f", {short(key.flops)} flops" if isinstance(key, Marked) else ""
        self.state.status = f"timing {number + 1} of {total}: {key.what}{at} ({event['phase']})"

    def _take(self, key: Marked, measurement: Measurement) -> None:
        timed = tuple(
            Timed(key.base, key.settings, key.network, name, key.scale, key.flops, measurement)
            for name in key.strategies
        )
        replaced = {(t.base, t.settings, t.strategy, t.scale) for t in timed}
        kept = (t for t in self.state.measurements if (t.base, t.settings, t.strategy, t.scale) not in replaced)
        self.state.measurements = (*kept, *timed)

    def _on_error(self, key: Any, event: dict[str, Any]) -> None:
        if event["reason"] == "cancelled":
            if self._measuring and self._measuring.left == 1:  # not overtaken by others that now wait
                self._wanted = []
                self.state.status = "cancelled; what was measured stays"
        elif key is None:
            self.state.message, self.state.status, self._waiting = f"there is no timing: {event['message']}", "", None
        elif key in self._wanted:
            # A wrong setting is wrong for all of them, and those that wait are dropped.
            whose = self._wanted[self._wanted.index(key) :] if event["reason"] == "setting" else [key]
            if event["reason"] == "out of memory" and isinstance(key, Marked):
                self._full.append(key)
            text = event["message"].removeprefix(f"{self._networks[key].name}: ")  # what is said of several, once
            self._failures.setdefault(text, []).extend(each.what for each in whose)
            self.state.message = "; ".join(self._whose(names) + text for text, names in self._failures.items())

    def _on_done(self) -> None:
        self._takers.clear()
        if not self.state.busy:
            return
        if self._wanted:
            self.state.status = self._outcome()
        self.state.progress, self.state.busy = 1.0, False  # in this order: who waits for the end finds all of it said

    def _whose(self, names: list[str]) -> str:
        """Say of which networks something is said; nothing if it is of all of several."""
        return "" if 1 < len(names) == len(self._wanted) else f"{' and '.join(names)}: "

    def _outcome(self) -> str:
        """Say how many networks were timed, at which flops, how many were not, and why."""
        done = [key for key in self._wanted if key in self._done]
        flops = ", ".join(f"{key.what}: {short(key.flops)}" for key in done if isinstance(key, Marked))
        at = f" ({flops} flops)" if flops else ""
        if not self._failures:
            return f"timed {len(done)} network{'s' * (len(done) != 1)}{at}"
        failed = sum(map(len, self._failures.values()))
        return f"timed {len(done)} of {len(self._wanted)}{at}; {failed} failed: {'; '.join(self._failures)}"
