"""The explorers of a notebook's cells: one whose cells have all run again is let go.

A cell that runs again replaces what it showed, but nobody tells the widgets that were shown: they would live, and
measure, as long as the kernel.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from IPython import get_ipython


class Closable(Protocol):
    """What is shown and can be let go: an explorer."""

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Cells:
    """The explorers of a kernel, and in which run of which cell each was shown.

    An explorer that was never shown by itself, as one in a box of the user's, belongs to the cell that made it.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._seen: weakref.WeakKeyDictionary[Closable, dict[str, str]] = weakref.WeakKeyDictionary()
        self._shown: weakref.WeakSet[Closable] = weakref.WeakSet()
        shell.events.register("post_run_cell", self._after_a_cell)

    def note_made(self, explorer: Closable) -> None:
        """Note that the cell that runs has made this explorer."""
        self._seen[explorer] = self._present()

    def note_shown(self, explorer: Closable) -> None:
        """Note that the cell that runs shows this explorer."""
        if explorer not in self._shown:
            self._shown.add(explorer)
            self._seen[explorer] = {}
        self._seen[explorer] |= self._present()

    def _present(self) -> dict[str, str]:
        """Return the cell that runs, and its run; nothing where cells have no ids."""
        message = self._shell.get_parent() or {}
        cell = message.get("metadata", {}).get("cellId")
        return {cell: message["header"]["msg_id"]} if cell else {}

    def _after_a_cell(self, result: Any) -> None:
        for cell, run in self._present().items():
            for explorer, cells in list(self._seen.items()):
                if cells.get(cell, run) != run:  # an earlier run showed it, this one has not
                    del cells[cell]
                    if not cells:
                        self._let_go(explorer)

    def _let_go(self, explorer: Closable) -> None:
        """Stop its work; end it as well, unless a variable of the notebook holds it."""
        variables = self._shell.user_ns.items()
        named = any(value is explorer for name, value in variables if not name.startswith("_"))
        if named or explorer not in self._shown:
            explorer.stop()
        else:
            explorer.close()


_CELLS: Cells | None = None


def cells() -> Cells | None:
    """Return the cells of this kernel; None where there is none, as in a test or a script."""
    global _CELLS
    shell = get_ipython()
    if _CELLS is None and hasattr(shell, "kernel"):
        _CELLS = Cells(shell)
    return _CELLS
