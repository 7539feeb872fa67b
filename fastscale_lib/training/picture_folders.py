"""Folders of pictures, decoded by torchvision and resized by torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from .._common.memory import available_bytes
from .image_files import DataError

_PICTURES = (".jpeg", ".jpg", ".png")
_MEMORY = 0.8  # of what is available may be filled with decoded images


def read_folder(path: Path, part: str, resolution: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read the pictures of a part, "train" or "val", in one folder per class, as ImageNet's.

    Each is resized so that its shorter side has `resolution` pixels, and its centre square kept. Returned are images,
    labels, and the names of the classes in order.
    """
    folder = Path(path) / part
    classes = sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).iterdir())
        if file.suffix.lower() in _PICTURES
    ]
    if not files:
        raise DataError(f"data: {folder} has no pictures; it must hold one folder a class, of .jpg or .png files")
    needed, left = len(files) * 3 * resolution**2, available_bytes()
    if left is not None and needed > _MEMORY * left:
        raise DataError(
            f"data: the {len(files):,} pictures of {folder} take {needed / 2**30:,.1f} GiB at {resolution} px, but "
            f"{left / 2**30:,.1f} GiB of memory are left; try a lower resolution, or a folder with fewer classes"
        )
    decode = _decoder()
    images = np.empty((len(files), 3, resolution, resolution), np.uint8)
    for at, (file, _) in enumerate(files):
        images[at] = _centre_square(decode, file, resolution)
    return images, np.array([label for _, label in files], np.int64), classes


def _decoder() -> Callable:
    """Return torchvision's decoder of JPEG and PNG files, or raise a DataError."""
    try:
        from torchvision.io import ImageReadMode, decode_image
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch raises a RuntimeError
        raise DataError(
            f"data: decoding pictures takes torchvision, which does not import here ({' '.join(str(error).split())}); "
            "pip install 'fastscale[imagenet]', in the version that belongs to this torch"
        ) from None
    return lambda data: decode_image(data, ImageReadMode.RGB)


def _centre_square(decode: Callable, file: Path, resolution: int) -> np.ndarray:
    try:
        picture = decode(torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8))
    except (RuntimeError, ValueError) as error:
        raise DataError(
            f"data: {file} cannot be decoded ({str(error).splitlines()[0]}); fetch it again, or, if no picture can be, "
            "install the torchvision that belongs to this torch"
        ) from None
    height, width = picture.shape[1:]
    scale = resolution / min(height, width)
    size = [max(resolution, round(side * scale)) for side in (height, width)]
    resized = interpolate(picture[None].float(), size, mode="bilinear", antialias=True, align_corners=False)[0]
    top, left = ((side - resolution) // 2 for side in size)
    cut = resized[:, top : top + resolution, left : left + resolution]
    return cut.round().clamp(0, 255).to(torch.uint8).numpy()
