"""One network in training: weights, their average, the optimizer, and the steps.

All random numbers come from generators seeded by the seed of the training, the step, and the micro-batch. So an epoch
depends on the state at its start and on nothing else: not on what ran before in this process, nor on how many processes
share the micro-batches.
"""

from __future__ import annotations

import contextlib
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
from ..architectures.resolutions import both_sides
from ..architectures.traced.module_family import Family
from ..measuring.device_classes import Cpu
from ..measuring.device_finder import find_device
from ..models.builder import build
from ..models.modules import subsample
from .augmentation import crop_and_flip, mixup, randaugment
from .datasets import ImageData
from .processes import Processes
from .recipe import Recipe
from .task import TrainingError

_CHECK_EVERY = 50  # steps after which the loss is checked: on a GPU this waits for all queued work
_ORDER, _STEP, _START = range(3)  # the use of a generator


class Images:
    """Images as bytes, on the device if they fit, else in the host's memory."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, data: ImageData, device: torch.device):
        fits = find_device(device).has_room(images.nbytes)
        images = images if images.flags.writeable else images.copy()  # torch would warn
        self._images = torch.from_numpy(images).to(device if fits else CPU.name)
        self._labels, self._device = torch.from_numpy(labels).to(self._images.device), device
        mean, deviation = (torch.tensor(each, dtype=torch.float32, device=device) for each in data.statistics)
        self._mean, self._deviation = mean[:, None, None], deviation[:, None, None]

    def __len__(self) -> int:
        return len(self._images)

    def take(self, indices: torch.Tensor | slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (n, channels, side, side) as bytes and labels (n,), on the device."""
        if isinstance(indices, torch.Tensor):
            indices = indices.to(self._images.device)
        return self._images[indices].to(self._device), self._labels[indices].to(self._device)

    def normalise(self, images: torch.Tensor, side: int) -> torch.Tensor:
        """Scale channels to mean 0 and standard deviation 1, and resize images to `side` pixels."""
        images = (images.float() - self._mean) / self._deviation
        if images.shape[2] == side:
            return images
        return F.interpolate(images, (side, side), mode="bilinear", antialias=side < images.shape[2])


