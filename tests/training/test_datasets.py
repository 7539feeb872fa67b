"""Sets of images: read from files, found, fetched over HTTP, and refused where they are wrong or cut short."""

import gzip
import hashlib
import io
import sys
import tarfile
import threading
import types
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from helpers.images import MNIST_FILES, data, idx, pictures, write_mnist_files

import fastscale_lib as fs
from fastscale_lib.training import datasets, image_files, picture_folders

DEBIAN = datasets.DEBIAN / "fashion-mnist"


def same(a: fs.training.ImageData, b: fs.training.ImageData) -> bool:
    names = ("images", "labels", "test_images", "test_labels")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


@pytest.fixture
def known(tmp_path, monkeypatch) -> fs.training.ImageData:
    """A small set that is taken for Fashion-MNIST, and is nowhere but in `tmp_path / "there"`."""
    made = write_mnist_files(tmp_path / "there")
    contents = [gzip.decompress((tmp_path / "there" / f"{name}.gz").read_bytes()) for name in MNIST_FILES]
    monkeypatch.setattr(datasets, "_SHA256", tuple(hashlib.sha256(each).hexdigest() for each in contents))
    monkeypatch.setattr(datasets, "DEBIAN", tmp_path / "nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "URL", (tmp_path / "nowhere").as_uri() + "/")
    return made


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_found_where_debian_puts_it():
    found = fs.dataset("fashion-mnist")
    assert found.images.shape == (60_000, 1, 28, 28)
    assert found.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(found.labels).tolist() == [6_000] * 10
    assert np.bincount(found.test_labels).tolist() == [1_000] * 10
    mean, deviation = found.statistics
    assert mean / 255 == pytest.approx([0.286], abs=0.005)
    assert deviation / 255 == pytest.approx([0.353], abs=0.005)


@pytest.mark.parametrize("packed", [True, False])
def test_files_named_as_mnists_are_read_zipped_or_not(tmp_path, packed):
    made = write_mnist_files(tmp_path, packed)
    assert same(fs.dataset("mnist-files", tmp_path), made)


def test_a_known_set_is_found_at_a_path_and_in_the_cache(tmp_path, known):
    assert same(fs.dataset("fashion-mnist", tmp_path / "there"), known)
    with pytest.raises(fs.training.DataError):
        fs.dataset("fashion-mnist")
    (tmp_path / "there").rename(tmp_path / "moved")
    (tmp_path / "cache" / "fastscale" / "datasets").mkdir(parents=True)
    (tmp_path / "moved").rename(tmp_path / "cache" / "fastscale" / "datasets" / "fashion-mnist")
    assert same(fs.dataset("fashion-mnist"), known)


@pytest.fixture
def server(tmp_path, monkeypatch, known):
    """A server of the files in `tmp_path / "there"`; it counts what it is asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "there")) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(datasets, "URL", f"http://127.0.0.1:{running.server_port}/")
        yield asked
        running.shutdown()


def test_a_known_set_is_fetched_once(known, server):
    assert same(fs.dataset("fashion-mnist"), known)
    assert same(fs.dataset("fashion-mnist"), known)
    assert server == [f"/{name}.gz" for name in MNIST_FILES]


def test_what_is_fetched_and_wrong_is_not_kept(tmp_path, server):
    wrong = tmp_path / "there" / f"{MNIST_FILES[3]}.gz"
    right = wrong.read_bytes()
    wrong.write_bytes(gzip.compress(idx(np.zeros(32))))
    with pytest.raises(fs.training.DataError, match="is not the published file"):
        fs.dataset("fashion-mnist")
    kept = sorted(each.name for each in (tmp_path / "cache").rglob("*.gz"))
    assert kept == sorted(f"{name}.gz" for name in MNIST_FILES[:3])
    wrong.write_bytes(right)
    assert fs.dataset("fashion-mnist").name == "fashion-mnist"  # what is there already is not fetched again
    assert len(server) == 5


def test_nothing_is_fetched_where_that_is_forbidden(server, monkeypatch):
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    with pytest.raises(
        fs.training.DataError, match=r"nothing is fetched, since FASTSCALE_OFFLINE is set, as fastscale"
    ):
        fs.dataset("fashion-mnist")
    assert server == []


def test_an_answer_that_is_cut_short_is_said_in_a_sentence(tmp_path, known, monkeypatch):
    """As where a connection ends too early: fewer bytes come than the answer's head says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half of it")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(datasets, "URL", f"http://127.0.0.1:{running.server_port}/")
        with pytest.raises(fs.training.DataError, match=r"cannot be fetched \(IncompleteRead"):
            fs.dataset("fashion-mnist")
        running.shutdown()
    assert not list((tmp_path / "cache").rglob("*.gz"))


def test_without_a_network_the_sentence_says_where_it_was_looked_for(known, tmp_path):
    with pytest.raises(fs.training.DataError) as refused:
        fs.dataset("fashion-mnist")
    said = str(refused.value)
    assert f"Fashion-MNIST is not in {tmp_path / 'nowhere' / 'fashion-mnist'} or {tmp_path / 'cache'}" in said
    assert said.endswith("install Debian's package dataset-fashion-mnist, or say where the files are with path=")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda packed: cut(packed), "is no whole gzip file; it is cut short or changed"),
        (lambda packed: gzip.compress(cut(gzip.decompress(packed))), "is not the published file: its content has"),
        (lambda packed: b"<html>", "is no whole gzip file"),
    ],
)
def test_a_known_file_that_is_wrong_or_cut_short_is_refused(tmp_path, known, spoil, said):
    file = tmp_path / "there" / f"{MNIST_FILES[0]}.gz"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(fs.training.DataError, match=said) as refused:
        fs.dataset("fashion-mnist", tmp_path / "there")
    assert str(file) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (MNIST_FILES[0], idx(np.zeros((3, 8, 8)))[:-1], "says it holds 3 × 8 × 8 bytes, but 191 follow"),
        (MNIST_FILES[0], idx(np.zeros(64)), "is no IDX file of unsigned bytes in 3 dimensions"),
        (MNIST_FILES[1], b"\0\0\x0d\x01" + bytes(8), "is no IDX file of unsigned bytes in 1 dimensions"),
        (MNIST_FILES[1], idx(np.zeros(63)), "has 64 images, but .* 63 labels"),
        (MNIST_FILES[3], None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_is_refused_by_its_shape(tmp_path, name, content, said):
    write_mnist_files(tmp_path, packed=False)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(fs.training.DataError, match=said):
        fs.dataset("mnist-files", tmp_path)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """CIFAR-10's files, with 20 images each."""
    monkeypatch.setattr(image_files, "CIFAR_IMAGES", 20)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number, name in enumerate(
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    ):
        images, labels = pictures(20, number, side=32, channels=3, classes=10)
        records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(20, -1)], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def test_cifar_10_is_read_from_its_folder_and_from_its_archive(tmp_path, cifar, monkeypatch):
    found = fs.dataset("cifar-10", cifar)
    assert found.images.shape == (100, 3, 32, 32)
    assert np.array_equal(found.images[20:40], pictures(20, 1, side=32, channels=3, classes=10)[0])
    assert found.test_labels.tolist() == [*range(10), *range(10)]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(cifar, cifar.name)
    (tmp_path / "cifar.tar.gz").write_bytes(packed.getvalue())
    with pytest.raises(fs.training.DataError, match=r"is not the published cifar-10-binary\.tar\.gz: its SHA-256 is"):
        fs.dataset("cifar-10", tmp_path / "cifar.tar.gz")
    monkeypatch.setattr(image_files, "CIFAR_SHA256", hashlib.sha256(packed.getvalue()).hexdigest())
    assert same(fs.dataset("cifar-10", tmp_path / "cifar.tar.gz"), found)
    assert same(fs.dataset("cifar-10", tmp_path), found)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content[:-1], "test_batch.bin has 61,459 bytes, but must have 61,460"),
        (lambda content: b"\x0a" + content[1:], "test_batch.bin has the label 10, but CIFAR-10's are 0 to 9"),
        (lambda content: b"\x01" + content[1:], "has 1 3 2 2 2 2 2 2 2 2 test images of the classes"),
    ],
)
def test_a_cifar_file_that_is_wrong_is_refused(cifar, spoil, said):
    file = cifar / "test_batch.bin"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(fs.training.DataError, match=said):
        fs.dataset("cifar-10", cifar)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders of pictures, whose decoder takes numpy's form: torchvision does not import beside every torch."""
    for part, number in (("train", 3), ("val", 1)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for each in range(number):
                picture = np.full((3, 40, 60), 10 * each, np.uint8)
                picture[:, :, 10:50] += 100 * (name == "dog")
                np.save(file := tmp_path / part / name / f"{each}.jpg.npy", picture)
                file.rename(file.with_suffix(""))

    def decode(content, mode):
        if not bytes(content[:6]) == b"\x93NUMPY":
            raise RuntimeError("Unsupported image file.\nMore.")
        return torch.from_numpy(np.load(io.BytesIO(bytes(content))))

    made = types.SimpleNamespace(decode_image=decode, ImageReadMode=types.SimpleNamespace(RGB="RGB"))
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.io", made)
    return tmp_path


def test_folders_of_pictures_are_resized_to_their_centre_square(folders):
    found = fs.dataset("folders", folders, resolution=20)
    assert found.images.shape == (6, 3, 20, 20)
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.images[:, 0, 10, 10].tolist() == [0, 10, 20, 100, 110, 120]
    assert found.images[4, :, :, 1:-1].min() == 110  # what is dark lies outside the centre square
    assert len(found.test_images) == found.classes == 2


def test_folders_that_are_wrong_are_refused(folders, monkeypatch):
    (folders / "train" / "dog" / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(fs.training.DataError, match=r"1\.jpg cannot be decoded \(Unsupported image file\.\)"):
        fs.dataset("folders", folders, resolution=20)
    (folders / "train" / "dog" / "1.jpg").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(picture_folders, "available_bytes", lambda: 1000)
        with pytest.raises(fs.training.DataError, match=r"5 pictures of .* at 20 px, but .* are left; try a lower"):
            fs.dataset("folders", folders, resolution=20)
    (folders / "val" / "dog").rename(folders / "val" / "fox")
    with pytest.raises(fs.training.DataError, match="has the class dog in only one of train and val"):
        fs.dataset("folders", folders, resolution=20)
    monkeypatch.setitem(sys.modules, "torchvision.io", None)
    with pytest.raises(fs.training.DataError, match=r"torchvision, which does not import here .*fastscale\[imagenet\]"):
        fs.dataset("folders", folders, resolution=20)
    with pytest.raises(fs.training.DataError, match="has no pictures"):
        fs.dataset("folders", folders / "nowhere", resolution=20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mnist",), "dataset: name is 'mnist', but must be one of fashion-mnist, cifar-10, mnist-files, folders"),
        (("cifar-10",), "dataset: cifar-10 is looked for nowhere; say by its path where it is, as /data/cifar-10"),
        (("folders", "/data"), "dataset: resolution is None, but folders needs its side in pixels"),
    ],
)
def test_what_cannot_be_found_is_said_in_a_sentence(arguments, said):
    with pytest.raises(fs.training.DataError) as refused:
        fs.dataset(*arguments)
    assert str(refused.value).startswith(said)


def test_held_out_images_are_training_images_and_no_test_image_is_left():
    made = data(64, 32, part="test")
    tuned = made.held_out(16)
    both = np.concatenate([tuned.images, tuned.test_images])
    assert (len(tuned.images), len(tuned.test_images), tuned.part) == (48, 16, "holdout")
    assert sorted(map(bytes, both)) == sorted(map(bytes, made.images))
    assert same(made.held_out(16), tuned)
    assert len({made.id, tuned.id, made.held_out(17).id, made.few(10).id}) == 4


def test_the_id_is_of_what_the_images_are_and_not_of_their_name():
    made = data()
    again = fs.training.ImageData(made.images, made.labels, made.test_images, made.test_labels, "other", 4, "holdout")
    assert again.id == made.id
    changed = made.images.copy()
    changed[0, 0, 0, 0] ^= 1
    assert fs.training.ImageData(changed, made.labels, made.test_images, made.test_labels, part="holdout").id != made.id


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": np.zeros((4, 1, 8, 8))}, "data: images are float64 of the shape 4 × 1 × 8 × 8, but must be uint8"),
        ({"test_images": np.zeros((32, 1, 8, 9), np.uint8)}, "data: test_images are uint8 of the shape 32 × 1 × 8 × 9"),
        ({"test_images": np.zeros((32, 3, 8, 8), np.uint8)}, "data: images are 1 × 8 × 8, but test_images 3 × 8 × 8"),
        (
            {"labels": np.zeros(3, int)},
            "data: labels are int64 of the shape 3, but must be whole numbers, one for each",
        ),
        ({"labels": np.full(64, -1)}, "data: labels go down to -1, but classes are numbered from 0"),
        ({"classes": 3}, "data: a label is 3, but with classes=3 they end at 2"),
        ({"part": "validation"}, "data: part is 'validation', but must be one of test, holdout, training"),
    ],
)
def test_own_images_of_the_wrong_form_are_refused(changes, said):
    made = data()
    given = {name: getattr(made, name) for name in ("images", "labels", "test_images", "test_labels")} | changes
    with pytest.raises(fs.training.DataError) as refused:
        fs.training.ImageData(**given)
    assert str(refused.value).startswith(said)


def test_fewer_images_than_are_asked_for_are_refused():
    with pytest.raises(fs.training.DataError, match="held_out: number is 64, but must be a whole number from 1 to 63"):
        data(64).held_out(64)
    with pytest.raises(fs.training.DataError, match="few: images is 65, but must be a whole number from 1 to 64"):
        data(64).few(65)
