"""The store in many hands: threads, forks, and others who rotate, restore or rewrite the file under it."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.pipes import read_line
from helpers.posix import posix
from helpers.waiting import HANGS_S
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fastscale_lib._common import locks
from fastscale_lib.records import store as storing
from fastscale_lib.records.store import Store

THREADS, ADDS = 4, 40


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "rows.jsonl")


def in_threads(do, number: int = THREADS) -> list:
    """What each of so many threads gave, all begun at the same moment."""
    begin = threading.Barrier(number)

    def begun(which: int):
        begin.wait()
        return do(which)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that they meet as often as in many runs
    try:
        with ThreadPoolExecutor(number) as threads:
            return list(threads.map(begun, range(number)))
    finally:
        sys.setswitchinterval(before)


@pytest.fixture
def interleaved(monkeypatch):
    """Each row that is read, and each that is on the disk, lets other threads go first."""
    read = json.loads

    def slowly(line):
        time.sleep(0)
        return read(line)

    monkeypatch.setattr(storing, "json", SimpleNamespace(loads=slowly, dumps=json.dumps))
    monkeypatch.setattr(storing.os, "fsync", lambda handle: time.sleep(0))


@pytest.mark.parametrize("one", [True, False], ids=["one store", "a store each"])
def test_threads_add_and_read_without_a_row_lost_or_double(store, interleaved, one):
    def add_and_read(which: int) -> list[int]:
        mine, seen = store if one else Store(store.path), []
        for n in range(ADDS):
            mine.add({"thread": which, "n": n})
            seen.append(len([row for row in mine.rows() if row["thread"] == which]))
        return seen

    assert in_threads(add_and_read) == [list(range(1, ADDS + 1))] * THREADS  # each sees what it added, once
    for reader in (store, Store(store.path)):
        rows = reader.rows()
        assert len(rows) == THREADS * ADDS
        for which in range(THREADS):
            assert [row["n"] for row in rows if row["thread"] == which] == list(range(ADDS))
            assert [row["n"] for row in reader.find(thread=which)] == list(range(ADDS))


@pytest.mark.parametrize("one", [True, False], ids=["one store", "a store each"])
def test_of_several_threads_that_add_one_row_one_adds_it(store, interleaved, one):
    def add(_: int) -> int:
        mine = store if one else Store(store.path)
        return sum(mine.add({"n": n}, unless=lambda n=n: bool(mine.find(n=n))) for n in range(ADDS))

    assert sum(in_threads(add)) == ADDS
    assert [row["n"] for row in store] == list(range(ADDS))


@posix
def test_threads_take_turns_where_locks_are_those_of_the_process(store, interleaved, monkeypatch):
    """As on NFS: the system lets each thread in at once."""
    monkeypatch.setattr(locks.fcntl, "flock", lambda file, how: None)
    test_of_several_threads_that_add_one_row_one_adds_it(store, None, one=False)


def test_unless_may_read_the_file_by_another_store_and_add_to_it(store):
    def asked() -> bool:
        assert Store(store.path).add({"n": 1})
        return bool(Store(store.path).find(n=2))

    assert store.add({"n": 2}, unless=asked)
    assert [row["n"] for row in store] == [1, 2]


FORKED = """
import os, sys, threading
from fastscale_lib.records.store import Store
store = Store(sys.argv[1])
store.add({"n": 1})
inside, leave = threading.Event(), threading.Event()
def held():
    inside.set()
    leave.wait()
    return False
adding = threading.Thread(target=lambda: store.add({"n": 2}, unless=held))
adding.start()
inside.wait()
child = os.fork()
if not child:  # the thread that holds the lock is not here
    print(len(Store(sys.argv[2]).rows()), flush=True)  # of another file, as the parent has this one
    store.path = Store(sys.argv[2]).path
    store.add({"n": 3})
    os._exit(0)
