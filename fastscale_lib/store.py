"""Rows that outlive the process that made them: an append-only file of JSON Lines, safe for several writers.

A row counts once `add` has returned: by then it is on the disk, whole. What a killed writer left behind, half a row
at the end of the file, is passed over and told of, and the next row starts on a line of its own.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

try:
    import fcntl
except ImportError:  # Windows, where one process may add at a time
    fcntl = None

from .measurement import Measurement
from .networks import Network


class StoreWarning(UserWarning):
    """Lines of a store that are no rows, and were passed over."""


class StoreError(ValueError):
    """A row that cannot be stored, or a file that is no store; the message says which and why."""


class Store:
    """Measurements in a file, one JSON object a line, in the order in which they were added.

    Arguments:
        path: of the file, which is made with the first row.

    Several processes may add to one file at a time, and several machines where their file system keeps locks. Rows
    are plain dicts; nothing but `add` writes, and nothing is ever changed or removed.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._rows: list[dict[str, Any]] = []
        self._indexes: dict[tuple[str, ...], _Index] = {}
        self._torn: list[int] = []
        self._read_to = 0  # bytes
        self._lines = 0
        self._alone = False  # all is read, and nobody else can add

    def add(self, row: Mapping[str, Any] | Measurement, unless: Callable[[], bool] | None = None) -> bool:
        """Append a row, and return once it is on the disk.

        Arguments:
            row: plain; or a `Measurement`, whose columns these then are.
            unless: asked first, while no other writer can add: where it finds that the store holds what it needs, as
                by `find`, nothing is added. So of several writers of one row, one adds it.

        Returns:
            Whether the row was added.

        Raises:
            StoreError: this is no row, or holds what JSON does not, as NaN; or the file is something else.
            OSError: the file cannot be written; the row does not count.
        """
        data = (_line(row) + "\n").encode()
        if not self._read_to:
            self._read()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b", buffering=0) as file, _locked(file):
            if unless is not None and self._holds(unless, file):
                return False
            size = file.seek(0, os.SEEK_END)
            if size and not _ends_a_line(file, size):
                data = b"\n" + data  # a writer was killed in the middle of its row
            _write_all(file, data)
            os.fsync(file.fileno())
            if not size:
                _sync_folder(self.path.parent)
        return True

    def check(self) -> None:
        """See before the work whether its rows can be kept; this writes nothing, and makes no file.

        Raises:
            StoreError: the file is something else, or it, or its folder, cannot be written to.
        """
        try:
            there = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
            if there == self.path:
                self.path.open("ab").close()
            elif not there.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{there} is no folder")
            elif not os.access(there, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, f"{there} takes no new files")
        except OSError as error:
            raise StoreError(f"store: {self.path} cannot be written: {error.strerror}; give another path") from None
        self._read()

    def rows(self) -> list[dict[str, Any]]:
        """Every row, in the order of adding; warns of lines that are none.

        Raises:
            StoreError: the file is something else.
        """
        self._read()
        self._tell_of_torn_lines()
        return list(self._rows)

    def __len__(self) -> int:
        return len(self.rows())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def find(self, **what: Any) -> list[dict[str, Any]]:
        """The rows whose columns have these values: `store.find(network="ResNet-50", batch=64)`.

        An index of these columns is kept from call to call: among 100,000 rows it takes no longer than among ten.

        Raises:
            StoreError: the file is something else.
        """
        self._read()
        self._tell_of_torn_lines()
        if not all(isinstance(value, Hashable) for value in what.values()):  # a list or a dict
            return [row for row in self._rows if all(name in row and row[name] == what[name] for name in what)]
        names = tuple(sorted(what))
        index = self._indexes.setdefault(names, _Index(names))
        return index.find(self._rows, tuple(what[name] for name in names))

    def frame(self) -> pd.DataFrame:
        """One row a measurement, in the order of adding; a column that a row lacks is missing there."""
        return pd.DataFrame(self.rows())

    def _holds(self, unless: Callable[[], bool], file: Any) -> bool:
        """What `unless` says of all rows; `file` is locked, so that there will be no others meanwhile."""
        self._take_lines(self._unread(file))
        self._alone = True
        try:
            return unless()
        finally:
            self._alone = False

    def _read(self) -> None:
        """What was added since the last reading."""
        if self._alone:  # opening the file again would wait for our own lock
            return
        try:
            with self.path.open("rb") as file, _locked(file, shared=True):
                data = self._unread(file)
        except FileNotFoundError:
            self._forget()
            return
        self._take_lines(data)

    def _unread(self, file: Any) -> bytes:
        if os.fstat(file.fileno()).st_size < self._read_to:
            self._forget()  # another file has taken its place
        file.seek(self._read_to)
        return file.read()

    def _take_lines(self, data: bytes) -> None:
        self._torn = [
            line for line in self._torn if line <= self._lines
        ]  # what ended no line may since have been ended
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._lines += 1
            if line.strip() and not self._take(line):
                self._torn.append(self._lines)
        self._read_to += len(data)
        if rest and not self._take(rest):  # a row that lacks its newline is all there: it ends with its brace
            self._torn.append(self._lines + 1)
            self._read_to -= len(rest)
        if len(self._torn) > 1 and not self._rows:
            raise StoreError(f"store: {self.path} is no store of measurements, but something else; give another path")

    def _take(self, line: bytes) -> bool:
        try:
            row = json.loads(line)
        except ValueError:
            return False
        if isinstance(row, dict):
            self._rows.append(row)
        return isinstance(row, dict)

    def _forget(self) -> None:
        self._rows, self._indexes, self._torn, self._read_to, self._lines = [], {}, [], 0, 0

    def _tell_of_torn_lines(self) -> None:
        if self._torn:
            some = ", ".join(map(str, self._torn[:5])) + ("…" if len(self._torn) > 5 else "")
            warnings.warn(
                f"store: {self.path}: line {some} is no whole row, as a writer that is killed leaves it; passed over",
                StoreWarning,
                stacklevel=3,
            )


