"""Images to train on and to test on: found on this machine, fetched, or made by hand."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .._common.checks import check_choice, check_path, check_text, check_whole, shown
from .._common.files import write_whole
from .._common.shipped import OFFLINE_VARIABLE
from .image_files import DataError, read_cifar, read_idx, read_idx_pair

DEBIAN = Path("/usr/share/datasets")  # where packages such as dataset-fashion-mnist put theirs
URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
_LARGEST_SIDE = 10_000  # pixels of an image
_FETCH_S = 60  # without an answer
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# Of Fashion-MNIST's files, unzipped: the Debian package's and the project's own are gzipped differently.
_SHA256 = (
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images and labels to train on, and others to test on.

    Arguments:
        images: (N, channels, side, side), uint8.
        labels: (N,), whole numbers from 0 to below `classes`.
        test_images: (M, channels, side, side), uint8.
        test_labels: (M,), as `labels`.
        name: of the data in rows and figures; default: "own images".
        classes: how many there are; default: one more than the highest label.
        part: what the test images are: "test" (default), "holdout" (held out of the training images), or "training"
            (the training images themselves).

    Raises:
        DataError: a shape, a type or a label is wrong.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    name: str = "own images"
    classes: int | None = None
    part: str = "test"

    def __post_init__(self):
        for which in ("", "test_"):
            names = (f"{which}images", f"{which}labels")
            images, labels = (_array(name, getattr(self, name)) for name in names)
            _check_images(f"{which}images", images)
            _check_labels(f"{which}labels", labels, len(images))
            object.__setattr__(self, f"{which}images", images)
            object.__setattr__(self, f"{which}labels", labels.astype(np.int64))
        if self.images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"data: images are {_by(self.images)}, but test_images {_by(self.test_images)}; give both in one shape"
            )
        highest = int(max(self.labels.max(), self.test_labels.max()))
        classes = highest + 1 if self.classes is None else check_whole("data: classes", self.classes, DataError)
        object.__setattr__(self, "classes", classes)
        check_text("data: name", self.name, DataError)
        if highest >= classes:
            raise DataError(f"data: a label is {highest}, but with classes={classes} they end at {classes - 1}")
        check_choice("data: part", self.part, ("test", "holdout", "training"), DataError)

    @property
    def channels(self) -> int:
        """The channels of each image."""
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return self.images.shape[2]

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits of a hash of images and labels, without the name."""
        digest = hashlib.sha256(f"{self.classes} {self.part} {self.images.shape}".encode())
        for array in (self.images, self.labels, self.test_images, self.test_labels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:12]

    @cached_property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel, 0 to 255, over at most 10,000 images."""
        some = self.images[:: max(1, len(self.images) // 10_000)]
        deviation = some.std(axis=(0, 2, 3), dtype=np.float64)
        return some.mean(axis=(0, 2, 3), dtype=np.float64), np.where(deviation > 0, deviation, 1.0)

    def held_out(self, number: int) -> ImageData:
        """Hold out training images, and test on these instead of the test images.

        Settings are tuned on them. They are drawn with a fixed seed, the same in each call.

        Arguments:
            number: of images that are held out.

        Raises:
            DataError: number is not a whole number of at least 1 that leaves an image to train on.
        """
        order = np.random.default_rng(0).permutation(len(self.images))
        number = _fewer("held_out: number", number, len(self.images))
        kept, back = order[number:], order[:number]
        parts = (self.images[kept], self.labels[kept], self.images[back], self.labels[back])
        return ImageData(*parts, f"{self.name}, {number:,} held out", self.classes, "holdout")

    def few(self, images: int, test_images: int | None = None) -> ImageData:
        """Keep the first training images, and the first test images.

        Arguments:
            images: how many training images are kept.
            test_images: how many test images are kept; default: all.

        Raises:
            DataError: a number is not a whole number of at least 1, or there are not so many images.
        """
        n = _fewer("few: images", images, len(self.images) + 1)
        m = len(self.test_images)
        m = m if test_images is None else _fewer("few: test_images", test_images, m + 1)
        parts = (self.images[:n], self.labels[:n], self.test_images[:m], self.test_labels[:m])
        return ImageData(*parts, f"{self.name}, {n:,} images", self.classes, self.part)

    def __repr__(self) -> str:
        sizes = f"{len(self.images):,} to train on, {len(self.test_images):,} of the {self.part} part"
        return f"<{self.name}: {_by(self.images)}, {self.classes} classes; {sizes}>"


def dataset(
    name: str, path: str | os.PathLike | None = None, *, holdout: int = 0, resolution: int | None = None
) -> ImageData:
    """Load a data set into memory, as bytes.

    Arguments:
        name: "fashion-mnist" (Xiao et al. 2017: 60,000 + 10,000 gray images of 28×28 pixels in 10 classes),
            "cifar-10" in its binary form (Krizhevsky 2009: 50,000 + 10,000 images of 32×32), "mnist-files" for any
            set in files named as MNIST's, or "folders": train/<class>/*.jpg and val/<class>/*.jpg, as ImageNet is
            often laid out, decoded by torchvision (`pip install 'fastscale[imagenet]'`).
        path: the folder of the files; for CIFAR-10 also cifar-10-binary.tar.gz; default, for Fashion-MNIST alone: where
            Debian's package dataset-fashion-mnist puts it, or the cache ($XDG_CACHE_HOME or ~/.cache,
            fastscale/datasets), into which it is fetched if need be. Its files must have their SHA-256 in each case.
        holdout: training images that are held out and tested on; default: 0, the test images (for "folders", val).
        resolution: side in pixels of the images of "folders"; default: the data's own.

    Returns:
        The images and labels.

    Raises:
        DataError: no such set is known, a file is missing, cut short or changed, or cannot be fetched.
    """
    check_choice("dataset: name", name, _READERS, DataError)
    if (resolution is None) == (name == "folders"):
        hint = "needs its side in pixels, as 160" if resolution is None else "has its own; leave it out"
        raise DataError(f"dataset: resolution is {shown(resolution)}, but {name} {hint}")
    if resolution is not None:
        resolution = check_whole("dataset: resolution", resolution, DataError, most=_LARGEST_SIDE)
    check_whole("dataset: holdout", holdout, DataError, least=0)
    if path is None and name != "fashion-mnist":
        raise DataError(f"dataset: {name} is looked for nowhere; say by its path where it is, as /data/{name}")
    data = _READERS[name](None if path is None else check_path("dataset: path", path, DataError), resolution)
    data = replace(data, name=name)
    return data.held_out(holdout) if holdout else data


def _mnist_files(folder: Path, sha256: tuple[str, ...] | None = None) -> ImageData:
    images, labels, test_images, test_labels = (_packed_or_not(folder / name) for name in _FILES)
    train = read_idx_pair(images, labels, sha256 and sha256[:2])
    return ImageData(*train, *read_idx_pair(test_images, test_labels, sha256 and sha256[2:]))


def _packed_or_not(path: Path) -> Path:
    """Return the path of the file, or of the gzipped one if it is not there."""
    return path if path.is_file() else path.with_name(path.name + ".gz")


def fashion_mnist_folder() -> Path | None:
    """Find a folder that has all of Fashion-MNIST's files; None if there is none."""
    places = (DEBIAN / "fashion-mnist", _cache())
    return next((each for each in places if all(_packed_or_not(each / name).is_file() for name in _FILES)), None)


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "fastscale" / "datasets" / "fashion-mnist"


