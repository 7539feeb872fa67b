"""Training: it learns, repeats to the bit, goes on after a kill, and two processes are as one."""

import errno
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from helpers.images import data
from helpers.posix import posix
from helpers.waiting import HANGS_S

import fastscale_lib as fs
from fastscale_lib._common import files
from fastscale_lib._common.progress import Step
from fastscale_lib.models.modules import subsample
from fastscale_lib.records import store as storing
from fastscale_lib.records.measurement import SettingError
from fastscale_lib.training import checkpoints, task
from fastscale_lib.training.datasets import ImageData
from fastscale_lib.training.task import checkpoint_path, identity
from fastscale_lib.training.trainer import Trainer

CPU = torch.device("cpu")
SMALL = {"stem": "res_stem_cifar", "stem_width": 8, "classes": 4, "channels": 1, "resolution": 8}
TINY = fs.anynet(name="Tiny", depths=[1, 1], widths=[8, 16], strides=[1, 2], group_widths=8, **SMALL)
RECIPE = fs.Recipe(epochs=3, batch=16, crop_padding=1, label_smoothing=0.0)
ALL = replace(RECIPE, randaugment=2, mixup=0.2, drop_path=0.3, zero_gamma=True, label_smoothing=0.1)


def quiet(step: Step) -> None:
    """Report no progress."""


def trained(network: fs.Network = TINY, images: ImageData | None = None, recipe: fs.Recipe = RECIPE, **settings):
    """Train on the CPU, and return the row."""
    return fs.train(network, images or data(), recipe, device="cpu", progress=quiet, **settings)


def same(a: dict, b: dict) -> bool:
    """Tell whether two states are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


BLOCKS = {
    "res_bottleneck_block": {"group_widths": 8, "se_ratio": 0.25},
    "res_bottleneck_linear_block": {"group_widths": 8, "activation": "silu"},
    "res_basic_block": {},
    "mbconv": {"bottlenecks": 4, "activation": "silu", "se_ratio": 0.25, "head_width": 64},
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_network_of_each_block_overfits_256_images(block):
    """On noise with labels at random: nothing but the weights can know them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (256, 1, 8, 8), generator=generator, dtype=torch.uint8).numpy()
    labels = torch.randint(4, (256,), generator=generator).numpy()
    memory = ImageData(images, labels, images, labels, part="training")
    network = fs.anynet(block=block, depths=[1, 1], widths=[32, 64], strides=[1, 2], **BLOCKS[block], **SMALL)
    recipe = fs.Recipe(epochs=24, batch=32, lr=0.4, weight_decay=0.0, flip=False, crop_padding=0, label_smoothing=0.0)
    row = trained(network, memory, recipe)
    assert row["top1_error"] == row["raw_top1_error"] == 0


def test_what_is_learned_holds_for_other_images():
    row = trained(images=data(256, 128), recipe=replace(RECIPE, epochs=12, lr=0.2, flip=False, crop_padding=0))
    assert row["top1_error"] < 15  # by chance 75
    assert row["top5_error"] == 0  # of four classes
    assert row["train_loss"] < 0.5


def test_the_row_says_what_was_trained_and_where(tmp_path):
    store = fs.Store(tmp_path / "rows.jsonl")
    big = fs.scale(TINY, "w", 2)
    row = trained(big, recipe=ALL, store=store)
    *epochs, last = store.rows()
    assert last == row
    assert [each["epoch"] for each in epochs] == [1, 2, 3]
    assert {each["kind"] for each in epochs} == {"epoch"}
    assert (row["kind"], row["network"], row["base"], row["strategy"], row["scale"]) == (
        "trained",
        big.name,
        "Tiny",
        "w",
        2,
    )
    assert fs.Network.from_dict(row["description"]) == big
    assert fs.Recipe.from_dict(row["recipe"]) == replace(ALL, precision="fp32")
    assert (row["flops"], row["params"], row["activations"]) == tuple(fs.complexity(big))
    assert (row["part"], row["weights"], row["seed"], row["device"], row["repeatable"]) == (
        "holdout",
        "ema",
        0,
        "cpu",
        True,
    )
    assert row["seconds"] == pytest.approx(sum(each["epoch_s"] for each in epochs))
    assert row["images_per_s"] == pytest.approx(64 / row["epoch_s"])
    assert row["peak_memory_bytes"] is None
    assert not list(tmp_path.rglob("*.pt"))  # what has its row needs no checkpoint


