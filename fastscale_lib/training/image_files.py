"""Readers of image files: IDX (as MNIST's), CIFAR-10's binary form.

Each returns images (N, channels, side, side) as uint8 and labels (N,) as int64, and refuses files that are wrong or cut
short in a sentence that names the file.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .._common.errors import FastscaleError

CIFAR_CLASSES = 10
CIFAR_SHAPE = (3, 32, 32)
CIFAR_IMAGES = 10_000  # in each of its files
# Of cifar-10-binary.tar.gz, as its authors publish it.
CIFAR_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
_IDX_BYTES = 0x08  # the code for unsigned bytes in the third byte of an IDX file


class DataError(FastscaleError, ValueError):
    """Images are missing, cut short, or not what was asked for; the message names the remedy."""


def read_idx(path: Path, dimensions: int, sha256: str | None = None, data: bytes | None = None) -> np.ndarray:
    """Read the array in an IDX file of unsigned bytes, gzipped if its name ends in .gz.

    It has 1 dimension for labels, 3 for images. The checksum is that of the unzipped content, which is the same in each
    packaging. `data` is the file's content, if it is not on the disk.
    """
    data = _unzipped(path, data)
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise DataError(
            f"data: {path} is not the published file: its content has the SHA-256 {found[:12]}…, not {sha256[:12]}…; "
            "it is cut short or changed: delete it, and fetch it again"
        )
    start = 4 + 4 * dimensions
    if len(data) < start or data[:4] != bytes([0, 0, _IDX_BYTES, dimensions]):
        raise DataError(f"data: {path} is no IDX file of unsigned bytes in {dimensions} dimensions; check its name")
    shape = tuple(int.from_bytes(data[4 * at : 4 * at + 4], "big") for at in range(1, dimensions + 1))
    if len(data) - start != math.prod(shape):
        raise DataError(
            f"data: {path} says it holds {_by(shape)} bytes, but {len(data) - start:,} follow; fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_idx_pair(images: Path, labels: Path, sha256: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read gray images and their labels from two IDX files, with the SHA-256 of both."""
    of_images, of_labels = sha256 or (None, None)
    shown, named = read_idx(images, 3, of_images), read_idx(labels, 1, of_labels)
    if len(shown) != len(named):
        raise DataError(f"data: {images} has {len(shown):,} images, but {labels} {len(named):,} labels; fetch both")
    return shown[:, None], named.astype(np.int64)


def read_cifar(path: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Read CIFAR-10's training and test images: (images, labels), (test_images, test_labels).

    The path is that of cifar-10-binary.tar.gz, whose checksum must be right, or of the folder that it unpacks to.
    Checksums of the single files are not published: they must have their size, and 1,000 test and 5,000 training images
    of each class.
    """
    path = Path(path)
    if path.is_file():
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != CIFAR_SHA256:
            raise DataError(
                f"data: {path} is not the published cifar-10-binary.tar.gz: its SHA-256 is {found[:12]}…, not "
                f"{CIFAR_SHA256[:12]}…; fetch it again from https://www.cs.toronto.edu/~kriz/cifar.html"
            )
        with tarfile.open(path) as archive:
            return _cifar(lambda name: _member(archive, f"cifar-10-batches-bin/{name}"), path)
    inner = path / "cifar-10-batches-bin"
    folder = inner if inner.is_dir() else path
    return _cifar(lambda name: _bytes(folder / name), folder)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None  # the archive has the published checksum
    return file.read()


def _cifar(read: Callable[[str], bytes], where: Path) -> tuple:
    batches = [_cifar_records(read(f"data_batch_{n}.bin"), f"{where}: data_batch_{n}.bin") for n in range(1, 6)]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    test = _cifar_records(read("test_batch.bin"), f"{where}: test_batch.bin")
    for part, found in (("training", labels), ("test", test[1])):
        counts = np.bincount(found, minlength=CIFAR_CLASSES)
        if len(set(counts)) > 1:
            said = " ".join(map(str, counts))
            raise DataError(f"data: {where} has {said} {part} images of the classes, not as many of each; fetch it")
    return (images, labels), test


def _cifar_records(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    # Each record is the byte of a label, then the bytes of an image.
    record = 1 + math.prod(CIFAR_SHAPE)
    if len(data) != CIFAR_IMAGES * record:
        raise DataError(
            f"data: {name} has {len(data):,} bytes, but must have {CIFAR_IMAGES * record:,}; fetch it again"
        )
    records = np.frombuffer(data, np.uint8).reshape(CIFAR_IMAGES, record)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= CIFAR_CLASSES:
        raise DataError(f"data: {name} has the label {labels.max()}, but CIFAR-10's are 0 to 9; fetch it again")
    return records[:, 1:].reshape(-1, *CIFAR_SHAPE), labels


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"data: {path} cannot be read: {error.strerror}; give the folder that holds it") from None


def _unzipped(path: Path, data: bytes | None = None) -> bytes:
    data = _bytes(path) if data is None else data
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise DataError(
            f"data: {path} is no whole gzip file; it is cut short or changed: delete it, and fetch it again"
        ) from None


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{side:,}" for side in shape)
