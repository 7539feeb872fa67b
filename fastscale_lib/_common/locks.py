"""Taking turns at a file: among the threads of this process, and among processes."""

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
except ImportError:  # Windows, where one process may write at a time
    fcntl = None

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
# One for all files: a file may have several names, and a lock on a file does not tell threads apart everywhere (NFS
# makes of it one that the process has as a whole).
_threads = threading.RLock()
_held: set[tuple[int, int]] = set()  # device and inode of the files that this process has locked


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Alone among the threads of this process; a thread that is already may come in again."""
    with _threads:
        yield


@contextlib.contextmanager
def locked(file: Any, shared: bool = False) -> Iterator[None]:
    """Alone with an open file, or among readers, for one who is alone among the threads.

    A lock goes with the process that holds it. Taken once more by its holder, as where `unless` reads the store, it
    locks nothing: that would wait for itself. Readers need no lock where a file system has none, as rows are only ever
    appended: at worst the last is not whole yet, and is read again.

    Raises:
        OSError: the file system has no locks.
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
            said = f"its file system gives no locks, by which writers take turns: {error.strerror}"
            raise OSError(error.errno, said) from None
        yield
        return
    _held.add(which)
    try:
        yield
    finally:
        _held.discard(which)
        fcntl.flock(file, fcntl.LOCK_UN)


def is_at(file: Any, path: Path) -> bool:
    """Whether the path still leads to this open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _begin_anew_after_a_fork() -> None:
    """The child has none of the threads that may have held the lock."""
    global _threads
    _threads = threading.RLock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_a_fork)