def test_the_errors_are_those_of_the_checkpoints_weights(tmp_path):
    """Computed here by hand, from the files."""
    images, path = data(64, 40), tmp_path / "tiny.pt"
    row = trained(images=images, checkpoint=path)
    mean, deviation = images.statistics
    given = (torch.from_numpy(images.test_images).float() - mean[0]) / deviation[0]
    for weights, name in (("ema", "top1_error"), ("model", "raw_top1_error")):
        model = fs.build(TINY).eval()
        model.load_state_dict(torch.load(path)[weights])
        with torch.no_grad():
            right = model(given.float()).argmax(1) == torch.from_numpy(images.test_labels)
        assert row[name] == pytest.approx(100 * (1 - right.double().mean().item()))


def test_the_test_images_are_used_once_at_the_end(tmp_path):
    store = fs.Store(tmp_path / "rows.jsonl")
    trained(images=data(part="test"), store=store)
    *epochs, last = store.rows()
    assert all("top1_error" not in row and "train_top1_error" in row for row in epochs)
    assert "top1_error" in last
    trained(images=data(part="test").held_out(16), store=store)
    assert all("top1_error" in row for row in store.find(part="holdout"))


def test_images_are_resized_to_the_network():
    for resolution in (8, 12, 4):
        trainer = Trainer(replace(TINY, resolution=resolution), data(), RECIPE.on("cpu"), 0, CPU)
        seen: set[torch.Size] = set()

        def keep(module, given, seen=seen):
            seen.add(given[0].shape)

        trainer.model.register_forward_pre_hook(keep)
        trainer.errors()
        assert seen == {(16, 1, resolution, resolution)}


def weights_after(steps: int, recipe: fs.Recipe, seed: int = 0) -> dict:
    trainer = Trainer(TINY, data(16 * steps), recipe.on("cpu"), seed, CPU)
    trainer.epoch()
    return trainer.state()["model"]


@pytest.mark.parametrize("recipe", [RECIPE, ALL], ids=["few", "all"])
def test_a_seed_gives_the_same_weights_and_another_seed_others(recipe):
    torch.manual_seed(1)
    once, before = weights_after(4, recipe), torch.get_rng_state()
    torch.manual_seed(2)
    assert same(weights_after(4, recipe), once)
    assert not same(weights_after(4, recipe, seed=1), once)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's generator is left alone


def test_a_step_is_that_of_the_papers_formulas():
    """One step, recomputed with torch's own functions: no part of the optimizer is taken on trust."""
    recipe = replace(RECIPE, batch=16, epochs=1, flip=False, crop_padding=0, weight_decay=0.1, ema=0.0, warmup=0.0)
    images = data(16)
    trainer = Trainer(TINY, images, recipe.on("cpu"), 0, CPU)
    model = fs.build(TINY)
    model.load_state_dict(trainer.model.state_dict())
    mean, deviation = images.statistics
    given = ((torch.from_numpy(images.images).float() - mean[0]) / deviation[0]).float()
    torch.nn.functional.cross_entropy(model(given), torch.from_numpy(images.labels)).backward()
    trainer.epoch()
    for (name, after), before in zip(trainer.model.named_parameters(), model.parameters(), strict=True):
        decay = 0.1 if name.endswith("weight") and before.ndim > 1 else 0.0
        assert before.grad is not None
        gradient = before.grad + decay * before
        # Nesterov's first step: the gradient, and momentum times it.
        expected = before - recipe.peak_lr * (1 + 0.9) * gradient
        assert torch.allclose(after, expected, atol=1e-6), name


def test_the_averaged_weights_follow_the_decay():
    """By hand, over three epochs of one step each; BN's statistics are averaged as the weights are."""
    recipe = replace(RECIPE, epochs=20, ema=0.5).on("cpu")
    trainer = Trainer(TINY, data(16), recipe, 0, CPU)

    def floats(model: torch.nn.Module) -> dict[str, torch.Tensor]:
        return {name: each.clone() for name, each in model.state_dict().items() if each.is_floating_point()}

    expected = floats(trainer.model)
    for step in range(3):
        trainer.epoch()
        decay = recipe.ema_decay(step, 20)
        assert 0 < decay < 0.9
        now = floats(trainer.model)
        expected = {name: decay * expected[name] + (1 - decay) * now[name] for name in now}
    assert trainer.averaged is not None
    averaged = floats(trainer.averaged)
    assert any("running_var" in name for name in averaged)
    for name, value in averaged.items():
        assert torch.allclose(value, expected[name], atol=1e-6), name
    assert any(not torch.allclose(value, now[name], atol=1e-3) for name, value in averaged.items())


