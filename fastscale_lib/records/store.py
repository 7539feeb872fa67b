"""The store of rows: an append-only file of JSON Lines, safe for several writers.

When `add` returns, the whole row is on the disk. If a killed writer left half a row at the end of the file, readers
skip it with a warning, and the next row starts on a new line.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import IO, Any

import pandas as pd

from .._common.checks import check_path, shown
from .._common.device_kinds import short_name
from .._common.errors import FastscaleError
from .._common.files import end_of_links, sync_folder, trial
from .._common.locks import is_at, locked, one_thread
from .conditions import with_cuda_graph
from .growing_file import GrowingFile
from .measurement import Measurement, without_range

_BEFORE_A_ROW = b"\xef\xbb\xbf \t\0"  # an editor's mark, blanks, and what a disk that lost its power leaves


class StoreWarning(UserWarning):
    """Lines of a store that are not rows, and were skipped."""


class StoreError(FastscaleError, ValueError):
    """A row that cannot be stored, or a file that is not a store; the message says why.

    Attributes:
        row: the row, if it is good but the file cannot take it, as on a full disk, so that the caller can keep it
            elsewhere or add it again; else None.
        cause: the system's message about the file; else None.
    """

    def __init__(self, message: str, row: dict[str, Any] | None = None, cause: str | None = None) -> None:
        super().__init__(message)
        self.row, self.cause = row, cause


class Store:
    """Rows of measurements in a file, one JSON object per line, in the order of adding.

    Several processes may add to one file at the same time, and several machines if their file system has locks; so may
    several threads, with one `Store` or one each. Only `add` writes, and it changes and removes nothing. If the file
    was replaced, as by rotating or restoring it, or written anew, the rows are those that are in it now. Rows with
    fewer than 6 blocks of runs have no 95 % interval: their low_ms and high_ms are None, even if an older file has
    their range. Older rows, which do not say whether a CUDA graph was replayed, have `cuda_graph` False.

    Arguments:
        path: path of the file, which is made with the first row.

    Raises:
        StoreError: no file can have this name.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = check_path("store: path", path, StoreError)
        self._forget()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def add(self, row: Mapping[str, Any] | Measurement, unless: Callable[[], bool] | None = None) -> bool:
        """Append a row, and return once it is on the disk.

        Arguments:
            row: a mapping of columns to plain values; or a `Measurement`, whose fields are the columns.
            unless: called while no other writer can add; if it returns True, nothing is added. With a function that
                looks for the row by `find`, only one of several writers adds it. default: the row is added.

        Returns:
            Whether the row was added.

        Raises:
            StoreError: the row is not a mapping, or has a value that JSON lacks, such as NaN; the file is not a store;
                or it cannot take the row, for example because the disk is full: then the error has it as `row`.
        """
        row, data = _row_and_line(row)
        with self._used():
            try:
                return self._append(data, unless)
            except OSError as error:
                cause = error.strerror or str(error)
                raise StoreError(
                    f"store: {self.path} cannot take a row ({cause}); those before are kept; make room, or give "
                    "another path",
                    row,
                    cause,
                ) from None

    def check(self) -> None:
        """Raise a StoreError if rows cannot be added; nothing is written."""
        with self._used():
            try:
                if self._is_there():
                    with self.path.open("ab") as file, locked(file):
                        pass
                else:
                    with trial(self.path) as file, locked(file):
                        pass
            except OSError as error:
                cause = error.strerror or str(error)
                raise StoreError(
                    f"store: {self.path} cannot be written: {cause}; give another path", cause=cause
                ) from None
            self._read()

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows, in the order of adding; warn (StoreWarning) of lines that are not rows."""
        with self._used():
            self._read()
            self._warn_of_torn_lines()
            return list(self._rows)

    def __len__(self) -> int:
        return len(self.rows())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def find(self, **what: Any) -> list[dict[str, Any]]:
        """Return the rows with these values: `store.find(network="ResNet-50", batch=64)`.

        An index of these columns is kept from call to call, so that 100,000 rows take no longer than ten.

        Arguments:
            what: values by column.
        """
        what = _with_pair(what)
        with self._used():
            self._read()
            self._warn_of_torn_lines()
            if not all(isinstance(value, Hashable) for value in what.values()):  # a list or a dict
                # Arrays, for instance, would compare item by item, and no row can have them.
                plain = {
                    name: value if isinstance(value, list | dict | Hashable) else object()
                    for name, value in what.items()
                }
                return [row for row in self._rows if all(name in row and row[name] == plain[name] for name in plain)]
            names = tuple(sorted(what))
            index, seen = self._indexes.get(names, ({}, 0))
            for row in self._rows[seen:]:
                with contextlib.suppress(KeyError, TypeError):  # rows without a column, or with a list there
                    index.setdefault(tuple(row[name] for name in names), []).append(row)
            self._indexes[names] = index, len(self._rows)
            return list(index.get(tuple(what[name] for name in names), ()))

    def frame(self) -> pd.DataFrame:
        """Return the rows as a frame; columns that a row lacks are missing there."""
        return pd.DataFrame(self.rows())

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        """Exclude other threads; forget what was read if the block ends with an exception."""
        with one_thread():
            if self._process != os.getpid():  # forked, perhaps while another thread was reading
                self._forget()
            try:
                yield
            except BaseException:  # even Ctrl-C may come between a row and the count of what was read
                self._forget()
                raise

    def _append(self, data: bytes, unless: Callable[[], bool] | None) -> bool:
        while True:
            self._is_there()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b", buffering=0) as file, locked(file):
                if not is_at(file, self.path):  # the file was replaced while this waited for the lock
                    continue
                self._take_lines(self._unread(file))
                if unless is not None and unless():
                    return False
                self._write(file, data)
                if is_at(file, self.path):  # else the row went into a file that has just been rotated away
                    return True

    def _write(self, file: IO[bytes], data: bytes) -> None:
        """Write the whole line to the disk, or nothing."""
        size = file.seek(0, os.SEEK_END)
        try:
            if size and not _ends_a_line(file, size):
                data = b"\n" + data  # a writer was killed in the middle of a row
            _write_all(file, data)
            os.fsync(file.fileno())
            if not size:
                sync_folder(end_of_links(self.path).parent)
        except BaseException:
            with contextlib.suppress(OSError):
                file.truncate(size)
            raise

    def _is_there(self) -> bool:
        """Return whether the file exists; refuse pipes and devices, which may block when opened."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder fails with the system's message
            raise OSError(errno.EINVAL, "it is no plain file")
        return True

    def _read(self) -> None:
        """Read the rows that were added since the last reading; all, if the file is another."""
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
            cause = error.strerror or str(error)
            raise StoreError(f"store: {self.path} cannot be read: {cause}; give another path", cause=cause) from None
        self._take_lines(data)

    def _unread(self, file: IO[bytes]) -> bytes:
        data = self._file.unread(file)
        while data is None:  # the file is another
            self._forget()
            data = self._file.unread(file)
        return data

    def _take_lines(self, data: bytes) -> None:
        self._file.take(data, self._take)
        if not self._rows and (self._has_other_lines or len(self._file.torn) > 1):
            raise StoreError(f"store: {self.path} is no store of measurements, but something else; give another path")

    def _take(self, line: bytes) -> bool:
        self._has_other_lines |= not line.lstrip(_BEFORE_A_ROW).startswith(b"{")  # a torn row begins as a row
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if isinstance(row, dict):
            self._rows.append(_with_short_names(_with_pair(with_cuda_graph(without_range(row)))))
        return isinstance(row, dict)

    def _forget(self) -> None:
        self._rows: list[dict[str, Any]] = []
        # Rows by their values in some columns, and how many rows were entered.
        self._indexes: dict[tuple[str, ...], tuple[dict[tuple, list[dict[str, Any]]], int]] = {}
        self._has_other_lines = False
        self._file = GrowingFile()
        self._process = os.getpid()

    def _warn_of_torn_lines(self) -> None:
        if torn := self._file.torn:
            some = ", ".join(map(str, torn[:5])) + ("…" if len(torn) > 5 else "")
            warnings.warn(
                f"store: {self.path}: line {some} is no whole row, as a writer that is killed leaves it; skipped",
                StoreWarning,
                stacklevel=3,
            )