os.waitpid(child, 0)
leave.set()
adding.join()
print([row["n"] for row in store])
"""


@posix
def test_a_process_that_forks_while_a_thread_adds_goes_on(store, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(store.path), str(tmp_path / "other.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S)
    assert (done.stdout, done.stderr) == ("0\n[1, 2]\n", "")
    assert Store(tmp_path / "other.jsonl").rows() == [{"n": 3}]


def test_ctrl_c_at_any_call_leaves_a_store_that_reads_right(store):
    """Stopped at the first, second, … call within reading; the rows are then those of the file."""
    for n in range(3):
        Store(store.path).add({"n": n})

    def stopped_at(call: int) -> bool:
        calls = iter(range(call))

        def stop(frame, event, argument):
            if (
                event == "call"
                and frame.f_globals.get("__name__") == "fastscale_lib.records.store"
                and next(calls, None) is None
            ):
                raise KeyboardInterrupt

        reader = Store(store.path)
        sys.setprofile(stop)
        try:
            reader.find(n=1)
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
            assert [row["n"] for row in reader] == [0, 1, 2]
            assert reader.find(n=1) == [{"n": 1}]
        return False

    stops = 0
    while stopped_at(stops):
        stops += 1
    assert stops > 10


def rows_in(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Replaced(RuleBasedStateMachine):
    """One store that lives on while its file is added to, rotated, restored, rewritten and removed by others."""

    numbers = st.integers(0, 3)  # few, so that files are of the same size and rows often equal

    def __init__(self):
        super().__init__()
        self.folder = Path(os.path.realpath(os.environ["FASTSCALE_TEST_FOLDER"])) / os.urandom(8).hex()
        self.folder.mkdir()
        self.path = self.folder / "rows.jsonl"
        self.store = Store(self.path)
        self.rows: list[dict] = []

    def write(self, path: Path, numbers: list[int]) -> None:
        path.write_text("".join(json.dumps({"n": n}) + "\n" for n in numbers))

    @rule(n=numbers)
    def add(self, n):
        assert self.store.add({"n": n})
        self.rows.append({"n": n})

    @rule(n=numbers)
    def add_unless_there(self, n):
        there = {"n": n} in self.rows
        assert self.store.add({"n": n}, unless=lambda: bool(self.store.find(n=n))) != there
        self.rows += [] if there else [{"n": n}]

    @rule(n=numbers)
    def add_by_another(self, n):
        Store(self.path).add({"n": n})
        self.rows.append({"n": n})

    @rule()
    def rotate(self):
        if self.path.exists():
            self.path.rename(self.folder / "rotated.jsonl")
        self.rows = []

    @rule(numbers=st.lists(numbers, max_size=4))
    def put_another_in_its_place(self, numbers):
        self.write(self.folder / "new.jsonl", numbers)
        os.replace(self.folder / "new.jsonl", self.path)
        self.rows = [{"n": n} for n in numbers]

    @rule(numbers=st.lists(numbers, max_size=4))
    def write_it_anew(self, numbers):
        self.write(self.path, numbers)  # the inode stays
        os.utime(self.path, ns=(0, self.clock()))  # a clock of files may stand still for some milliseconds
        self.rows = [{"n": n} for n in numbers]

    @rule(numbers=st.lists(numbers, min_size=1, max_size=4))
    def write_it_anew_and_add(self, numbers):
        self.write_it_anew(numbers)
        self.add_by_another(numbers[0])

    def clock(self) -> int:
        self.ticks = getattr(self, "ticks", 0) + 1
        return self.ticks * 10**9

    @rule()
    def read(self):
        assert self.store.rows() == self.rows

    @invariant()
    def another_reads_the_same(self):
        assert rows_in(self.path) == self.rows

    def teardown(self):
        assert self.store.rows() == self.rows
        for n in range(4):
            assert self.store.find(n=n) == [row for row in self.rows if row["n"] == n]
        shutil.rmtree(self.folder)


def test_a_store_has_the_rows_that_its_file_has_now(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSCALE_TEST_FOLDER", str(tmp_path))
    run_state_machine_as_test(Replaced, settings=settings(max_examples=60, stateful_step_count=20, deadline=None))


def test_a_measurement_is_kept_where_the_row_that_made_it_needless_is_gone(store):
    store.add({"n": 1})
    assert store.find(n=1)
    store.path.rename(store.path.with_suffix(".old"))
    assert store.add({"n": 1}, unless=lambda: bool(store.find(n=1)))
    assert rows_in(store.path) == [{"n": 1}]


def test_a_row_edited_in_place_in_the_same_size_is_read(store):
    """Among many rows, far from the beginning and the end of the file."""
    store.path.write_text("".join(json.dumps({"n": n, "text": "x" * 100}) + "\n" for n in range(1000)))
    assert len(store.find(n=500)) == 1
    store.path.write_text(store.path.read_text().replace('"n": 500,', '"n": 999,'))
    os.utime(store.path, ns=(0, 0))
    assert [len(store.find(n=n)) for n in (500, 999)] == [0, 2]


@pytest.mark.parametrize("moment", ["before the lock", "while unless is asked"])
def test_a_file_rotated_while_a_row_is_added_loses_nothing(store, monkeypatch, moment):
    store.add({"n": 1})
    rotated, locked = store.path.with_suffix(".old"), storing.locked

    def rotate() -> bool:
        if not rotated.exists():
            store.path.rename(rotated)
        return bool(store.find(n=2))

    def rotated_first(file, *shared):
        rotate()
        return locked(file, *shared)

    if moment == "before the lock":
        monkeypatch.setattr(
            storing, "locked", lambda file, shared=False: locked(file, shared) if shared else rotated_first(file)
        )
        assert store.add({"n": 2})
    else:
        assert store.add({"n": 2}, unless=rotate)
    assert rows_in(store.path) == store.rows() == [{"n": 2}]


ROTATED = """
import sys
from fastscale_lib.records.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
for n in range(int(sys.argv[2])):
    store.add({"n": n})
"""


@posix
def test_rotated_again_and_again_under_a_writer_every_row_is_somewhere(tmp_path):
    """It is rotated as soon as it is seen: often while a row is being added, which then goes into the next file too."""
    path, rows = tmp_path / "rows.jsonl", 40
    command = [sys.executable, "-c", ROTATED, str(path), str(rows)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert read_line(writer) == "ready\n"
    files = []
    while writer.poll() is None:
        if path.exists():
            files.append(path.rename(tmp_path / f"{len(files)}.jsonl"))
    writer.communicate(timeout=HANGS_S)
    assert writer.returncode == 0
    found = [row["n"] for file in (*files, path) for row in rows_in(file)]
    assert set(found) == set(range(rows))