def test_lower_precision_is_what_the_layers_compute_in():
    """bf16, which a CPU has, too: other bits than fp32, and weights that stay fp32."""
    found = {}
    for precision in ("fp32", "bf16"):
        recipe = replace(RECIPE, epochs=12, lr=0.2, flip=False, crop_padding=0, precision=precision)
        trainer = Trainer(TINY, data(256, 128), recipe, 0, CPU)
        kinds = set()
        stem = trainer.model.get_submodule("stem")

        def keep(module, given, out, kinds=kinds):
            kinds.add(out.dtype)

        hook = stem.register_forward_hook(keep)
        losses = [trainer.epoch()["train_loss"] for _ in range(recipe.epochs)]
        hook.remove()
        assert kinds == {torch.bfloat16 if precision == "bf16" else torch.float32}
        assert {each.dtype for each in trainer.model.parameters()} == {torch.float32}
        assert losses[-1] < 0.5 * losses[0]
        found[precision] = losses[-1], trainer.errors()["top1_error"]
    assert found["fp32"][0] != found["bf16"][0]
    assert max(error for _, error in found.values()) < 15


def test_a_batch_in_parts_is_the_same_without_bn(monkeypatch):
    """BN takes its statistics over a part; all else is as in one."""
    recipe = replace(RECIPE, flip=False, crop_padding=0)
    monkeypatch.setattr(torch.nn.BatchNorm2d, "train", lambda self, mode=True: self)

    def after(parts: int) -> torch.Tensor:
        trainer = Trainer(TINY, data(16), replace(recipe, parts=parts).on("cpu"), 0, CPU)
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.training = False  # statistics stay as they are
        trainer.epoch()
        return torch.cat([each.flatten() for each in trainer.model.parameters()])

    assert torch.allclose(after(1), after(4), atol=1e-6)


def test_strided_1x1_convolutions_are_subsampled_to_the_same_result():
    """In the layout in which torch's own would write beyond its memory."""
    torch.manual_seed(0)
    model, images = fs.build(TINY).eval(), torch.randn(2, 1, 8, 8)
    strided = [m for m in model.modules() if getattr(m, "kernel_size", 0) == (1, 1) and m.stride == (2, 2)]
    assert strided
    expected = model(images)
    subsample(model)
    assert all(module.stride == (1, 1) for module in strided)
    laid_out: Any = model  # torch does not type memory_format
    found = laid_out.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(found, expected, atol=1e-5)
    trainer = Trainer(TINY, data(), RECIPE.on("cpu"), 0, CPU)
    assert all(m.stride == (1, 1) for m in trainer.model.modules() if getattr(m, "kernel_size", 0) == (1, 1))


def test_what_is_done_is_not_trained_again(tmp_path):
    store = fs.Store(tmp_path / "rows.jsonl")
    row = trained(store=store)
    began = len(store)
    assert trained(replace(TINY, name="Other name"), store=store) == row
    assert trained(store=str(store.path)) == row
    assert len(store) == began
    trained(store=store, seed=1)
    trained(store=store, recipe=replace(RECIPE, lr=0.05))
    assert len(store) == 3 * began


@pytest.mark.parametrize("carried", [False, True], ids=["here", "by an executor"])
def test_nothing_but_the_store_stays_behind(tmp_path, carried):
    store = fs.Store(tmp_path / "rows.jsonl")
    others = tmp_path / "rows.jsonl.checkpoints" / "anothers.pt"
    for left in ([], [others]):
        for each in left:
            each.parent.mkdir()
            each.touch()
        settings = {"store": store, "device": "cpu", "progress": quiet}
        with ProcessPoolExecutor(1) as executor:
            seed = len(left)
            fs.train_all([TINY], data(), RECIPE, (seed,), executor=executor if carried else None, **settings)
        assert {each for each in tmp_path.rglob("*") if each.is_file()} == {store.path, *left}
        assert (tmp_path / "rows.jsonl.checkpoints").exists() == bool(left)


def test_a_folder_that_another_training_removes_is_made_again(tmp_path, monkeypatch):
    path, name = tmp_path / "checkpoints" / "a.pt", files.secrets.token_hex

    def removed_meanwhile(size: int) -> str:  # between the folder's making and the file's
        monkeypatch.setattr(files.secrets, "token_hex", name)
        path.parent.rmdir()
        return name(size)

    monkeypatch.setattr(files.secrets, "token_hex", removed_meanwhile)
    checkpoints.write(path, {"of": {"seed": 0}})
    assert checkpoints.read(path, {"seed": 0}) == {"of": {"seed": 0}}


