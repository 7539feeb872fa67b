"""Readers of image files: IDX (as MNIST's), CIFAR-10's binary form, folders of JPEGs.

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
from .._common.memory import available_bytes

CIFAR_CLASSES = 10
CIFAR_SHAPE = (3, 32, 32)
CIFAR_IMAGES = 10_000  # in each of its files
# Of cifar-10-binary.tar.gz, as its authors publish it.
CIFAR_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
_IDX_BYTES = 0x08  # the code for unsigned bytes in the third byte of an IDX file
_PICTURES = (".jpeg", ".jpg", ".png")
_MEMORY = 0.8  # of what is available may be filled with decoded images


class DataError(FastscaleError, ValueError):
    """Images are missing, cut short, or not what was asked for; the message names the remedy."""


def read_idx(path: Path, dimensions: int, sha256: str | None = None, data: bytes | None = None) -> np.ndarray:
    """Read the array in an IDX file of unsigned bytes, gzipped if its name ends in .gz.

    Arguments:
        path: of the file.
        dimensions: of the array: 1 for labels, 3 for images.
        sha256: of the unzipped content, which is the same in each packaging; default: not checked.
        data: content of the file; default: read from the disk.

    Raises:
        DataError: the file cannot be read or unzipped, its checksum, header or length is wrong.
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
    """Read gray images and their labels from two IDX files.

    Arguments:
        images: file of the images.
        labels: file of the labels.
        sha256: of the unzipped content of both; default: not checked.

    Raises:
        DataError: as for `read_idx`; or there are not as many labels as images.
    """
    of_images, of_labels = sha256 or (None, None)
    shown, named = read_idx(images, 3, of_images), read_idx(labels, 1, of_labels)
    if len(shown) != len(named):
        raise DataError(f"data: {images} has {len(shown):,} images, but {labels} {len(named):,} labels; fetch both")
    return shown[:, None], named.astype(np.int64)


def read_cifar(path: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Read CIFAR-10's training and test images.

    Arguments:
        path: of cifar-10-binary.tar.gz, whose checksum must be right, or of the folder that it unpacks to. Checksums of
            the single files are not published: they must have their size, and 1,000 test and 5,000 training images of
            each class.

    Returns:
        (images, labels), (test_images, test_labels).

    Raises:
        DataError: a file is missing or wrong.
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


def read_folder(path: Path, part: str, resolution: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read pictures in one folder per class, as ImageNet's.

    Each is resized so that its shorter side has `resolution` pixels, and its centre square kept.

    Arguments:
        path: of the data set.
        part: the folder within it: "train" or "val".
        resolution: side of the images in pixels.

    Returns:
        Images, labels, and the names of the classes in order.

    Raises:
        DataError: the folder has no pictures, one cannot be decoded, torchvision does not import, or all of them
            take more than the memory that is left.
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
        images[at] = _square(decode, file, resolution)
    return images, np.array([label for _, label in files], np.int64), classes


def _decoder() -> Callable:
    try:
        from torchvision.io import ImageReadMode, decode_image
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch raises a RuntimeError
        raise DataError(
            f"data: decoding pictures takes torchvision, which does not import here ({' '.join(str(error).split())}); "
            "pip install 'fastscale[imagenet]', in the version that belongs to this torch"
        ) from None
    return lambda data: decode_image(data, ImageReadMode.RGB)


def _square(decode: Callable, file: Path, resolution: int) -> np.ndarray:
    import torch
    from torch.nn.functional import interpolate

    try:
        picture = decode(torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8))
    except (RuntimeError, ValueError) as error:
        raise DataError(f"data: {file} cannot be decoded ({str(error).splitlines()[0]}); fetch it again") from None
    height, width = picture.shape[1:]
    scale = resolution / min(height, width)
    size = [max(resolution, round(side * scale)) for side in (height, width)]
    resized = interpolate(picture[None].float(), size, mode="bilinear", antialias=True, align_corners=False)[0]
    top, left = ((side - resolution) // 2 for side in size)
    cut = resized[:, top : top + resolution, left : left + resolution]
    return cut.round().clamp(0, 255).to(torch.uint8).numpy()


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
