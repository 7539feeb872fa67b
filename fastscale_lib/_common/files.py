"""Writing files whole or not at all, and checking whether a place takes new files."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # on Windows, which does not remove an open file
    fcntl = None

_PART = ".part"
_LONGEST = 60  # characters of a name that its temporary file repeats: names may have 255 bytes
_TRIES = 5
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)


def write_whole(path: Path, data: bytes | memoryview | str) -> None:
    """Replace a file's content in one step: readers see the old file or the new, never a mix.

    Missing folders are made, links are followed, and strings are written in UTF-8. After an OSError the old file is
    still there. A writer that is killed leaves a hidden temporary file ending in ".part" beside the path. The next
    writer removes it, but not that of a living writer, which holds a lock on it.
    """
    data = data.encode() if isinstance(data, str) else data
    for left in reversed(range(_TRIES)):
        end = end_of_links(path)
        try:
            end.parent.mkdir(parents=True, exist_ok=True)
            remove_parts(end)
            _replace(end, data)
            return
        except FileNotFoundError:
            # Another process has removed the folder while it was empty, or our file before it was locked.
            if not left:
                raise


def write_new(paths: Iterable[Path], data: str) -> Path:
    """Write a string to the first of these paths that does not exist yet, and return that path.

    After an OSError no part of it is left.
    """
    for path in paths:
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:  # perhaps only now: two processes may write at a time
            continue
        try:
            with file:
                file.write(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def end_of_links(path: Path) -> Path:
    """Follow a link to where the file is or will be; raise FileNotFoundError without its folder."""
    if not path.is_symlink():
        return path
    end = Path(os.path.realpath(path))
    if not end.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"it is a link to {end}, whose folder does not exist")
    return end


def remove_parts(path: Path) -> None:
    """Remove the temporary files of killed writers of this path; keep those of living ones."""
    part = re.compile(re.escape(_prefix(path)) + r"\w{8}" + re.escape(_PART))
    with contextlib.suppress(OSError):
        for each in os.scandir(path.parent):
            if part.fullmatch(each.name):
                _remove_unless_in_use(each.path)


@contextlib.contextmanager
def trial(path: Path) -> Iterator[IO[bytes]]:
    """Open an unnamed file in the nearest folder of a path; raise OSError if it takes none."""
    path = end_of_links(path).absolute()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    folder = next(each for each in path.parents if os.path.lexists(each))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"{folder} takes no new files")
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (errors of the caller's block pass unchanged)
    except OSError as error:
        raise OSError(error.errno, f"{folder} takes no new files: {error.strerror}") from None
    with file:
        yield file


def sync_folder(folder: Path) -> None:
    """Flush the names of a folder's files to the disk, if the file system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _replace(path: Path, data: bytes | memoryview) -> None:
    # tempfile is no use here: only the owner may read its files.
    part = path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}{_PART}")
    try:
        with part.open("xb") as file:
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks, where nobody removes it either
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    sync_folder(path.parent)


def _prefix(path: Path) -> str:
    return f".{path.name[:_LONGEST]}-"


def _remove_unless_in_use(part: str) -> None:
    # A lock ends with the process that holds it: a file that can be locked has no living writer.
    with contextlib.suppress(OSError):  # it is locked or gone, or the file system has no locks
        with open(part, "r+b") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(part)
                return
        os.unlink(part)