class _Index:
    """Rows by their values in some columns; it grows with the rows, and each of them is looked at once."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._found: dict[tuple, list[dict[str, Any]]] = {}
        self._seen = 0

    def find(self, rows: list[dict[str, Any]], values: tuple) -> list[dict[str, Any]]:
        for row in rows[self._seen :]:
            self._enter(row)
        self._seen = len(rows)
        return list(self._found.get(values, ()))

    def _enter(self, row: dict[str, Any]) -> None:
        # A row that lacks a column is not found by it; nor is one that holds a list there found by a number.
        with contextlib.suppress(KeyError, TypeError):
            self._found.setdefault(tuple(row[name] for name in self._names), []).append(row)


def network_id(network: Network) -> str:
    """Twelve hexadecimal digits that tell networks apart by what they compute, whatever they are called."""
    described = {key: value for key, value in network.to_dict().items() if key not in ("name", "scaling")}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]


def _line(row: Mapping[str, Any] | Measurement) -> str:
    row = row.to_dict() if isinstance(row, Measurement) else row
    if not isinstance(row, Mapping):
        raise StoreError(f"store: a row is a Measurement or a dict, but this is {row!r}; give its to_dict(), if it has")
    try:
        return json.dumps(dict(row), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"store: this row cannot be kept as JSON ({error}); give plain numbers, texts and None"
        ) from None


def _ends_a_line(file: Any, size: int) -> bool:
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _write_all(file: Any, data: bytes) -> None:
    """One write as a rule; the system may take less, as when the disk is full."""
    while data:
        data = data[file.write(data) :]


@contextlib.contextmanager
def _locked(file: Any, shared: bool = False) -> Iterator[None]:
    """Alone with the file, or among readers; a lock goes with the process that holds it."""
    if fcntl is None:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    """A new file's name, too, is to be on the disk."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
