"""Recipes: every setting of a training in one place, with its source.

A recipe is data, and the same for all networks of a comparison. Importing this loads no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .._common.checks import LARGEST, check_choice, check_flag, check_real, check_text, check_whole, shown
from .._common.device_kinds import KINDS
from .._common.errors import FastscaleError
from .._common.plain_files import check_keys, read_plain
from .._common.yaml_text import JsonError, read_json, write_yaml
from ..measuring.settings import PRECISIONS, Precision

_LR_IMAGES = 256  # the batch that `lr` is given for


class RecipeError(FastscaleError, ValueError):
    """A wrong recipe; the message names the setting, the value and the rule."""


@dataclass(frozen=True)
class Recipe:
    """Settings of stochastic gradient descent with Nesterov momentum.

    They are those of Dollár et al. (Fast and Accurate Model Scaling, 2021). Weight decay is applied to weights of
    convolutions and linear layers, not to BN and biases (Goyal et al., Accurate, Large Minibatch SGD, 2017, section
    5.1).

    Arguments:
        epochs: passes over the training images; default: 15. Images that do not fill a last batch are skipped.
        batch: images in a step; default: 128.
        lr: the highest learning rate for a batch of 256; other batches get it in proportion (Goyal et al., section
            2.1, the linear scaling rule); default: 0.1, which is theirs.
        warmup: share of all steps in which the learning rate grows linearly from 0 (Goyal et al., section 2.2: 5 of
            90 epochs); default: 0.05. Afterwards it falls to 0 along half a cosine (Loshchilov and Hutter, SGDR, 2017,
            equation 5).
        momentum: Nesterov's (Sutskever et al., On the importance of initialization and momentum, 2013); default: 0.9.
        weight_decay: of each step's gradient, before the learning rate; default: 1e-4, that of Goyal et al.
        label_smoothing: ε, the share of the target that all classes divide (Szegedy et al., Rethinking the
            Inception Architecture, 2016, section 7); default: 0.1, which is theirs.
        flip: mirror half of the images left to right; default: True.
        crop_padding: black pixels put around an image, from which its size is cropped at random (He et al., Deep
            Residual Learning, 2016, section 4.2: 4 for 32×32 pixels); default: 4.
        randaugment: random operations on each image, usually 2 (Cubuk et al., RandAugment, 2020); default: 0, none.
        magnitude: of these operations, 0 to 10; default: 5.
        mixup: α of the Beta distribution by which pairs of images are mixed, 0.2 for ImageNet (Zhang et al., mixup,
            2018); default: 0, none.
        drop_path: probability with which the branch of the last block is dropped; those of the blocks before grow
            linearly up to it (Huang et al., Deep Networks with Stochastic Depth, 2016); default: 0.
        zero_gamma: start the last BN of each branch at γ = 0 (Goyal et al., section 5.1); default: False.
        ema: share of all steps over which weights and statistics of BN are averaged exponentially (Szegedy et al.,
            section 8, evaluate such averages; a share suits short and long trainings); 0 for none; default: 0.05.
        parts: micro-batches of equal size that a batch is computed in; BN takes its statistics over one of them. With
            several processes each computes an equal share: 4 micro-batches give the same gradients on 1, 2 or 4
            devices. Default: 1.
        precision: "fp32", "bf16" or "fp16" (on GPUs; with a scaled loss, as Micikevicius et al., Mixed Precision
            Training, 2018); default: None, bf16 on a GPU and fp32 on a CPU.
        channels_last: the memory layout of images and weights; default: True.

    Raises:
        RecipeError: a setting is out of its range.
    """

    epochs: int = 15
    batch: int = 128
    lr: float = 0.1
    warmup: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    flip: bool = True
    crop_padding: int = 4
    randaugment: int = 0
    magnitude: float = 5.0
    mixup: float = 0.0
    drop_path: float = 0.0
    zero_gamma: bool = False
    ema: float = 0.05
    parts: int = 1
    precision: Precision | None = None
    channels_last: bool = True

    def __post_init__(self):
        for name, least in _WHOLE.items():
            number = check_whole(f"recipe: {name}", getattr(self, name), RecipeError, least)
            object.__setattr__(self, name, check_whole(f"recipe: {name}", number, RecipeError, least, _MOST))
        for name, (low, high) in _RANGES.items():
            number = check_real(f"recipe: {name}", getattr(self, name), RecipeError, low, high, above=name == "lr")
            object.__setattr__(self, name, number)
        for name in ("flip", "zero_gamma", "channels_last"):
            object.__setattr__(self, name, check_flag(f"recipe: {name}", getattr(self, name), RecipeError))
        if self.precision is not None:
            check_choice("recipe: precision", self.precision, PRECISIONS, RecipeError)
        if self.batch % self.parts:
            raise RecipeError(f"recipe: a batch of {self.batch} has no {self.parts} parts of equal size; change one")

    @property
    def peak_lr(self) -> float:
        """The highest learning rate, scaled with the batch."""
        return self.lr * self.batch / _LR_IMAGES

    def learning_rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step.

        Arguments:
            step: counted from 0.
            steps: of the whole training.

        Raises:
            RecipeError: `step` is not one of the steps.
        """
        _check_step(step, steps)
        warmup = self.warmup * steps
        if step < warmup:
            return self.peak_lr * (step + 1) / (warmup + 1)
        return self.peak_lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))

    def ema_decay(self, step: int, steps: int) -> float:
        """Return the share of the averaged weights that a step keeps, which is small at first.

        Arguments:
            step: counted from 0.
            steps: of the whole training.

        Raises:
            RecipeError: `step` is not one of the steps.
        """
        _check_step(step, steps)
        return min(1 - 1 / max(1.0, self.ema * steps), (1 + step) / (10 + step))

    def on(self, device_type: str) -> Recipe:
        """Return this recipe with the default precision of a kind of device, if it has none.

        Arguments:
            device_type: "cpu" or "cuda".

        Raises:
            RecipeError: the kind is unknown.
        """
        precisions = {kind.name: kind.training_precision for kind in KINDS}
        check_choice("recipe: device_type", device_type, sorted(precisions), RecipeError)
        return replace(self, precision=self.precision or precisions[device_type])

    def set(self, *settings: str) -> Recipe:
        """Return this recipe with other settings: `recipe.set("lr=0.4", "flip=false")`.

        Arguments:
            settings: names and values, these as in JSON.

        Raises:
            RecipeError: a setting is unknown, or a value is out of its range.
        """
        changed = {}
        for each in settings:
            check_text("recipe: a setting", each, RecipeError, ", as lr=0.4")
            name, equals, value = each.partition("=")
            if not (equals and value):
                raise RecipeError(f"recipe: {shown(each)} sets nothing; write a name and its value, as in lr=0.4")
            changed[name.strip()] = _value(value)
        return self.from_dict({**self.to_dict(), **changed})

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of a hash of all settings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, which `Recipe.from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Recipe:
        """Read a recipe from what `to_dict` returns.

        Arguments:
            plain: values by setting; missing ones have their defaults.

        Raises:
            RecipeError: a setting is unknown, or a value is out of its range.
        """
        known = [each.name for each in fields(cls)]
        return cls(**check_keys("recipe", plain, known, RecipeError, "epochs: 30"))

    def to_yaml(self) -> str:
        """Write YAML with every setting, defaults included."""
        return write_yaml(self.to_dict())

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """Read a recipe from a file.

        Arguments:
            path: of the file: JSON if its name ends in .json, else YAML.

        Raises:
            RecipeError: the file cannot be read; or as for `from_dict`.
        """
        return cls.from_dict(read_plain("recipe", path, RecipeError))


def _check_step(step: int, steps: int) -> None:
    check_whole("recipe: steps", steps, RecipeError, most=_MOST * _MOST)
    check_whole("recipe: step", step, RecipeError, least=0, most=steps - 1)


def _value(text: str) -> Any:
    """Read JSON: a number, true, false or null; else return the text itself."""
    try:
        return read_json(text)
    except JsonError:
        return text.strip()


_WHOLE = {"epochs": 1, "batch": 2, "crop_padding": 0, "randaugment": 0, "parts": 1}
_MOST = 10**9  # of each of these
# Lowest and highest value; the learning rate must be above the lowest.
_RANGES = {
    "lr": (0.0, LARGEST),
    "warmup": (0.0, 0.9),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 1.0),
    "label_smoothing": (0.0, 0.9),
    "magnitude": (0.0, 10.0),
    "mixup": (0.0, 100.0),
    "drop_path": (0.0, 0.9),
    "ema": (0.0, 1.0),
}