PROGRAM = """
    import itertools, os, signal, sys, torch
    sys.path[:0] = [{tests!r}, {tests!r} + "/training"]
    import fastscale_lib as fs
    from fastscale_lib.training import checkpoints
    from test_training import ALL, TINY
    from helpers.images import data
    from torch.optim.optimizer import register_optimizer_step_pre_hook
    torch.set_num_threads(1)
    steps, files, write = itertools.count(1), itertools.count(1), checkpoints.write

    def die_at(moment):
        moment and os.kill(os.getpid(), signal.SIGKILL)

    def write_and_die(*what):
        write(*what)
        die_at(next(files) == {checkpoint})

    register_optimizer_step_pre_hook(lambda *_: die_at(next(steps) == {step}))
    checkpoints.write = write_and_die
    recipe = fs.Recipe(**(ALL.to_dict() | dict(epochs=4)))
    fs.train(TINY, data(256), recipe, device="cpu", store={store!r}, checkpoint={file!r})
"""


def ended(folder: Path, step: int = 0, checkpoint: int = 0) -> int:
    """How a training process ends that is killed before this step, or once this checkpoint is written; 0: never."""
    places = {"store": str(folder / "rows.jsonl"), "file": str(folder / "a.pt")}
    text = PROGRAM.format(tests=str(Path(__file__).parents[1]), step=step, checkpoint=checkpoint, **places)
    return subprocess.run([sys.executable, "-c", textwrap.dedent(text)], timeout=HANGS_S).returncode


@posix
def test_killed_at_any_moment_it_ends_in_the_same_bits(tmp_path):
    """In the middle of the second epoch of 16 steps, and between the third's checkpoint and its row."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = {"store": whole / "rows.jsonl", "checkpoint": whole / "a.pt", "images": data(256)}
    trained(recipe=replace(ALL, epochs=4), **settings)
    assert ended(broken, step=24) == -signal.SIGKILL
    assert [row["epoch"] for row in fs.Store(broken / "rows.jsonl")] == [1]
    assert ended(broken, checkpoint=2) == -signal.SIGKILL
    assert [row["epoch"] for row in fs.Store(broken / "rows.jsonl")] == [1, 2]
    assert ended(broken) == 0
    ours, theirs = torch.load(broken / "a.pt"), torch.load(whole / "a.pt")
    assert same(ours["model"], theirs["model"])
    assert same(ours["ema"], theirs["ema"])
    rows, expected = (fs.Store(each / "rows.jsonl").rows() for each in (broken, whole))
    assert [(row["kind"], row["epoch"]) for row in rows] == [(row["kind"], row["epoch"]) for row in expected]
    for name in ("train_loss", "top1_error", "raw_top1_error", "loss", "raw_loss"):
        assert [row[name] for row in rows] == [row[name] for row in expected]


@posix
def test_stopped_by_hand_it_keeps_the_last_epoch(tmp_path):
    path = tmp_path / "a.pt"
    steps = []

    def stop(step):
        steps.append(step)
        if step.done == 6:  # in the middle of the second of three epochs of 4 steps
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fs.train(TINY, data(), RECIPE, device="cpu", checkpoint=path, progress=stop)
    assert torch.load(path)["epoch"] == 1
    assert (
        steps[-1].name
        == f"Tiny, stripes, seed 0, epoch 2 of 3, error {torch.load(path)['rows'][0]['top1_error']:.2f} %"
    )
    assert trained(checkpoint=path)["epoch"] == 3


@posix
def test_a_disk_that_is_full_leaves_the_last_good_checkpoint(tmp_path):
    import resource

    good = {"of": {"seed": 0}, "weights": torch.zeros(10)}
    checkpoints.write(tmp_path / "a.pt", good)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # the system refuses more, as a full disk does
        with pytest.raises(
            fs.training.TrainingError, match=r"cannot be written \(File too large\); the one before is kept; make"
        ) as said:
            checkpoints.write(tmp_path / "a.pt", {**good, "weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert said.value.reason == "disk"
    kept = checkpoints.read(tmp_path / "a.pt", {"seed": 0})
    assert kept is not None
    assert torch.equal(kept["weights"], good["weights"])
    assert [each.name for each in tmp_path.iterdir()] == ["a.pt"]


WRITER = """
import os, sys
from pathlib import Path
from fastscale_lib.training import checkpoints
from fastscale_lib._common import files
sync = os.fsync
def wait(handle):
    print("writing", flush=True)
    sys.stdin.readline()
    os.fsync = sync
    sync(handle)
