"""A process that adds rows to a store until it is killed, forked from one that has loaded the library once."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, NamedTuple

from fastscale_lib.records.store import Store


class Writer(NamedTuple):
    """The process, and what it says: "ready", then the number of each row once it is added, a line each."""

    process: BaseProcess
    said: IO[str]


def start_writer(path: Path, name: str) -> Writer:
    """Start a process that adds rows of this writer, numbered on from those that are there."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([Store.__module__, "pytest"])  # pytest is the main module of each
    reader, writer = forks.Pipe(duplex=False)
    process = forks.Process(target=add_rows, args=(path, name, writer), daemon=True)
    process.start()
    writer.close()  # so that the lines end with the process
    return Writer(process, os.fdopen(os.dup(reader.fileno())))


def add_rows(path: Path, name: str, writer: Connection) -> None:
    """Add rows for ever."""
    warnings.simplefilter("ignore")  # of what those before were killed in the midst of
    store = Store(path)
    number = len(store.find(writer=name))
    os.write(writer.fileno(), b"ready\n")
    while True:
        store.add({"writer": name, "n": number, "text": "x" * (number % 7) * 1000})
        os.write(writer.fileno(), f"{number}\n".encode())  # in one write: a kill leaves all of it or nothing
        number += 1
