"""Small sets of images, made up so that a small network can learn them; and files of them."""

import gzip
from pathlib import Path

import numpy as np

import fastscale_lib as fs

MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def pictures(number: int, seed: int, side: int = 8, channels: int = 1, classes: int = 4) -> tuple:
    """Images with a bright stripe whose place is the class, in noise; and their labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(number) % classes
    images = random.integers(0, 100, (number, channels, side, side), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, label * side // classes] += 120
    return images, labels


def data(training: int = 64, test: int = 32, part: str = "holdout", **shape) -> fs.training.ImageData:
    """A set in memory."""
    return fs.training.ImageData(
        *pictures(training, 1, **shape), *pictures(test, 2, **shape), name="stripes", part=part
    )


def idx(array: np.ndarray) -> bytes:
    """An IDX file's content: two zeros, the code of unsigned bytes, the dimensions' number and sizes, the data."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_mnist_files(folder: Path, packed: bool = True) -> fs.training.ImageData:
    """The four files of a small set, gzipped or not; and the set."""
    made = data(part="test")
    arrays = (made.images[:, 0], made.labels, made.test_images[:, 0], made.test_labels)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(MNIST_FILES, arrays, strict=True):
        content = idx(array)
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return made
