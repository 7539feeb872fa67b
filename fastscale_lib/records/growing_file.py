"""Lines of a file that others append to, each read once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO

_REMEMBERED = 4096  # bytes at either end of what was read, by which a file is recognised


class GrowingFile:
    """The position to which a file was read, its identity, and its `torn` lines (from 1)."""

    def __init__(self) -> None:
        self.torn: list[int] = []
        self._lines = 0
        self._read_to = 0  # bytes
        self._head = self._tail = b""  # of what was read
        self._status: os.stat_result | None = None  # of the file, when it was last read

    def unread(self, file: IO[bytes]) -> bytes | None:
        """Read what follows the lines that were taken; None if this is another file.

        A file is recognised by device and inode, by its beginning, by the end of what was read and, if the size is the
        same, by its times.
        """
        status = os.fstat(file.fileno())
        known = self._status
        if known is not None and not self._recognise(file, known, status):
            return None
        self._status = status
        file.seek(self._read_to)
        return file.read()

    def take(self, data: bytes, take_line: Callable[[bytes], bool]) -> None:
        """Pass new lines, from `unread`, to a function that returns whether a line is whole.

        Those that are not are `torn`. Such a last line without its newline is read again next time.
        """
        self.torn = [line for line in self.torn if line <= self._lines]  # the last one may since have been completed
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._lines += 1
            if line.strip() and not take_line(line):
                self.torn.append(self._lines)
        taken = len(data)
        if rest and not take_line(rest):
            self.torn.append(self._lines + 1)
            taken -= len(rest)
        self._read_to += taken
        if len(self._head) < _REMEMBERED:
            self._head = (self._head + data[: min(taken, _REMEMBERED)])[:_REMEMBERED]
        self._tail = (self._tail + data[max(0, taken - _REMEMBERED) : taken])[-_REMEMBERED:]

    def _recognise(self, file: IO[bytes], known: os.stat_result, status: os.stat_result) -> bool:
        if not os.path.samestat(known, status) or status.st_size < self._read_to:
            return False
        if status.st_size == known.st_size and _times(status) != _times(known):
            return False
        file.seek(0)
        if file.read(len(self._head)) != self._head:
            return False
        file.seek(self._read_to - len(self._tail))
        return file.read(len(self._tail)) == self._tail


def _times(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_ctime_ns
