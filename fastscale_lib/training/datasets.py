"""Images to train on, and others to take the error on: found on this machine, fetched, or made by hand."""

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
from .image_files import DataError, read_cifar, read_folder, read_idx_pair

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
    """Images and labels to train on, and others to take the error on.

    Arguments:
        images: (N, channels, side, side), uint8.
        labels: (N,), whole numbers from 0 to below `classes`.
        test_images, test_labels: likewise, as many as there are.
        name: by which rows and figures call it.
        classes: left out: one more than the highest label.
        part: what the test images are: "test"; "holdout", kept back from the training images; or "training", where
            they are these themselves.

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
        if highest >= self.classes:
            raise DataError(
                f"data: a label is {highest}, but with classes={self.classes} they end at {self.classes - 1}"
            )
        check_choice("data: part", self.part, ("test", "holdout", "training"), DataError)

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        """Pixels to a side."""
        return self.images.shape[2]

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits that tell sets apart by their images and labels, whatever they are called."""
        digest = hashlib.sha256(f"{self.classes} {self.part} {self.images.shape}".encode())
        for array in (self.images, self.labels, self.test_images, self.test_labels):
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()[:12]

    @cached_property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel, from 0 to 255, over the training images (10,000 at most)."""
        some = self.images[:: max(1, len(self.images) // 10_000)]
        deviation = some.std(axis=(0, 2, 3), dtype=np.float64)
        return some.mean(axis=(0, 2, 3), dtype=np.float64), np.where(deviation > 0, deviation, 1.0)

    def held_out(self, number: int) -> ImageData:
        """Without the test images: the error is taken on `number` training images that are kept back.

        This is what settings are tuned on. The images are drawn with a fixed seed, the same in each call.

        Raises:
            DataError: there are not that many training images.
        """
        order = np.random.default_rng(0).permutation(len(self.images))
        number = _fewer("held_out: number", number, len(self.images))
        kept, back = order[number:], order[:number]
        parts = (self.images[kept], self.labels[kept], self.images[back], self.labels[back])
        return ImageData(*parts, f"{self.name}, {number:,} held out", self.classes, "holdout")

    def few(self, images: int, test_images: int | None = None) -> ImageData:
        """The first of the training images, and the first of the test images (left out: all of them).

        Raises:
            DataError: there are not that many.
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
    """A set of images, held in memory as bytes.

    Arguments:
        name: "fashion-mnist" (Xiao et al. 2017: 60,000 + 10,000 gray images of 28×28 pixels in 10 classes),
            "cifar-10" in its binary form (Krizhevsky 2009: 50,000 + 10,000 images of 32×32), "mnist-files" for any
            set in files named as MNIST's, or "folders": train/<class>/*.jpg and val/<class>/*.jpg, as ImageNet is
            often laid out, decoded by torchvision (`pip install 'fastscale[imagenet]'`).
        path: the folder of the files; for CIFAR-10 also that of cifar-10-binary.tar.gz. Left out, Fashion-MNIST is
            looked for where Debian's package dataset-fashion-mnist puts it and in the cache ($XDG_CACHE_HOME or
            ~/.cache, fastscale/datasets), else fetched there. Its files are held to their SHA-256 in each case.
        holdout: so many training images are kept back, and the error is taken on these; 0: on the test images. For
            "folders" these are those of val.
        resolution: side in pixels of the images of "folders"; the others have their own.

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


def _fashion_mnist(path: Path | None, _: Any) -> ImageData:
    folder = path or fashion_mnist_folder() or _fetch()
    return _mnist_files(folder, _SHA256)


def _mnist_files(folder: Path, sha256: tuple[str, ...] | None = None) -> ImageData:
    images, labels, test_images, test_labels = (_packed_or_not(folder / name) for name in _FILES)
    train = read_idx_pair(images, labels, sha256 and sha256[:2])
    return ImageData(*train, *read_idx_pair(test_images, test_labels, sha256 and sha256[2:]))


def _packed_or_not(path: Path) -> Path:
    """The file itself where it is there, else the one that is gzipped."""
    return path if path.is_file() else path.with_name(path.name + ".gz")


def fashion_mnist_folder() -> Path | None:
    """The first folder that has all of Fashion-MNIST's files."""
    places = (DEBIAN / "fashion-mnist", _cache())
    return next((each for each in places if all(_packed_or_not(each / name).is_file() for name in _FILES)), None)


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "fastscale" / "datasets" / "fashion-mnist"


def _fetch() -> Path:
    """Into the cache; a file is there once it is whole."""
    folder = _cache()
    for name, sha256 in zip(_FILES, _SHA256, strict=True):
        _fetch_file(f"{name}.gz", folder, sha256)
    return folder


def _fetch_file(name: str, folder: Path, sha256: str) -> None:
    from http.client import HTTPException
    from urllib.request import urlopen

    from .image_files import read_idx

    if (folder / name).is_file():
        return
    try:
        with urlopen(URL + name, timeout=_FETCH_S) as answer:
            data = answer.read()
    except (OSError, ValueError, HTTPException) as error:  # the last where an answer is cut short
        places = f"{DEBIAN / 'fashion-mnist'} or {folder}"
        raise DataError(
            f"dataset: Fashion-MNIST is not in {places}, and {URL + name} cannot be fetched ({error}); "
            "install Debian's package dataset-fashion-mnist, or say where the files are with path="
        ) from None
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
    images, labels, classes = read_folder(path, "train", resolution)
    test_images, test_labels, test_classes = read_folder(path, "val", resolution)
    if classes != test_classes:
        odd = sorted(set(classes) ^ set(test_classes))[0]
        raise DataError(f"data: {path} has the class {odd} in only one of train and val; give both the same folders")
    return ImageData(images, labels, test_images, test_labels, classes=len(classes))


_READERS: dict[str, Callable[[Path, int], ImageData]] = {
    "fashion-mnist": _fashion_mnist,
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
