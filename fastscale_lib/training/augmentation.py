"""Random changes to a batch of images, all images at once and on their device.

Random numbers come from torch's default generators: the same seed gives the same changes. Images are (N, channels,
side, side), with values from 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

_SHEAR = 0.3  # the largest magnitudes: Cubuk et al., AutoAugment, 2019, Table 6
_TRANSLATE = 150 / 331  # of the side
_ROTATE = math.radians(30)
_BLEND = 0.9  # factors from 0.1 to 1.9
_POSTERIZE = 4  # bits removed


def crop_and_flip(images: torch.Tensor, padding: int, flip: bool) -> torch.Tensor:
    """Shift each image by up to `padding` pixels, onto black, and mirror half of them if `flip`."""
    if not (padding or flip):
        return images
    number, _, side, _ = images.shape
    device, at = images.device, torch.arange(side, device=images.device)
    rows = at + torch.randint(2 * padding + 1, (number, 1), device=device)
    columns = at + torch.randint(2 * padding + 1, (number, 1), device=device)
    if flip:
        columns = torch.where(torch.rand(number, 1, device=device) < 0.5, columns.flip(1), columns)
    padded = F.pad(images, [padding] * 4)
    return padded[
        torch.arange(number, device=device)[:, None, None, None],
        torch.arange(images.shape[1], device=device)[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def mixup(images: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Mix each image with another of the batch (Zhang et al., mixup, 2018, equation 1).

    The share λ of the image itself is drawn from Beta(alpha, alpha). Returned are images, partners' indices, and λ.
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    partner = torch.randperm(len(images), device=images.device)
    return torch.lerp(images[partner], images, share), partner, share


def randaugment(images: torch.Tensor, number: int, magnitude: float) -> torch.Tensor:
    """Apply `number` of 14 operations to each image (Cubuk et al., RandAugment, 2020).

    The magnitude, 0 to 10, is that of all operations; its sign is drawn if an operation has two.
    """
    strength = magnitude / 10
    for _ in range(number):
        chosen = torch.randint(len(OPERATIONS), (len(images),), device=images.device)
        signs = torch.randint(2, (len(images),), device=images.device) * 2.0 - 1
        changed = images.clone()
        for at, operation in enumerate(OPERATIONS.values()):
            these = (chosen == at).nonzero()[:, 0]
            if len(these):
                changed[these] = operation(images[these], strength * signs[these])
        images = changed
    return images


def autocontrast(x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Stretch each channel to the range from 0 to 255."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) * (255 / (high - low).clamp(min=1e-6)), x)


def equalize(x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Replace the values of each channel by their ranks, so that all are as frequent."""
    values = x.round().clamp(0, 255).long().flatten(2)
    counts = torch.zeros(*values.shape[:2], 256, device=x.device).scatter_add_(2, values, torch.ones_like(values) * 1.0)
    below = counts.cumsum(2) - counts
    others = (values.shape[2] - counts.gather(2, values.amax(2, keepdim=True))).clamp(min=1)
    return (below * 255 / others).clamp(max=255).gather(2, values).reshape(x.shape)


def solarize(x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Invert values above a threshold, from 256 down to 0."""
    return torch.where(x >= 256 * (1 - _column(strength.abs())), 255 - x, x)


def posterize(x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Set the lower bits of each value to 0, up to four of the eight."""
    step = 2 ** _column((_POSTERIZE * strength.abs()).round())
    return (x / step).floor() * step


def _blend(behind: torch.Tensor, x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    return (behind + (1 + _BLEND * _column(strength)) * (x - behind)).clamp(0, 255)


def sharpness(x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Move values away from the smoothed image, or towards it; the edges stay."""
    kernel = torch.ones(3, 3, device=x.device, dtype=x.dtype)
    kernel[1, 1] = 5
    smooth = x.clone()
    if x.shape[2] > 2:
        each = (kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
        smooth[:, :, 1:-1, 1:-1] = F.conv2d(x, each, groups=x.shape[1])
    return _blend(smooth, x, strength)


def rotate(x: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Rotate by up to 30°."""
    angle = _ROTATE * strength
    return _move(x, xx=angle.cos(), xy=-angle.sin(), yx=angle.sin(), yy=angle.cos())


def _move(x: torch.Tensor, **entries: torch.Tensor) -> torch.Tensor:
    """Resample by an affine map, whose entries are given; outside is black."""
    matrix = torch.eye(2, 3, device=x.device, dtype=x.dtype).repeat(len(x), 1, 1)
    for name, values in entries.items():
        matrix[:, "xy".index(name[0]), "xy0".index(name[1])] = values.to(x.dtype)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _gray(x: torch.Tensor) -> torch.Tensor:
    """Return the luma of RGB (ITU-R BT.601); of another number of channels their mean."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114], device=x.device, dtype=x.dtype)
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def _column(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]


# Functions of images and strengths, from -1 to 1. What is blended moves away from the first image, or towards it;
# translations go by up to 45 % of the side, which is 2 in affine_grid's coordinates.
OPERATIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "identity": lambda x, strength: x,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "rotate": rotate,
    "solarize": solarize,
    "color": lambda x, strength: _blend(_gray(x), x, strength),
    "posterize": posterize,
    "contrast": lambda x, strength: _blend(_gray(x).mean((1, 2, 3), keepdim=True), x, strength),
    "brightness": lambda x, strength: _blend(torch.zeros_like(x), x, strength),
    "sharpness": sharpness,
    "shear_x": lambda x, strength: _move(x, xy=_SHEAR * strength),
    "shear_y": lambda x, strength: _move(x, yx=_SHEAR * strength),
    "translate_x": lambda x, strength: _move(x, x0=2 * _TRANSLATE * strength),
    "translate_y": lambda x, strength: _move(x, y0=2 * _TRANSLATE * strength),
}
