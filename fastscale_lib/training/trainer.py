"""One network in training: its weights, their average, the optimizer, and the steps that change them.

All that is random comes from generators that are seeded by the seed of the training, the step, and the part of the
batch. So an epoch depends on the state at its start and on nothing else: not on what ran before in this process, nor
on how many processes share the parts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .._common.device_kinds import CPU
from ..architectures.definition import Network
from ..measuring.device_classes import Cpu
from ..measuring.devices import find_device
from ..models.builder import build
from ..models.modules import subsample
from .augmentation import crop_and_flip, mixup, randaugment
from .checkpoints import TrainingError
from .datasets import ImageData
from .distributed import Processes
from .recipe import Recipe

_LOOK = 50  # steps after which the loss is looked at: on a GPU a look waits for all that is under way
_ORDER, _STEP, _START = range(3)  # what a generator is for


class Images:
    """Images as bytes, on the device where they fit and else in the host's memory; normalised as they are taken."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, data: ImageData, device: torch.device):
        fits = find_device(device).has_room(images.nbytes)
        images = images if images.flags.writeable else images.copy()  # torch would warn
        self._images = torch.from_numpy(images).to(device if fits else CPU.name)
        self._labels, self._device = torch.from_numpy(labels).to(self._images.device), device
        mean, deviation = (torch.tensor(each, dtype=torch.float32, device=device) for each in data.statistics)
        self._mean, self._deviation = mean[:, None, None], deviation[:, None, None]

    def __len__(self) -> int:
        return len(self._images)

    def take(self, these: torch.Tensor | slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Bytes (n, channels, side, side) and labels (n,), on the device."""
        if isinstance(these, torch.Tensor):
            these = these.to(self._images.device)
        return self._images[these].to(self._device), self._labels[these].to(self._device)

    def normalised(self, images: torch.Tensor, side: int) -> torch.Tensor:
        """With mean 0 and standard deviation 1 a channel, resized to `side` pixels."""
        images = (images.float() - self._mean) / self._deviation
        if images.shape[2] == side:
            return images
        return F.interpolate(images, (side, side), mode="bilinear", antialias=side < images.shape[2])


class Trainer:
    """A network in training on a device, after `epochs_done` epochs.

    Arguments:
        recipe: with nothing left to the device (`Recipe.on`).
        seed: of the first weights, the order of the images, their augmentation and what drop-path leaves out.
        processes: that share each batch.
    """

    def __init__(
        self,
        network: Network,
        data: ImageData,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        processes: Processes | None = None,
    ):
        self._recipe, self._seed, self._device, self._together = recipe, seed, device, processes or Processes()
        self._side, self.epochs_done = network.resolution, 0
        self._train = Images(data.images, data.labels, data, device)
        self._test = Images(data.test_images, data.test_labels, data, device)
        self._steps = len(self._train) // recipe.batch  # in an epoch
        self._layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        there = find_device(device)
        self._own_generators = there.own_generators
        with self._own_generators():
            torch.manual_seed(_seed(seed, _START))
            model = build(network, CPU.name, drop_path=recipe.drop_path, zero_gamma=recipe.zero_gamma)
        self.model = model.to(device=device, memory_format=self._layout)
        if isinstance(there, Cpu) and recipe.channels_last:
            subsample(self.model)
        self._norms = [(each, each.momentum) for each in self.model.modules() if isinstance(each, nn.BatchNorm2d)]
        self.averaged = copy.deepcopy(self.model) if recipe.ema else None
        self._optimizer = _optimizer(self.model, recipe)
        self._scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        self._parallel = self._together.wrap(self.model)
        kind = torch.float16 if recipe.precision == "fp16" else torch.bfloat16
        self._autocast = partial(torch.autocast, device.type, dtype=kind, enabled=recipe.precision != "fp32")

    @property
    def steps(self) -> int:
        """In an epoch: what does not fill a last batch is left out."""
        return self._steps

    def epoch(self, tell: Callable[[], Any] = lambda: None) -> dict[str, float]:
        """Train for one more epoch.

        Arguments:
            tell: called after each step.

        Returns:
            train_loss (with label smoothing and mixup) and train_top1_error in %, both of the augmented images as
            they came, while the weights changed.

        Raises:
            TrainingError: the loss is no finite number any more.
        """
        sums = torch.zeros(3, device=self._device, dtype=torch.float64)
        with self._own_generators():
            for number, these in enumerate(self._batches(), self.epochs_done * self._steps):
                self._step(number, these, sums)
                if number % _LOOK == _LOOK - 1 and self._together.size == 1:  # else all must look, at the end
                    self._look(sums)
                tell()
        sums = self._together.add(sums)
        self._look(sums)
        self._together.average(self._statistics())
        self.epochs_done += 1
        loss, right, images = sums.tolist()
        return {"train_loss": loss / images, "train_top1_error": 100 * (images - right) / images}

    def errors(self) -> dict[str, float]:
        """On the test images, of the averaged weights where there are any; `raw_…` are those of the weights as is.

        Returns:
            top1_error and top5_error in %, and loss, the cross-entropy; weights, "ema" or "raw".

        Raises:
            TrainingError: the loss is no finite number.
        """
        raw = self._errors(self.model)
        best = raw if self.averaged is None else self._errors(self.averaged)
        weights = "raw" if self.averaged is None else "ema"
        return {**best, "weights": weights, **{f"raw_{name}": value for name, value in raw.items()}}

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on, beside the arguments; see `load`."""
        return {
            "epoch": self.epochs_done,
            "model": self.model.state_dict(),
            "ema": None if self.averaged is None else self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state: the epochs that follow are those that would have followed there."""
        self.epochs_done = state["epoch"]
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def _batches(self) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(_seed(self._seed, _ORDER, self.epochs_done))
        order = torch.randperm(len(self._train), generator=generator).to(self._device)
        return iter(order[: self._steps * self._recipe.batch].split(self._recipe.batch))

    def _step(self, number: int, these: torch.Tensor, sums: torch.Tensor) -> None:
        recipe, mine = self._recipe, self._recipe.parts // self._together.size
        steps = recipe.epochs * self._steps
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.learning_rate(number, steps)
        self._optimizer.zero_grad(set_to_none=True)
        parts = list(enumerate(these.chunk(recipe.parts)))[self._together.rank * mine :][:mine]
        self.model.train()
        for left, (part, images) in zip(reversed(range(mine)), parts, strict=True):
            torch.manual_seed(_seed(self._seed, _STEP, number, part))
            self._weigh_statistics(mine - left, mine)
            with self._together.alone(self._parallel, now=left > 0):
                self._scaler.scale(self._loss(images, sums) / mine).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self.averaged is not None:
            # That of BN's counters is of no use.
            torch._foreach_lerp_(_floats(self.averaged), _floats(self.model), 1 - recipe.ema_decay(number, steps))

    def _loss(self, these: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        recipe = self._recipe
        images, labels = self._train.take(these)
        images = crop_and_flip(images, recipe.crop_padding, recipe.flip)
        if recipe.randaugment:
            images = randaugment(images.float(), recipe.randaugment, recipe.magnitude)
        images = self._train.normalised(images, self._side)
        entropy = partial(F.cross_entropy, label_smoothing=recipe.label_smoothing)
        if not recipe.mixup:
            logits = self._logits(self._parallel, images)
            loss = entropy(logits, labels)
        else:
            images, partner, share = mixup(images, recipe.mixup)
            logits = self._logits(self._parallel, images)
            loss = share * entropy(logits, labels) + (1 - share) * entropy(logits, labels[partner])
        with torch.no_grad():
            right = (logits.argmax(1) == labels).sum()
            sums += torch.stack([loss * len(these), right, right.new_tensor(len(these))])
        return loss

    def _logits(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            return model(images.contiguous(memory_format=self._layout)).float()

    @torch.no_grad()
    def _errors(self, model: nn.Module) -> dict[str, float]:
        model.eval()
        sums = torch.zeros(4, device=self._device, dtype=torch.float64)
        size = self._recipe.batch // self._recipe.parts
        mine = range(self._together.rank * size, len(self._test), self._together.size * size)
        for start in mine:
            images, labels = self._test.take(slice(start, start + size))
            logits = self._logits(model, self._test.normalised(images, self._side))
            hits = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
            entropy = F.cross_entropy(logits, labels, reduction="sum")
            sums += torch.stack([hits[:, 0].sum(), hits.sum(), entropy, hits.new_tensor(len(labels), dtype=torch.long)])
        right, near, entropy, images = self._together.add(sums).tolist()
        if not math.isfinite(entropy):
            raise self._diverged(f"on the images that the error is taken on, after epoch {self.epochs_done}")
        return {
            "top1_error": 100 * (images - right) / images,
            "top5_error": 100 * (images - near) / images,
            "loss": entropy / images,
        }

    def _weigh_statistics(self, part: int, parts: int) -> None:
        """Let BN's running statistics take the mean over the parts of a step, whichever of them come first.

        After part j of k they are ((1 − m) r + m/k Σ x) / (1 − m + m j/k), with r from before the step: so after the
        last they are the same as those of k processes with one part each, averaged.
        """
        for norm, momentum in self._norms:
            norm.momentum = momentum / parts / (1 - momentum + momentum * part / parts)

    def _look(self, sums: torch.Tensor) -> None:
        if not math.isfinite(float(sums[0])):
            raise self._diverged(f"in epoch {self.epochs_done + 1}")

    def _diverged(self, where: str) -> TrainingError:
        return TrainingError(
            f"training: the loss is no finite number any more {where} (with a learning rate of up to "
            f"{self._recipe.peak_lr:g}); try a lower lr or a longer warmup",
            "diverged",
        )

    def _statistics(self) -> list[torch.Tensor]:
        """BN's running ones, which each process has taken from its own parts."""
        models = [self.model] if self.averaged is None else [self.model, self.averaged]
        return [buffer for model in models for buffer in model.buffers() if buffer.is_floating_point()]


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    weights = [each for each in model.parameters() if each.ndim > 1]
    rest = [each for each in model.parameters() if each.ndim <= 1]  # of BN, and biases
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def _floats(model: nn.Module) -> list[torch.Tensor]:
    return [each.detach() for each in (*model.parameters(), *model.buffers()) if each.is_floating_point()]


def _seed(*numbers: int) -> int:
    """Far from that of any other numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