class Trainer:
    """A network in training on a device, after `epochs_done` epochs of so many `steps`.

    The recipe has a precision (`Recipe.on`). The seed is that of the initial weights, the order of the images, their
    augmentation and drop-path. The processes share each batch.
    """

    def __init__(
        self,
        network: Network | Family,
        data: ImageData,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        processes: Processes | None = None,
    ):
        self._recipe, self._seed, self._device, self._processes = recipe, seed, device, processes or Processes()
        (self._side, _), self.epochs_done = both_sides(network.resolution), 0  # equal, as `make_task` asks
        self._train = Images(data.images, data.labels, data, device)
        self._test = Images(data.test_images, data.test_labels, data, device)
        self.steps = len(self._train) // recipe.batch  # images that do not fill a last batch are skipped
        self._layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        there = find_device(device)
        self._own_generators = there.own_generators
        with self._own_generators():
            torch.manual_seed(_seed(seed, _START))
            # Any, as torch does not type memory_format.
            if isinstance(network, Family):
                model: Any = network.module(CPU.name)
            else:
                model = build(network, CPU.name, drop_path=recipe.drop_path, zero_gamma=recipe.zero_gamma)
        self.model: nn.Module = model.to(device=device, memory_format=self._layout)
        if isinstance(there, Cpu) and recipe.channels_last:
            subsample(self.model)
        norms = (each for each in self.model.modules() if isinstance(each, nn.BatchNorm2d))
        self._norms = [(each, each.momentum) for each in norms if each.momentum is not None]
        self.averaged = copy.deepcopy(self.model) if recipe.ema else None
        self._optimizer = _optimizer(self.model, recipe)
        self._scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        self._parallel = self._processes.wrap(self.model)
        kind = torch.float16 if recipe.precision == "fp16" else torch.bfloat16
        self._autocast = partial(torch.autocast, device.type, dtype=kind, enabled=recipe.precision != "fp32")

    def epoch(self, tell: Callable[[], Any] = lambda: None) -> dict[str, float]:
        """Train for one more epoch; `tell` is called after each step.

        Returned are train_loss (with label smoothing and mixup) and train_top1_error in %, both of the augmented
        images, while the weights changed. A TrainingError is raised if the loss is not finite.
        """
        sums = torch.zeros(3, device=self._device, dtype=torch.float64)
        with self._own_generators():
            for number, indices in enumerate(self._batches(), self.epochs_done * self.steps):
                self._step(number, indices, sums)
                # Several processes must stop together, so they check at the end alone.
                if number % _CHECK_EVERY == _CHECK_EVERY - 1 and self._processes.world_size == 1:
                    self._check_loss(sums)
                tell()
        sums = self._processes.add(sums)
        self._check_loss(sums)
        self._processes.average(self._statistics())
        self.epochs_done += 1
        loss, right, images = sums.tolist()
        return {"train_loss": loss / images, "train_top1_error": 100 * (images - right) / images}

    def errors(self) -> dict[str, Any]:
        """Compute top1_error and top5_error in %, and loss, the cross-entropy, of the test images.

        They are those of the averaged weights, if there are any (weights: "ema", else "raw"). raw_top1_error,
        raw_top5_error and raw_loss are those of the weights themselves.
        """
        raw = self._errors(self.model)
        best = raw if self.averaged is None else self._errors(self.averaged)
        weights = "raw" if self.averaged is None else "ema"
        return {**best, "weights": weights, **{f"raw_{name}": value for name, value in raw.items()}}

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on, beside the arguments; see `load`."""
        return {
            "epoch": self.epochs_done,
            "model": self.model.state_dict(),
            "ema": None if self.averaged is None else self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state, as the training would have."""
        self.epochs_done = state["epoch"]
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def _batches(self) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(_seed(self._seed, _ORDER, self.epochs_done))
        order = torch.randperm(len(self._train), generator=generator).to(self._device)
        return iter(order[: self.steps * self._recipe.batch].split(self._recipe.batch))

    def _step(self, number: int, indices: torch.Tensor, sums: torch.Tensor) -> None:
        recipe, mine = self._recipe, self._recipe.parts // self._processes.world_size
        steps = recipe.epochs * self.steps
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.learning_rate(number, steps)
        self._optimizer.zero_grad(set_to_none=True)
        parts = list(enumerate(indices.chunk(recipe.parts)))[self._processes.rank * mine :][:mine]
        self.model.train()
        for left, (part, images) in zip(reversed(range(mine)), parts, strict=True):
            torch.manual_seed(_seed(self._seed, _STEP, number, part))
            self._weigh_statistics(mine - left, mine)
            with self._processes.local_gradients(self._parallel) if left else contextlib.nullcontext():
                self._scaler.scale(self._loss(images, sums) / mine).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self.averaged is not None:
            share = 1 - recipe.ema_decay(number, steps)
            # BN's counters are not averaged.
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage] - torch has no public one
                _floats(self.averaged), _floats(self.model), share
            )

    def _loss(self, indices: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """Return the loss of a micro-batch; add loss, hits and images to `sums`."""
        recipe = self._recipe
        images, labels = self._train.take(indices)
        images = crop_and_flip(images, recipe.crop_padding, recipe.flip)
        if recipe.randaugment:
            images = randaugment(images.float(), recipe.randaugment, recipe.magnitude)
        images = self._train.normalise(images, self._side)
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
            sums += torch.stack([loss * len(indices), right, right.new_tensor(len(indices))])
        return loss

    def _logits(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            return model(images.contiguous(memory_format=self._layout)).float()

    @torch.no_grad()
    def _errors(self, model: nn.Module) -> dict[str, float]:
        model.eval()
        sums = torch.zeros(4, device=self._device, dtype=torch.float64)
        size = self._recipe.batch // self._recipe.parts
        mine = range(self._processes.rank * size, len(self._test), self._processes.world_size * size)
        for start in mine:
            images, labels = self._test.take(slice(start, start + size))
            logits = self._logits(model, self._test.normalise(images, self._side))
            hits = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
            entropy = F.cross_entropy(logits, labels, reduction="sum")
            sums += torch.stack([hits[:, 0].sum(), hits.sum(), entropy, hits.new_tensor(len(labels), dtype=torch.long)])
        right, near, entropy, images = self._processes.add(sums).tolist()
        if not math.isfinite(entropy):
            raise self._diverged(f"on the test images, after epoch {self.epochs_done}")
        return {
            "top1_error": 100 * (images - right) / images,
            "top5_error": 100 * (images - near) / images,
            "loss": entropy / images,
        }

    def _weigh_statistics(self, part: int, parts: int) -> None:
        """Make BN's running statistics the mean over the micro-batches of a step, in any order.

        After micro-batch j of k they are ((1 − m) r + m/k Σ x) / (1 − m + m j/k), with r from before the step. So after
        the last they equal the average over k processes with one micro-batch each.
        """
        for norm, momentum in self._norms:
            norm.momentum = momentum / parts / (1 - momentum + momentum * part / parts)

    def _check_loss(self, sums: torch.Tensor) -> None:
        if not math.isfinite(float(sums[0])):
            raise self._diverged(f"in epoch {self.epochs_done + 1}")

    def _diverged(self, where: str) -> TrainingError:
        return TrainingError(
            f"training: the loss is no finite number any more {where} (with a learning rate of up to "
            f"{self._recipe.peak_lr:g}); try a lower lr or a longer warmup",
            "diverged",
        )

    def _statistics(self) -> list[torch.Tensor]:
        """List BN's running statistics, which each process takes from its own micro-batches."""
        models = [self.model] if self.averaged is None else [self.model, self.averaged]
        return [buffer for model in models for buffer in model.buffers() if buffer.is_floating_point()]


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    weights = [each for each in model.parameters() if each.ndim > 1]
    rest = [each for each in model.parameters() if each.ndim <= 1]  # of BN, and biases
    groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def _floats(model: nn.Module) -> list[torch.Tensor]:
    return [each.detach() for each in (*model.parameters(), *model.buffers()) if each.is_floating_point()]


def _seed(*numbers: int) -> int:
    """Hash the numbers to a seed of 64 bits."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
