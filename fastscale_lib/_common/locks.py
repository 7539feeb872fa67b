"""Locks on a file, between the threads of this process and between processes."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # on Windows, where only one process may write
    fcntl = None

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
# One lock for all files: a file may have several names, and file locks do not exclude threads everywhere (on NFS a
# lock belongs to the whole process).
_threads = threading.RLock()
_held: set[tuple[int, int]] = set()  # device and inode of the files that this process has locked


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Exclude the other threads of this process; the same thread may enter again."""
    with _threads:
        yield


@contextlib.contextmanager
def locked(file: Any, shared: bool = False) -> Iterator[None]:
    """Lock an open file against other processes (shared: only writers), within `one_thread`.

    Taking it again has no effect, so that `unless` can read the store that it is asked by. Where a file system has no
    locks, a writer gets an OSError. Readers go on without one: rows are only ever appended, so at worst the last is not
    whole yet and is read again.
    """
    status = os.fstat(file.fileno())
    which = status.st_dev, status.st_ino
    if fcntl is None or which in _held:
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        if not shared:
            message = f"its file system has no locks, by which writers take turns: {error.strerror}"
            raise OSError(error.errno, message) from None
        yield
        return
    _held.add(which)
    try:
        yield
    finally:
        _held.discard(which)
        fcntl.flock(file, fcntl.LOCK_UN)


def is_at(file: Any, path: Path) -> bool:
    """Return whether the path still leads to this open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _reset_after_fork() -> None:
    global _threads  # the child has none of the threads that may have held the lock
    _threads = threading.RLock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
