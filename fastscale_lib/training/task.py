"""One training: what is trained, its identity, and where rows and checkpoint go."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._common.checks import check_whole
from .._common.errors import first_line
from .._common.files import remove_parts, trial
from .._common.wording import counted
from ..architectures.definition import Network
from ..architectures.parts import NetworkError
from ..architectures.resolutions import both_sides, size_text
from ..architectures.traced.module_family import Family
from ..architectures.traced.modules import is_module
from ..records.measurement import MeasureError, SettingError
from ..records.store import Store, StoreError
from ..scaling.module_scaling import network_or_family
from .datasets import ImageData, dataset
from .recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from ..measuring.device_classes import Device

Row = dict[str, Any]


class TrainingError(MeasureError):
    """A training did not end; the message says why, and what is kept.

    `reason` is "diverged" (the loss is no number), "out of memory", "disk" (a row or a checkpoint cannot be written)
    or "checkpoint" (a file is none, or that of another training).
    """


@dataclass(frozen=True)
class Task:
    """A training to run: network, data, recipe, seed, device."""

    network: Network | Family
    data: ImageData
    recipe: Recipe
    seed: int
    device: Device

    @property
    def ids(self) -> dict[str, Any]:
        """The columns that identify the training."""
        return identity(self.network, self.data, self.recipe, self.seed)

    def __str__(self) -> str:
        return f"{self.network.name}, {self.data.name}, seed {self.seed}"


def make_task(
    network: Network | Family | str, data: ImageData | str, recipe: Recipe, seed: int, device: str | None
) -> Task:
    """Check that network, data and recipe fit together, and that the device is there."""
    from ..measuring.device_finder import find_device

    if is_module(network):
        raise NetworkError(
            f"train: a torch module ({type(network).__name__}) has weights already, and no name by which its rows are "
            "found again; give what makes it, as fs.family(...), or a Network"
        )
    network = network_or_family(network)
    data = dataset(data) if isinstance(data, str) else data
    seed = check_whole("seed", seed, SettingError, 0, 2**63 - 1, remedy="; try 0")
    found = find_device(device, recipe.precision or "fp32")
    _check(network, data, recipe)
    return Task(network, data, recipe.on(found.kind.name), seed, found)


def _check(network: Network | Family, data: ImageData, recipe: Recipe) -> None:
    if isinstance(network, Family):
        _check_family(network, data, recipe)
    else:
        _check_ends(network, data)
    if isinstance(network.resolution, tuple):
        raise SettingError(
            f"{network.name} is for images of {size_text(network.resolution)} pixels, but networks are trained on "
            "square ones, to which pictures are resized; give its resolution as one number"
        )
    if recipe.batch > len(data.images):
        raise SettingError(
            f"batch is {recipe.batch}, but {data.name} has {len(data.images)} images to train on; try a smaller batch"
        )
    if recipe.batch == recipe.parts:
        raise SettingError(f"parts is {recipe.parts}, one for each image, but BN needs two or more; try fewer")


def _check_family(family: Family, data: ImageData, recipe: Recipe) -> None:
    """See that its modules make logits of the data's classes from the data's channels."""
    import torch

    if set_apart := [name for name in ("drop_path", "zero_gamma") if getattr(recipe, name)]:
        raise RecipeError(
            f"recipe: {' and '.join(set_apart)} cannot be set of {family.name}; give them to its callable, as keywords "
            "of fs.family(...)"
        )
    example = torch.empty(2, data.channels, *family.size, device="meta")
    module = family.module("meta").eval()
    try:
        with torch.inference_mode():
            logits = tuple(module(example).shape)
    except Exception as error:  # of foreign code
        raise SettingError(
            f"{family.name} does not take the images of {data.name}, of {counted(data.channels, 'channel')} "
            f"({first_line(error)[:200]}); give it keywords for them"
        ) from None
    if logits != (2, data.classes):
        raise SettingError(
            f"{family.name} makes {logits} of 2 images, but {data.name} has {data.classes} classes; give it a keyword "
            f"for them, as num_classes={data.classes} for timm's"
        )
    family.id  # noqa: B018 - refuses what is not found again


def _check_ends(network: Network, data: ImageData) -> None:
    has, needs = (network.channels, network.classes), (data.channels, data.classes)
    if has != needs:
        raise SettingError(
            f"{network.name} is for {has[0]} channels and {has[1]} classes, but {data.name} has {needs[0]} and "
            f"{needs[1]}; give these in its .yaml file, or by dataclasses.replace(network, channels={needs[0]}, "
            f"classes={needs[1]})"
        )
    if network.total_stride > min(both_sides(network.resolution)):
        raise SettingError(
            f"{network.name} is too deep for its resolution: its strides make {network.resolution} px "
            f"{network.total_stride} times smaller, less than one pixel; give it fewer strides, as with the stem "
            "res_stem_cifar, or a higher resolution"
        )


def identity(network: Network | Family, data: ImageData, recipe: Recipe, seed: int) -> dict[str, Any]:
    """Return the columns by which the rows of a training are found."""
    return {"network_id": network.id, "data_id": data.id, "recipe_id": recipe.id, "seed": seed}


def origin(network: Network | Family) -> Row:
    """Return the columns that name a network, and what it is scaled from."""
    scaling = network.scaling
    return {
        "network": network.name,
        "base": scaling.base if scaling else network.name,
        "strategy": scaling.strategy if scaling else None,
        "scale": scaling.s if scaling else 1.0,
    }


def checkpoint_path(store: Store, ids: Mapping[str, Any]) -> Path:
    """Return the path of a training's checkpoint beside the store, there while it lasts."""
    return store.path.with_name(f"{store.path.name}.checkpoints") / f"{'-'.join(map(str, ids.values()))}.pt"


def check_checkpoint(path: Path) -> None:
    """Raise a TrainingError if no checkpoint can be written here; this leaves no file."""
    try:
        with trial(path):
            pass
    except OSError as error:
        raise TrainingError(
            f"training: the checkpoint {path} cannot be written ({error.strerror}); give another path", "disk"
        ) from None


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint, and its folder once that is empty."""
    path.unlink(missing_ok=True)
    remove_parts(path)
    with contextlib.suppress(OSError):  # other trainings are still there
        path.parent.rmdir()


def keep_row(store: Store, ids: Mapping[str, Any], row: Row) -> None:
    """Add a row to the store, unless it is there, as after a stop before the next epoch."""
    same = {"kind": row["kind"], "epoch": row["epoch"], "reason": row.get("reason"), **ids}
    try:
        store.add(row, unless=lambda: bool(store.find(**same)))
    except StoreError as error:
        if error.row is None:
            raise
        raise TrainingError(
            f"training: {store.path} cannot take a row ({error.cause}); the checkpoint is kept; make room, and run the "
            "same again",
            "disk",
        ) from None
