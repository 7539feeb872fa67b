"""Rows that outlive the process that made them: an append-only file of JSON Lines, safe for several writers.

A row counts once `add` has returned: by then it is on the disk, whole. What a killed writer left behind, half a row
at the end of the file, is passed over and told of, and the next row starts on a line of its own.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import pandas as pd

from .._common.checks import check_path, shown
from .._common.errors import FastscaleError
from .._common.files import end_of_links, sync_folder, trial
from .._common.locks import is_at, locked, one_thread
from .measurement import Measurement, without_range

_REMEMBERED = 4096  # bytes at either end of what was read, by which a file is known again


class StoreWarning(UserWarning):
    """Lines of a store that are no rows, and were passed over."""


class StoreError(FastscaleError, ValueError):
    """A row that cannot be stored, or a file that is no store; the message says which and why.

    Attributes:
        row: what was to be added, where nothing is wrong with it but the file cannot take it, as on a full disk: the
            caller can keep it elsewhere, or add it again. Else None.
        said: what the system said of the file, else None.
    """

    def __init__(self, message: str, row: dict[str, Any] | None = None, said: str | None = None) -> None:
        super().__init__(message)
        self.row, self.said = row, said


class Store:
    """Measurements in a file, one JSON object a line, in the order in which they were added.

    Arguments:
        path: of the file, which is made with the first row.

    Raises:
        StoreError: no file can be called so.

    Several processes may add to one file at a time, and several machines where their file system keeps locks; so may
    several threads, by one `Store` or by one each. Rows are plain dicts; nothing but `add` writes, and it changes and
    removes nothing. Where another file has taken the place of the one that was read, as by rotating or restoring it,
    or where it was written anew, the rows are those that are in it now. Rows of fewer than 6
    blocks of runs have no 95 % interval: their low_ms and high_ms are None, also where an older file has their range.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = check_path("store: path", path, StoreError)
        self._forget()

    def add(self, row: Mapping[str, Any] | Measurement, unless: Callable[[], bool] | None = None) -> bool:
        """Append a row, and return once it is on the disk.

        Arguments:
            row: plain; or a `Measurement`, whose columns these then are.
            unless: asked first, while no other writer can add: where it finds that the store holds what it needs, as
                by `find`, nothing is added. So of several writers of one row, one adds it.

        Returns:
            Whether the row was added.

        Raises:
            StoreError: this is no row, or holds what JSON does not, as NaN; or the file is something else; or it
                cannot take the row, as where the disk is full: the row does not count, and is the error's `row`.
        """
        row, data = _row_and_line(row)
        with self._used():
            try:
                return self._append(data, unless)
            except OSError as error:
                said = error.strerror or str(error)
                raise StoreError(
                    f"store: {self.path} cannot take a row ({said}); those before are kept; make room, or give another "
                    "path",
                    row,
                    said,
                ) from None

    def check(self) -> None:
        """See before the work whether its rows can be kept, and locked; this writes nothing, and leaves no file.

        Raises:
            StoreError: the file is something else, or it, or its folder, cannot be written to, or gives no locks.
        """
        with self._used():
            try:
                if self._is_there():
                    with self.path.open("ab") as file, locked(file):
                        pass
                else:
                    with trial(self.path) as file, locked(file):
                        pass
            except OSError as error:
                said = error.strerror or str(error)
                raise StoreError(
                    f"store: {self.path} cannot be written: {said}; give another path", said=said
                ) from None
            self._read()

    def rows(self) -> list[dict[str, Any]]:
        """Every row, in the order of adding; warns of lines that are none.

        Raises:
            StoreError: the file is something else, or cannot be read.
        """
        with self._used():
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
            StoreError: the file is something else, or cannot be read.
        """
        with self._used():
            self._read()
            self._tell_of_torn_lines()
            if not all(isinstance(value, Hashable) for value in what.values()):  # a list or a dict
                plain = {name: _plain_value(value) for name, value in what.items()}
                return [row for row in self._rows if all(name in row and row[name] == plain[name] for name in plain)]
            names = tuple(sorted(what))
            index = self._indexes.setdefault(names, _Index(names))
            return index.find(self._rows, tuple(what[name] for name in names))

    def frame(self) -> pd.DataFrame:
        """One row a measurement, in the order of adding; a column that a row lacks is missing there."""
        return pd.DataFrame(self.rows())

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        """Alone among the threads of this process; what was read is forgotten where the use of it breaks off."""
        with one_thread():
            if self._process != os.getpid():  # forked, perhaps while another thread was reading
                self._forget()
            try:
                yield
            except BaseException:  # Ctrl-C, too, may come between a row and the count of what was read
                self._forget()
                raise

    def _append(self, data: bytes, unless: Callable[[], bool] | None) -> bool:
        while True:
            self._is_there()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b", buffering=0) as file, locked(file):
                if not is_at(file, self.path):  # replaced while this waited for its turn
                    continue
                self._take_lines(self._unread(file))
                if unless is not None and unless():
                    return False
                self._write(file, data)
                if is_at(file, self.path):  # else the row went into a file that was just rotated away
                    return True

    def _write(self, file: Any, data: bytes) -> None:
        """The whole line to the disk, or nothing: a part of it is taken back."""
        size = file.seek(0, os.SEEK_END)
        try:
            if size and not _ends_a_line(file, size):
                data = b"\n" + data  # a writer was killed in the middle of its row
            _write_all(file, data)
            os.fsync(file.fileno())
            if not size:
                sync_folder(end_of_links(self.path).parent)
        except BaseException:
            with contextlib.suppress(OSError):
                file.truncate(size)
            raise

    def _is_there(self) -> bool:
        """Whether there is a file; a pipe or a device, which may keep who opens it waiting, is refused."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # what a folder is, the system says
            raise OSError(errno.EINVAL, "it is no plain file")
        return True

    def _read(self) -> None:
        """What was added since the last reading, or all where the file is another."""
        try:
            if not self._is_there():
                self._forget()
                return
            with self.path.open("rb") as file, locked(file, shared=True):
                data = self._unread(file)
        except FileNotFoundError:
            self._forget()
            return
        except OSError as error:
            said = error.strerror or str(error)
            raise StoreError(f"store: {self.path} cannot be read: {said}; give another path", said=said) from None
        self._take_lines(data)

    def _unread(self, file: Any) -> bytes:
        """What follows the lines that were read, if these are still what the file begins with."""
        status = os.fstat(file.fileno())
        data = self._after_what_was_read(file, status)
        if data is None:
            self._forget()
            file.seek(0)
            data = file.read()
        self._status = status
        return data

    def _after_what_was_read(self, file: Any, status: os.stat_result) -> bytes | None:
        """None where the file is another, or was written anew.

        Rows are not read again for that: it is told by device and inode, by the beginning of the file, by the end of
        what was read, and, where the size is the same, by its times.
        """
        known = self._status
        if known is None or not os.path.samestat(known, status) or status.st_size < self._read_to:
            return None
        if status.st_size == known.st_size and _times(status) != _times(known):
            return None
        file.seek(0)
        if file.read(len(self._head)) != self._head:
            return None
        file.seek(self._read_to - len(self._tail))
        data = file.read()
        return data[len(self._tail) :] if data.startswith(self._tail) else None

    def _take_lines(self, data: bytes) -> None:
        self._torn = [
            line for line in self._torn if line <= self._lines
        ]  # what ended no line may since have been ended
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._lines += 1
            if line.strip() and not self._take(line):
                self._torn.append(self._lines)
        taken = len(data)
        if rest and not self._take(rest):  # a row that lacks its newline is all there: it ends with its brace
            self._torn.append(self._lines + 1)
            taken -= len(rest)
        self._read_to += taken
        if len(self._head) < _REMEMBERED:
            self._head = (self._head + data[: min(taken, _REMEMBERED)])[:_REMEMBERED]
        self._tail = (self._tail + data[max(0, taken - _REMEMBERED) : taken])[-_REMEMBERED:]
        if len(self._torn) > 1 and not self._rows:
            raise StoreError(f"store: {self.path} is no store of measurements, but something else; give another path")

    def _take(self, line: bytes) -> bool:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if isinstance(row, dict):
            self._rows.append(without_range(row))
        return isinstance(row, dict)

    def _forget(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._indexes: dict[tuple[str, ...], _Index] = {}
        self._torn: list[int] = []
        self._lines = 0
        self._read_to = 0  # bytes
        self._head = self._tail = b""  # of what was read
        self._status: os.stat_result | None = None  # of the file, when it was last read
        self._process = os.getpid()

    def _tell_of_torn_lines(self) -> None:
        if self._torn:
            some = ", ".join(map(str, self._torn[:5])) + ("…" if len(self._torn) > 5 else "")
            warnings.warn(
                f"store: {self.path}: line {some} is no whole row, as a writer that is killed leaves it; passed over",
                StoreWarning,
                stacklevel=3,
            )


def _plain_value(value: Any) -> Any:
    """The value, or one that no row has where it is nothing that a row can hold: arrays compare item by item."""
    return value if isinstance(value, list | dict) else object()


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


def _row_and_line(row: Mapping[str, Any] | Measurement) -> tuple[dict[str, Any], bytes]:
    row = row.to_dict() if isinstance(row, Measurement) else row
    if not isinstance(row, Mapping):
        said = shown(row)
        raise StoreError(f"store: a row is a Measurement or a dict, but this is {said}; give its to_dict(), if it has")
    row = dict(row)
    if odd := [name for name in row if not isinstance(name, str)]:
        raise StoreError(f"store: the columns of a row have texts as names, but one is {shown(odd[0])}; give its str()")
    try:
        return row, (_text(row) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"store: this row cannot be kept as JSON ({error!s:.200}); give plain numbers, texts and None"
        ) from None


def _text(row: dict[str, Any]) -> str:
    """One line of JSON. Half a surrogate pair, as in names of files that are no UTF-8, is written as an escape."""
    text = json.dumps(row, allow_nan=False, ensure_ascii=False)
    if text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text):
        return text
    escaped = json.dumps(row, allow_nan=False)
    if json.loads(escaped) != json.loads(text):
        raise ValueError("a text has both halves of a surrogate pair, which would come back as one letter")
    return escaped


def _ends_a_line(file: Any, size: int) -> bool:
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _write_all(file: Any, data: bytes) -> None:
    """One write as a rule; the system may take less, as when the disk is full."""
    while data:
        data = data[file.write(data) :]


def _times(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_ctime_ns