os.fsync = wait
checkpoints.write(Path(sys.argv[1]), {"of": {"seed": 7}})
"""


@posix
def test_what_a_killed_writer_left_the_next_removes(tmp_path):
    """One is killed while it writes its checkpoint, and another of the same path still writes."""
    path, others = tmp_path / "a.pt", tmp_path / ".a.pt-mine.part"
    others.touch()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed, slow = (subprocess.Popen([sys.executable, "-c", WRITER, str(path)], **pipes) for _ in range(2))
    for each in (killed, slow):
        assert each.stdout is not None
        assert each.stdout.readline() == "writing\n"
    assert len(list(tmp_path.iterdir())) == 3
    killed.kill()
    killed.communicate(timeout=HANGS_S)
    checkpoints.write(path, {"of": {"seed": 0}})
    left = [each for each in tmp_path.iterdir() if each not in (path, others)]
    assert len(left) == 1  # of the one that lives
    task.remove_checkpoint(path)
    assert left[0].exists()
    slow.communicate("go on\n", timeout=HANGS_S)
    assert slow.returncode == 0
    assert checkpoints.read(path, {"seed": 7}) == {"of": {"seed": 7}}
    assert sorted(tmp_path.iterdir()) == [others, path]


@posix
def test_what_a_killed_writer_left_goes_with_the_checkpoint(tmp_path):
    path = tmp_path / "rows.jsonl.checkpoints" / "a.pt"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], **pipes) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "writing\n"
        killed.kill()
    assert len(list(path.parent.iterdir())) == 1
    task.remove_checkpoint(path)
    assert not path.parent.exists()


def no_folder(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "kept"


def nowhere(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "gone")
    return folder / "link" / "kept"


UNWRITABLE = pytest.mark.parametrize("place", [no_folder, nowhere, lambda folder: Path("/proc/kept")])


def at_once(*arguments, **settings):
    raise AssertionError("it has begun to work")


@posix
@UNWRITABLE
@pytest.mark.parametrize(
    ("which", "error", "said"),
    [
        ("store", fs.records.StoreError, "^store: .*"),
        ("checkpoint", fs.training.TrainingError, "^training: the checkpoint .*"),
    ],
)
def test_what_cannot_be_kept_is_known_before_any_work(tmp_path, monkeypatch, place, which, error, said):
    monkeypatch.setattr(Trainer, "__init__", at_once)
    with pytest.raises(error, match=said + r"cannot be written(: | \().*\)?; give another path$"):
        fs.train(TINY, "fashion-mnist", RECIPE, device="cpu", **{which: place(tmp_path)})


@pytest.mark.parametrize("carried", [False, True], ids=["here", "by an executor"])
def test_a_checkpoint_that_would_find_no_folder_is_known_before_any_work(tmp_path, carried):
    (tmp_path / "rows.jsonl.checkpoints").touch()
    steps: list[Step] = []
    settings = {"store": tmp_path / "rows.jsonl", "device": "cpu", "progress": steps.append}
    said = pytest.raises(
        fs.training.TrainingError, match=r"the checkpoint .* cannot be written \(.* is no folder\); give"
    )
    with ProcessPoolExecutor(1) as executor, said:
        fs.train_all([TINY], data(), RECIPE, executor=executor if carried else None, **settings)
    assert [step for step in steps if step.done] == []
    assert fs.Store(tmp_path / "rows.jsonl").rows() == []


def test_a_row_that_cannot_be_written_is_written_later(tmp_path, monkeypatch):
    store = fs.Store(tmp_path / "rows.jsonl")

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storing, "_write_all", full)
        with pytest.raises(
            fs.training.TrainingError, match=r"cannot take a row \(No space left on device\); the checkpoint is kept"
        ):
            trained(store=store)
    trained(store=store)
    assert [row["epoch"] for row in store] == [1, 2, 3, 3]


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_last_epoch(tmp_path):
    path = tmp_path / "a.pt"
    wild = replace(RECIPE, lr=1e30, warmup=0.0)
    with pytest.raises(
        fs.training.TrainingError, match=r"no finite number any more in epoch 1 .* try a lower lr"
    ) as said:
        trained(recipe=wild, checkpoint=path)
    assert said.value.reason == "diverged"
    assert not path.exists()


def test_a_loss_that_is_no_number_later_leaves_the_epochs_before(tmp_path, monkeypatch):
    path, store = tmp_path / "a.pt", fs.Store(tmp_path / "rows.jsonl")
    epoch = Trainer.epoch

    def spoilt_after_one(self, tell):
        if self.epochs_done == 1:
            with torch.no_grad():
                list(self.model.parameters())[-1].fill_(float("nan"))
        return epoch(self, tell)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "epoch", spoilt_after_one)
        with pytest.raises(fs.training.TrainingError, match="no finite number any more in epoch 2"):
            trained(checkpoint=path, store=store)
    assert torch.load(path)["epoch"] == 1
    assert trained(checkpoint=path, store=store)["epoch"] == 3
    assert [row["epoch"] for row in store] == [1, 2, 3, 3]


def test_a_loss_that_is_no_number_on_other_images_is_no_row(tmp_path):
    """One step a epoch, at a rate that leaves no number: the step's own loss was taken before it."""
    path, store = tmp_path / "a.pt", fs.Store(tmp_path / "rows.jsonl")
    wild = replace(RECIPE, lr=1e38, warmup=0.0, batch=64)
    with pytest.raises(fs.training.TrainingError, match="on the test images, after epoch 1 ") as said:
        trained(recipe=wild, checkpoint=path, store=store)
    assert said.value.reason == "diverged"
    assert not path.exists()
    assert len(store) == 0