def _with_pair(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with a pair (height, width), which JSON has as a list, as a network has it."""
    resolution = row.get("resolution")
    return {**row, "resolution": tuple(resolution)} if isinstance(resolution, list) else row


def _with_short_names(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with short names of devices, which older rows have as their makers do."""
    names = {name: short_name(row[name]) for name in ("device_name", "cpu_name") if isinstance(row.get(name), str)}
    return {**row, **names}


def _row_and_line(row: Mapping[str, Any] | Measurement) -> tuple[dict[str, Any], bytes]:
    row = row.to_dict() if isinstance(row, Measurement) else row
    if not isinstance(row, Mapping):
        raise StoreError(
            f"store: a row is a Measurement or a dict, but this is {shown(row)}; give its to_dict(), if it has one"
        )
    row = dict(row)
    if odd := [name for name in row if not isinstance(name, str)]:
        raise StoreError(f"store: names of columns are strings, but one is {shown(odd[0])}; give its str()")
    try:
        return row, (_json_line(row) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"store: this row cannot be kept as JSON ({error!s:.200}); give plain numbers, strings and None"
        ) from None


def _json_line(row: dict[str, Any]) -> str:
    # Half a surrogate pair, as in file names that are not UTF-8, is written as an escape.
    text = json.dumps(row, allow_nan=False, ensure_ascii=False)
    if text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text):
        return text
    escaped = json.dumps(row, allow_nan=False)
    if json.loads(escaped) != json.loads(text):
        raise ValueError("a string has both halves of a surrogate pair, which would come back as one character")
    return escaped


def _ends_a_line(file: IO[bytes], size: int) -> bool:
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _write_all(file: IO[bytes], data: bytes) -> None:
    while data:  # the system may write only a part, as when the disk is full
        data = data[file.write(data) :]
