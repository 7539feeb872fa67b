"""The store: what `add` has returned for is on the disk, whoever is killed and whenever."""

import errno
import itertools
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
from helpers.killed_writer import start_writer
from helpers.pipes import read_line, write_line
from helpers.posix import posix
from helpers.waiting import HANGS_S
from hypothesis import example, given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common import locks
from fastscale_lib.records import store as storing
from fastscale_lib.records.store import Store, StoreError, StoreWarning

texts = st.text(st.characters(exclude_categories=["Cs"]))
SHIPPED = Path(__file__).resolve().parents[2] / "data" / "measured" / "amd-epyc-2-threads.jsonl"
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "measured" / "here.jsonl")


def test_a_store_names_its_file():
    assert repr(Store("measured/here.jsonl")) == "Store('measured/here.jsonl')"


def test_rows_come_back_in_their_order(store):
    rows = [{"network": "ResNet-50", "batch": 64, "median_ms": 1 / 3}, {"network": "x\ny\u2028 №", "batch": None}]
    for row in rows:
        store.add(row)
    assert store.rows() == Store(store.path).rows() == rows
    assert len(store.path.read_bytes().splitlines()) == 2
    assert store.find(batch=64) == rows[:1]
    assert store.find(batch=64, network="ResNet-18") == []


def test_names_of_devices_are_read_in_short(store):
    """Older rows have a CPU's name as its maker writes it."""
    store.add({"device_name": "Intel(R) Xeon(R) Processor", "cpu_name": "AMD EPYC 7763 64-Core Processor"})
    [row] = store.find(device_name="Intel Xeon")
    assert row["cpu_name"] == "AMD EPYC 7763"


def test_rows_are_found_by_lists_and_by_other_values_beside_them(store):
    rows = [{"network": name, "causes": ["heat"]} for name in ("a", "b")]
    for row in rows:
        store.add(row)
    assert store.find(causes=["heat"]) == rows
    assert store.find(causes=["heat"], network="b") == rows[1:]
    assert store.find(causes=[]) == []


@given(st.lists(st.dictionaries(texts, plain), max_size=5))
def test_any_plain_row_comes_back(tmp_path_factory, rows):
    store = Store(tmp_path_factory.mktemp("store") / "s.jsonl")
    for row in rows:
        store.add(row)
    assert Store(store.path).rows() == rows


@given(st.text(st.characters(categories=["Cs", "Ll"]), max_size=4))
@example("caf\udce9.yaml")  # as Python names a file whose name is no UTF-8
@example("\ud83d\ude00")
def test_halves_of_letters_come_back_or_are_refused(tmp_path_factory, text):
    store = Store(tmp_path_factory.mktemp("store") / "s.jsonl")
    pair = any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in itertools.pairwise(text))
    if pair:  # as JSON has it, this is one letter
        with pytest.raises(StoreError, match=r"^store: this row cannot be kept as JSON \(.*both halves of a surrogate"):
            store.add({"network": text})
        assert not store.path.exists()
    else:
        store.add({"network": text, "№": text})
        assert store.rows() == Store(store.path).rows() == [{"network": text, "№": text}]
        assert store.find(network=text) == store.rows()


def test_an_empty_store_has_no_rows_and_makes_no_file(store):
    assert store.rows() == []
    assert store.frame().empty
    assert not store.path.exists()


def test_a_frame_has_a_row_a_measurement(store):
    store.add({"network": "a", "median_ms": 1.5})
    store.add({"network": "b", "reason": "out of memory"})
    pd.testing.assert_frame_equal(
        store.frame(),
        pd.DataFrame({"network": ["a", "b"], "median_ms": [1.5, None], "reason": [None, "out of memory"]}),
        check_dtype=False,
    )


def test_what_another_writer_adds_is_seen(store):
    store.add({"n": 1})
    assert len(store) == 1
    Store(store.path).add({"n": 2})
    assert [row["n"] for row in store] == [1, 2]


def test_a_file_that_is_replaced_is_read_anew(store):
    for n in range(3):
        store.add({"n": n})
    assert len(store) == 3
    store.path.write_text('{"n": 9}\n')
    assert store.rows() == [{"n": 9}]


@pytest.mark.parametrize("row", [{"ms": float("nan")}, {"ms": float("inf")}, {"net": object()}, {"b": b"x"}])
def test_what_json_does_not_hold_is_refused_and_nothing_is_written(store, row):
    with pytest.raises(StoreError, match=r"^store: this row cannot be kept as JSON \(.*\); give plain"):
        store.add(row)
    assert not store.path.exists()


NESTED: list = []
for _ in range(100_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "row", [{1: 2}, {None: 1}, {"n": NESTED}, {"n": 10**5000}], ids=["1", "None", "nested", "long"]
)
def test_what_would_not_come_back_is_refused_in_a_short_sentence(store, row):
    with pytest.raises(StoreError, match=r"^store: .{,400}; give ") as said:
        store.add(row)
    assert said.value.row is None
    assert not store.path.exists()