def test_a_checkpoint_asked_for_is_made_though_the_store_has_the_row(tmp_path):
    path, store = tmp_path / "a.pt", fs.Store(tmp_path / "rows.jsonl")
    row, began = trained(store=store), len(store)
    again = trained(store=store, checkpoint=path)
    assert torch.load(path)["epoch"] == 3
    assert again["top1_error"] == row["top1_error"]
    assert len(store) == began
    assert trained(store=store, checkpoint=path) == row


def test_where_it_went_on_otherwise_the_bits_are_not_promised(tmp_path, monkeypatch):
    from fastscale_lib.training import epochs

    path = tmp_path / "a.pt"
    said = epochs.read_environment

    def stop(step):
        if step.done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fs.train(TINY, data(), RECIPE, device="cpu", checkpoint=path, progress=stop)
    monkeypatch.setattr(epochs, "read_environment", lambda device: {**said(device), "threads": 7})
    assert trained(checkpoint=path)["repeatable"] is False
    assert trained(checkpoint=tmp_path / "whole.pt")["repeatable"] is True


def test_memory_that_runs_out_is_a_sentence(monkeypatch):
    def out(*arguments):
        raise MemoryError

    monkeypatch.setattr(Trainer, "epoch", out)
    with pytest.raises(
        fs.training.TrainingError, match="Tiny: memory ran out on cpu with batch 16 in 1 parts; try parts=2"
    ):
        trained()


def test_a_file_that_is_no_checkpoint_or_anothers_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"no zip")
    with pytest.raises(
        fs.training.TrainingError, match=r"a\.pt is no checkpoint \(.*\); give another path, or delete it"
    ):
        trained(checkpoint=path)
    path.unlink()
    trained(checkpoint=path)
    with pytest.raises(fs.training.TrainingError, match="of another training: its seed is 0, not 1; give another path"):
        trained(checkpoint=path, seed=1)
    assert trained(checkpoint=path)["seed"] == 0  # done: read from the file


@pytest.mark.parametrize(
    ("network", "recipe", "said"),
    [
        (replace(TINY, classes=10), RECIPE, "Tiny is for 1 channels and 10 classes, but stripes has 1 and 4; give"),
        (replace(TINY, resolution=(8, 16)), RECIPE, "Tiny is for images of 8×16 pixels, but networks are trained on"),
        (replace(TINY, resolution=1), RECIPE, "Tiny is too deep for its resolution: its strides make 1 px 2 times"),
        (TINY, replace(RECIPE, batch=128), "batch is 128, but stripes has 64 images to train on; try a smaller"),
        (TINY, replace(RECIPE, parts=16), "parts is 16, one for each image, but BN needs two or more; try fewer"),
        (TINY, replace(RECIPE, precision="fp16"), "precision is 'fp16', but a CPU"),
    ],
)
def test_what_does_not_fit_together_is_refused(network, recipe, said):
    with pytest.raises(SettingError) as refused:
        trained(network, recipe=recipe)
    assert str(refused.value).startswith(said)


def test_a_seed_and_a_device_that_are_none_are_refused():
    with pytest.raises(SettingError, match="seed is -1, but must be a whole number from 0 to"):
        trained(seed=-1)
    with pytest.raises(SettingError, match="device is 'tpu'"):
        fs.train(TINY, data(), RECIPE, device="tpu")


JOINT = """
    import sys, torch
    sys.path[:0] = [{tests!r}, {tests!r} + "/training"]
    import fastscale_lib as fs
    from test_training import ALL, RECIPE, TINY
    from helpers.images import data
    from torch.optim.optimizer import register_optimizer_step_pre_hook
    torch.set_num_threads(1)
    recipe = fs.Recipe(**(ALL.to_dict() | dict(epochs=2, parts=4)))
    both = fs.Recipe(**(RECIPE.to_dict() | dict(parts=2)))
    fs.train_all([TINY], data(), both, (1, 2), device="cpu", store={store!r})  # one after another
    row = fs.train(TINY, data(), recipe, device="cpu", checkpoint={file!r}, store={store!r})
    assert row["processes"] == {processes}
"""


