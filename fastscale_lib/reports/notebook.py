"""The start of every notebook: parameters checked, figures shown offline, files found."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from ..figures.theme import offline
from ..records.published_rows import data_folder
from .parameter_types import ParameterError
from .parameters import settle


class Inputs(NamedTuple):
    """The files that a notebook reads, by its parameters data (`folder`) and `stores`.

    The folder holds published/, measured/ and training/; by default it is that of fastscale.
    """

    folder: Path
    stores: list[Path]

    def _ipython_display_(self) -> None:
        """Show nothing where a cell ends with `start`: paths tell a reader nothing."""

    def shipped(self, under: str = "") -> list[Path]:
        """List the stores of the data folder, by name.

        Arguments:
            under: a folder in measured/; default: "", measured/ itself.
        """
        return sorted((self.folder / "measured" / under).glob("*.jsonl"))

    def measured(self, under: str = "") -> list[Path]:
        """List the stores of the data folder, and then your own.

        Arguments:
            under: a folder in measured/; default: "", measured/ itself.
        """
        return [*self.shipped(under), *self.stores]


def start(namespace: MutableMapping[str, Any]) -> Inputs:
    """Check a notebook's parameters, show its figures without a network, and find its files.

    Call it after the parameters, as `fs.reports.start(globals())`. Values that plain papermill passes as strings are
    converted to the types in the parameters cell. The parameters data (a folder; default: that of fastscale) and stores
    (files) say what is read.

    Arguments:
        namespace: `globals()` of the notebook.

    Raises:
        ParameterError: (a ValueError) a value is of another type, or is not allowed; or data is no folder.
        PublishedError: (a ValueError) the data of fastscale are not found.
    """
    settle(namespace)
    offline()
    named = namespace.get("data", "")
    if named and not Path(named).is_dir():
        raise ParameterError(
            f"data is {named!r:.80}, but must be a folder that is there; leave it empty for fastscale's own"
        )
    folder = Path(named) if named else data_folder()
    return Inputs(folder, [Path(each) for each in namespace.get("stores", [])])