def _fetch() -> Path:
    folder = _cache()
    for name, sha256 in zip(_FILES, _SHA256, strict=True):
        _fetch_file(f"{name}.gz", folder, sha256)
    return folder


def _fetch_file(name: str, folder: Path, sha256: str) -> None:
    from http.client import HTTPException
    from urllib.request import urlopen

    if (folder / name).is_file():
        return
    lacks = f"dataset: Fashion-MNIST is not in {DEBIAN / 'fashion-mnist'} or {folder}"
    remedy = "install Debian's package dataset-fashion-mnist, or say where the files are with path="
    if os.environ.get(OFFLINE_VARIABLE):
        raise DataError(
            f"{lacks}, and nothing is fetched, since {OFFLINE_VARIABLE} is set, as fastscale report --offline does; "
            f"{remedy}"
        )
    try:
        with urlopen(URL + name, timeout=_FETCH_S) as answer:
            data = answer.read()
    except (OSError, ValueError, HTTPException) as error:  # the last where an answer is cut short
        raise DataError(f"{lacks}, and {URL + name} cannot be fetched ({error}); {remedy}") from None
    path = folder / name
    read_idx(path, 3 if "images" in name else 1, sha256, data)
    try:
        write_whole(path, data)
    except OSError as error:
        raise DataError(
            f"dataset: {path} cannot be written ({error.strerror}); make room, or set XDG_CACHE_HOME to another folder"
        ) from None


def _cifar_10(path: Path, _: Any) -> ImageData:
    train, test = read_cifar(path)
    return ImageData(*train, *test)


def _folders(path: Path, resolution: int) -> ImageData:
    from .picture_folders import read_folder

    images, labels, classes = read_folder(path, "train", resolution)
    test_images, test_labels, test_classes = read_folder(path, "val", resolution)
    if classes != test_classes:
        odd = sorted(set(classes) ^ set(test_classes))[0]
        raise DataError(f"data: {path} has the class {odd} in only one of train and val; give both the same folders")
    return ImageData(images, labels, test_images, test_labels, classes=len(classes))


_READERS: dict[str, Callable[[Any, Any], ImageData]] = {  # path and resolution, which `dataset` has checked
    "fashion-mnist": lambda path, _: _mnist_files(path or fashion_mnist_folder() or _fetch(), _SHA256),
    "cifar-10": _cifar_10,
    "mnist-files": lambda path, _: _mnist_files(path),
    "folders": _folders,
}


def _array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except Exception:  # ragged lists, and foreign code
        raise DataError(f"data: {name} is {shown(values)}, but must be an array of numbers") from None


def _check_images(name: str, images: np.ndarray) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2] != images.shape[3] or 0 in images.shape:
        raise DataError(
            f"data: {name} are {images.dtype} of the shape {_by(images, 0)}, but must be uint8 of "
            "N × channels × side × side"
        )


def _check_labels(name: str, labels: np.ndarray, images: int) -> None:
    if labels.dtype.kind not in "iu" or labels.shape != (images,):
        raise DataError(
            f"data: {name} are {labels.dtype} of the shape {_by(labels, 0)}, but must be whole numbers, one for each "
            f"of the {images:,} images"
        )
    if labels.min() < 0:
        raise DataError(f"data: {name} go down to {labels.min()}, but classes are numbered from 0")


def _fewer(what: str, number: int, there: int) -> int:
    return check_whole(f"data: {what}", number, DataError, most=there - 1)


def _by(array: np.ndarray, first: int = 1) -> str:
    return " × ".join(map(str, array.shape[first:])) or "()"