@pytest.mark.parametrize("row", [[1, 2], "row", 7, "x" * 10**6])
def test_what_is_no_row_is_refused(store, row):
    with pytest.raises(StoreError, match=r"^store: a row is a Measurement or a dict, but this is .*; give its to_dict"):
        store.add(row)


def test_a_measurement_is_a_row(store):
    shipped = Store(SHIPPED).rows()[0]
    known = [field.name for field in fields(fs.records.Measurement) if field.name in shipped]
    found = fs.records.Measurement.from_dict({name: shipped[name] for name in known})
    store.add(found)
    assert store.rows() == [found.to_dict()]
    assert fs.records.Measurement.from_dict(store.rows()[0]) == found


def test_a_row_that_the_store_needs_no_more_is_not_added(store):
    assert store.add({"n": 1}, unless=lambda: bool(store.find(n=1)))
    Store(store.path).add({"n": 2})
    assert not store.add({"n": 2}, unless=lambda: bool(store.find(n=2)))  # asked with all rows read
    assert not store.add({"n": 3}, unless=lambda: len(store) == 2)
    assert [row["n"] for row in store] == [1, 2]


RIVAL = """
import sys, time
from fastscale_lib.records.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(200):
    store.add({"n": n}, unless=lambda: bool(store.find(n=n)))
"""


def test_of_several_writers_of_one_row_one_adds_it(tmp_path):
    """Three at a time, each looking whether the row is there and adding it if not, 200 times."""
    path = tmp_path / "s.jsonl"
    command, pipe = [sys.executable, "-c", RIVAL, str(path)], subprocess.PIPE
    rivals = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for rival in rivals:
        assert read_line(rival) == "ready\n"
    for rival in rivals:
        write_line(rival, "go")
    for rival in rivals:
        rival.communicate(timeout=HANGS_S)
        assert rival.returncode == 0
    assert [row["n"] for row in Store(path)] == list(range(200))


def test_whether_rows_can_be_kept_is_known_before_the_first(tmp_path, monkeypatch):
    store = Store(tmp_path / "new" / "folder" / "rows.jsonl")
    store.check()
    assert not list(tmp_path.iterdir())  # it writes nothing
    store.add({"n": 1})
    store.check()
    assert store.rows() == [{"n": 1}]
    (tmp_path / "notes.md").write_text("# Notes\n\nNothing measured.\n")
    with pytest.raises(StoreError, match="is no store of measurements"):
        Store(tmp_path / "notes.md").check()
    with pytest.raises(StoreError, match=r"^store: .* cannot be written: Is a directory; give another path$"):
        Store(tmp_path / "new").check()
    with pytest.raises(StoreError, match=r"cannot be written: .*rows\.jsonl is no folder; give another path$"):
        Store(store.path / "rows.jsonl").check()
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root, every folder lets itself be written
    with pytest.raises(StoreError, match=r"cannot be written: .* takes no new files; give another path$"):
        Store(tmp_path / "rows.jsonl").check()


def unlockable(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@posix
def test_without_locks_a_store_is_read_but_not_written(store, monkeypatch):
    store.add({"n": 1})
    with monkeypatch.context() as patch:
        patch.setattr(locks.fcntl, "flock", unlockable)
        assert Store(store.path).rows() == [{"n": 1}]
        for path in (store.path, store.path.with_name("new.jsonl")):
            with pytest.raises(StoreError, match=r"cannot be written: its file system has no locks.*: No locks avail"):
                Store(path).check()
        with pytest.raises(StoreError, match=r"cannot take a row \(its file system has no locks") as said:
            store.add({"n": 2})
        assert said.value.row == {"n": 2}
    assert store.rows() == [{"n": 1}]
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


def dangling(folder: Path) -> Path:
    (folder / "link.jsonl").symlink_to(folder / "gone" / "rows.jsonl")
    return folder / "link.jsonl"


def through_a_dangling_folder(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "gone")
    return folder / "link" / "rows.jsonl"


def looping(folder: Path) -> Path:
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    return folder / "loop.jsonl"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jsonl")
    return folder / "pipe.jsonl"


@posix
@pytest.mark.parametrize(
    "place",
    [
        dangling,
        through_a_dangling_folder,
        looping,
        pipe,
        lambda folder: folder,
        lambda folder: Path("/proc/rows.jsonl"),
        lambda folder: Path("/dev/full"),
    ],
    ids=["link", "folder's link", "loop", "pipe", "folder", "proc", "device"],
)
def test_where_check_refuses_add_fails_in_a_sentence(tmp_path, place):
    store = Store(place(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=r"^store: .* cannot be (written|read): [^;]+; give another path$"):
        store.check()
    with pytest.raises(StoreError, match=r"^store: .* cannot take a row \([^;]+\); those before are kept; ") as said:
        store.add({"n": 1})
    assert said.value.row == {"n": 1}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_longer_than_any_file_s_is_refused_at_once(tmp_path):
    with pytest.raises(StoreError, match=r"^store: path is .*, but must be the path of a file or folder$"):
        Store(tmp_path / ("x" * 300))


@posix
def test_a_link_to_a_file_that_is_still_to_be_made(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "there" / "rows.jsonl")
    store = Store(tmp_path / "link.jsonl")
    store.check()
    store.add({"n": 1})
    assert Store(tmp_path / "there" / "rows.jsonl").rows() == store.rows() == [{"n": 1}]


@posix
@pytest.mark.parametrize("lines", [0, 1, 30])
def test_a_full_disk_hands_the_row_back_and_leaves_the_rows_whole(store, lines):
    """The system takes a part of the line, as a disk that is nearly full does."""
    import resource

    rows = [{"n": n} for n in range(lines)]
    for row in rows:
        store.add(row)
    size = store.path.stat().st_size if lines else 0
    late = {"n": lines, "text": "x" * 1000}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, before[1]))
        with pytest.raises(
            StoreError, match=r"cannot take a row \(File too large\); those before are kept; make"
        ) as said:
            store.add(late)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert said.value.row == late
    assert store.path.stat().st_size == size  # no part of it is left
    assert store.rows() == Store(store.path).rows() == rows
    store.add(said.value.row)
    assert store.rows() == [*rows, late]