def test_two_processes_are_as_one_with_the_joint_batch(tmp_path):
    """Real processes, joined by gloo: all weights after eight steps, with every augmentation and drop-path on."""
    alone, file, store = tmp_path / "1.pt", tmp_path / "2.pt", tmp_path / "rows.jsonl"
    trained(recipe=replace(ALL, epochs=2, parts=4), checkpoint=alone)
    program = tmp_path / "joint.py"
    program.write_text(
        textwrap.dedent(
            JOINT.format(tests=str(Path(__file__).parents[1]), file=str(file), store=str(store), processes=2)
        )
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([sys.executable, *torchrun, str(program)], capture_output=True, text=True, timeout=HANGS_S)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(fs.Store(store)) == 2 * 4 + 3  # one process writes
    saved = [torch.load(path) for path in (alone, file)]
    for kind in ("model", "ema"):
        assert_alike(*(each[kind] for each in saved))
    rows = [each["rows"][-1] for each in saved]
    assert rows[0]["top1_error"] == rows[1]["top1_error"]
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"], rel=1e-5)


ALONE_OUT_OF_MEMORY = """
    import os, sys
    sys.path[:0] = [{tests!r}, {tests!r} + "/training"]
    import fastscale_lib as fs
    from fastscale_lib.training.trainer import Trainer
    from test_training import NETWORKS, RECIPE
    from helpers.images import data

    def out(*arguments):
        raise MemoryError

    if os.environ["RANK"] == "1":
        Trainer.epoch = out
    fs.train_all(NETWORKS, data(), fs.Recipe(**(RECIPE.to_dict() | dict(parts=2))), device="cpu", store={store!r})
"""


def test_a_process_that_fails_alone_ends_all(tmp_path):
    """The others would wait for it in the middle of a step, and it would go on to the next training without them."""
    program, store = tmp_path / "joint.py", tmp_path / "rows.jsonl"
    program.write_text(
        textwrap.dedent(ALONE_OUT_OF_MEMORY.format(tests=str(Path(__file__).parents[1]), store=str(store)))
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([sys.executable, *torchrun, str(program)], capture_output=True, text=True, timeout=HANGS_S)
    assert done.returncode != 0
    assert "Tiny: memory ran out on cpu with batch 16 in 2 parts; try parts=4" in done.stderr
    assert not fs.Store(store).find(kind="trained")


def test_more_processes_than_gpus_are_refused_in_a_sentence(monkeypatch):
    started = {"WORLD_SIZE": "99", "RANK": "98", "LOCAL_RANK": "98", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match="device is 'cuda:98', but must be a device that torch finds here"):
        fs.train(TINY, data(), RECIPE, device="cuda")


@pytest.mark.parametrize(
    ("started", "said"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is '2', but RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT are not set"),
        ({"WORLD_SIZE": "2", "MASTER_PORT": ""}, "WORLD_SIZE is '2', but MASTER_PORT is not set; torchrun sets them"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two', but RANK, "),
        ({"WORLD_SIZE": "two", "RANK": "0"}, "WORLD_SIZE is 'two' and RANK '0', but both must be whole numbers"),
        ({"WORLD_SIZE": "0", "RANK": "0"}, "WORLD_SIZE is '0' and RANK '0', but both"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "WORLD_SIZE is '2' and RANK '2', but both"),
        ({"WORLD_SIZE": "2", "RANK": "-1"}, "WORLD_SIZE is '2' and RANK '-1', but both"),
        ({"WORLD_SIZE": "9" * 5000, "RANK": "0"}, "WORLD_SIZE is '999"),
    ],
)
def test_a_world_size_without_torchrun_is_refused_in_a_sentence(monkeypatch, started, said):
    """As some clusters set it for each job; nothing waits for processes that nobody has started."""
    beside = {"RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in {**(beside if len(started) > 1 else dict.fromkeys(beside, "")), **started}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=f"^{said}.*: start this by torchrun, or unset WORLD_SIZE") as refused:
        fs.train(TINY, data(), RECIPE, device="cpu")
    assert len(str(refused.value)) < 400


def test_a_rank_alone_is_no_process_of_torchruns(monkeypatch):
    """The row is told of where there is but one process, whatever else has set RANK."""
    from fastscale_lib.training.torchrun import reported_elsewhere

    monkeypatch.setenv("RANK", "3")
    assert not reported_elsewhere()
    for name, value in {"WORLD_SIZE": "4", "LOCAL_RANK": "3", "MASTER_ADDR": "host", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert reported_elsewhere()


def assert_alike(one: dict, other: dict) -> None:
    for name in one:
        if "tracked" not in name:  # how many parts a process has seen
            assert torch.allclose(one[name], other[name], atol=1e-5), name


NETWORKS = [TINY, fs.scale(TINY, "w", 2)]


@pytest.mark.parametrize("carried", [False, True], ids=["here", "by an executor"])
def test_a_comparison_is_resumed_and_each_training_is_done_once(tmp_path, carried):
    store = fs.Store(tmp_path / "rows.jsonl")
    recipe = replace(RECIPE, epochs=1)

    def all_of(seeds: tuple[int, ...]) -> pd.DataFrame:
        settings = {"store": store, "device": "cpu", "progress": quiet}
        if not carried:
            return fs.train_all(NETWORKS, data(), recipe, seeds, **settings)
        with ProcessPoolExecutor(1) as executor:
            return fs.train_all(NETWORKS, data(), recipe, seeds, executor=executor, **settings)

    first = all_of((0,))
    assert len(store) == 4  # an epoch and a training, of two networks
    both = all_of((0, 1))
    assert len(store) == 8
    assert both["seed"].tolist() == [0, 0, 1, 1]
    assert both["network"].tolist() == [network.name for network in NETWORKS] * 2
    assert both.loc[[0, 1], "date"].tolist() == first["date"].tolist()
    assert not list(tmp_path.rglob("*.pt"))


def test_wherever_a_training_runs_it_gives_the_same_errors(tmp_path):
    here = fs.train_all([TINY], data(), RECIPE, store=tmp_path / "here.jsonl", device="cpu", progress=quiet)
    with ProcessPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as executor:
        settings = {"store": tmp_path / "there.jsonl", "device": "cpu", "progress": quiet}
        there = fs.train_all([TINY], data(), RECIPE, executor=executor, **settings)
    names = ["top1_error", "loss", "raw_loss", "train_loss"]
    assert there[names].equals(here[names])


@pytest.mark.parametrize("carried", [False, True], ids=["here", "by an executor"])
def test_a_training_that_diverges_has_a_row_and_is_tried_again_where_asked(tmp_path, carried):
    store = fs.Store(tmp_path / "rows.jsonl")
    wild = replace(RECIPE, lr=1e30, warmup=0.0)
    settings = {"store": store, "device": "cpu", "progress": quiet}
    for retry, rows in ((False, 1), (False, 1), (True, 2)):
        with ProcessPoolExecutor(1) as executor:
            frame = fs.train_all([TINY], data(), wild, executor=executor if carried else None, retry=retry, **settings)
        assert frame["reason"].tolist() == ["diverged"]
        assert "try a lower lr" in frame["message"][0]
        assert len(store) == rows


@pytest.mark.parametrize("carried", [False, True], ids=["here", "by an executor"])
def test_a_training_that_failed_keeps_its_last_good_checkpoint(tmp_path, carried):
    """Put there as by epochs that went well; tried again, it goes on from there."""
    store = fs.Store(tmp_path / "rows.jsonl")
    wild = replace(RECIPE, lr=1e30, warmup=0.0).on("cpu")
    ids = identity(TINY, data(), wild, 0)
    path = checkpoint_path(store, ids)
    path.parent.mkdir()
    trainer = Trainer(TINY, data(), wild, 0, CPU)
    checkpoints.write(path, {**trainer.state(), "of": ids, "rows": []})
    for _ in range(2):
        with ProcessPoolExecutor(1) as executor:
            settings = {"store": store, "device": "cpu", "progress": quiet, "executor": executor if carried else None}
            fs.train_all([TINY], data(), wild, **settings)
        assert path.exists()


def test_what_is_left_to_the_device_a_worker_of_the_executor_tells(tmp_path, monkeypatch):
    """On GPUs bf16 is trained in, whatever the machine has that asks for it."""
    asked = []

    class Elsewhere:
        def submit(self, task, *data):
            asked.append((task.__name__, data))
            future = Future()
            if task.__name__ == "read_environment":
                future.set_result({"environment": {"device": "cuda:0"}})
            else:
                future.set_result({"reason": "diverged", "message": "not trained"})
            return future

    store = tmp_path / "rows.jsonl"
    fs.train_all([TINY], data(), RECIPE, store=store, executor=Elsewhere(), progress=quiet)
    assert [name for name, _ in asked] == ["read_environment", "_train_task"]
    assert asked[1][1][2]["precision"] == "bf16"