def test_a_row_that_does_not_reach_the_disk_does_not_count(store, monkeypatch):
    store.add({"n": 1})

    def broken(handle):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(storing.os, "fsync", broken)
        with pytest.raises(StoreError, match=r"cannot take a row \(Input/output error\)"):
            store.add({"n": 2})
    assert store.rows() == Store(store.path).rows() == [{"n": 1}]
    assert store.add({"n": 2}, unless=lambda: bool(store.find(n=2)))


@pytest.mark.parametrize(
    "content", [b"# Notes\n\nNothing measured.\n", b"my precious notes", b"[1, 2]\n", bytes(range(128, 256))]
)
def test_another_file_is_neither_read_nor_written(tmp_path, content):
    path = tmp_path / "notes.md"
    path.write_bytes(content)
    for use in (lambda: Store(path).add({"n": 1}), Store(path).rows, Store(path).frame):
        with pytest.raises(StoreError, match="is no store of measurements"):
            use()
    assert path.read_bytes() == content


@pytest.mark.parametrize("cut", [2, 7, 20])
def test_a_torn_last_line_is_told_and_the_next_row_is_whole(store, cut):
    for n in range(2):
        store.add({"network": "ResNet-50", "n": n})
    os.truncate(store.path, store.path.stat().st_size - cut)
    again = Store(store.path)
    with pytest.warns(StoreWarning, match="line 2 is no whole row"):
        assert [row["n"] for row in again.rows()] == [0]
    again.add({"n": 2})
    for reader in (again, Store(store.path)):
        with pytest.warns(StoreWarning, match="line 2 is no whole row"):
            assert [row["n"] for row in reader.rows()] == [0, 2]


def test_a_row_that_lacks_its_newline_is_all_there_and_stays_one(store):
    store.add({"n": 1})
    os.truncate(store.path, store.path.stat().st_size - 1)
    again = Store(store.path)
    assert again.rows() == [{"n": 1}]
    again.add({"n": 2})
    again.add({"n": 3})
    assert again.rows() == Store(store.path).rows() == [{"n": 1}, {"n": 2}, {"n": 3}]


@posix
@pytest.mark.filterwarnings("ignore::fastscale_lib.records.store.StoreWarning")
def test_a_hundred_killed_writers_lose_and_double_nothing(tmp_path):
    """Two writers at a time on one file, each killed at a random moment and started again."""
    path, dice = tmp_path / "s.jsonl", random.Random(0)
    acknowledged: dict[str, set[int]] = {"a": set(), "b": set()}

    for _ in range(50):
        pair = {name: start_writer(path, name) for name in acknowledged}
        for _, said in pair.values():
            assert said.readline() == "ready\n"
        for name, (_, said) in pair.items():
            acknowledged[name] |= {int(said.readline()) for _ in range(dice.randrange(3))}
        time.sleep(dice.uniform(0, 0.01))
        for name, (process, said) in pair.items():
            process.kill()
            with said:
                acknowledged[name] |= {int(line) for line in said}
            process.join(HANGS_S)
        rows = Store(path).rows()  # every file opens
        for writer, known in acknowledged.items():
            kept = [row["n"] for row in rows if row["writer"] == writer]
            assert known <= set(kept), "an acknowledged row is missing"
            assert kept == list(range(len(kept))), "a row is double, or out of order"
    assert min(map(len, acknowledged.values())) > 20


def test_a_writer_that_is_stopped_in_the_middle_of_a_row(tmp_path):
    """The file as a kill between two writes leaves it: half a row, in the middle of a letter."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(json.dumps({"n": 0}).encode() + b"\n" + '{"network": "é'.encode()[:-1])
    store = Store(path)
    store.add({"n": 1})
    with pytest.warns(StoreWarning):
        assert store.rows() == [{"n": 0}, {"n": 1}]
