"""`fastscale train`: a comparison from the shell, resumed, and refused in a sentence."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers.images import write_mnist_files
from helpers.posix import posix
from helpers.waiting import HANGS_S, until

import fastscale_lib as fs
from fastscale_lib import cli

TINY = fs.anynet(
    name="Tiny",
    depths=[1],
    widths=[8],
    strides=[1],
    group_widths=8,
    stem="res_stem_cifar",
    stem_width=8,
    classes=4,
    channels=1,
    resolution=8,
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """In a folder with a network, a recipe, and the four files of a small set of images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_mnist_files(tmp_path / "images")
    (tmp_path / "tiny.yaml").write_text(TINY.to_yaml())
    (tmp_path / "recipe.yaml").write_text("epochs: 2\nbatch: 16\ncrop_padding: 1\n")


def train(*more: str) -> int:
    data = ["--data", "mnist-files", "--path", "images", "--device", "cpu"]
    return cli.main(["train", "tiny.yaml", *data, "--recipe", "recipe.yaml", "--store", "rows.jsonl", *more])


def test_a_comparison_is_trained_once(capsys):
    scaled = ["--strategies", "d", "w", "--scales", "1", "4"]
    asked = [*scaled, "--seeds", "0", "1", "--holdout", "16", "--set", "epochs=1"]
    assert train(*asked) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 6  # the base, by d and by w; two seeds each
    assert lines[0].startswith("Tiny, seed 0: top-1 error ")
    assert "% (holdout images, ema weights), " in lines[0]
    assert "training 6 of 6: " in shown.err
    rows = fs.Store("rows.jsonl").find(kind="trained")
    assert [(row["strategy"], row["scale"], row["seed"]) for row in rows] == [
        (strategy, scale, seed) for seed in (0, 1) for strategy, scale in ((None, 1), ("d", 4), ("w", 4))
    ]
    assert train(*asked) == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert len(fs.Store("rows.jsonl")) == 12


def test_weights_are_kept_where_asked(tmp_path):
    import torch

    assert train("--checkpoint", "tiny.pt") == 0
    fs.build(TINY).load_state_dict(torch.load(tmp_path / "tiny.pt")["ema"])


@pytest.mark.parametrize("option", ["--store", "--checkpoint"])
def test_what_cannot_be_kept_is_said_before_the_data_are_read(tmp_path, capsys, monkeypatch, option):
    (tmp_path / "file").touch()
    monkeypatch.setattr("fastscale_lib.training.datasets.dataset", lambda **_: pytest.fail("the data are read"))
    assert train("--checkpoint", "tiny.pt", option, str(tmp_path / "file" / "kept")) == 2 - (option == "--checkpoint")
    assert "file is no folder" in capsys.readouterr().err


def test_a_training_that_diverges_ends_with_1(tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text("lr: 1.0e+30\nwarmup: 0\nbatch: 16\n")
    assert train() == 1
    assert "Tiny, seed 0: training: the loss is no finite number any more in epoch 1" in capsys.readouterr().out


def test_of_two_trainings_of_which_one_diverges_each_is_told(capsys):
    """In a column with texts pandas has NaN for None."""
    assert train() == 0
    row = fs.Store("rows.jsonl").find(kind="trained")[0]
    assert train("--seeds", "1", "--set", "lr=1e30", "warmup=0") == 1
    failed = fs.Store("rows.jsonl").find(kind="trained")[1]
    fs.Store("both.jsonl").add(row)
    fs.Store("both.jsonl").add({**failed, "recipe_id": row["recipe_id"]})
    capsys.readouterr()
    assert train("--seeds", "0", "1", "--store", "both.jsonl") == 1
    good, bad = capsys.readouterr().out.splitlines()
    assert good.startswith("Tiny, seed 0: top-1 error ")
    assert bad.startswith("Tiny, seed 1: training: the loss is no finite number any more in epoch 1")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", "mnist"], "dataset: name is 'mnist', but must be one of fashion-mnist, "),
        (["--path", "nowhere"], "data: nowhere/train-images-idx3-ubyte.gz cannot be read: No such file"),
        (["--recipe", "none.yaml"], "recipe: none.yaml cannot be read: No such file"),
        (["--set", "lr"], "recipe: 'lr' sets nothing; write a name and its value, as in lr=0.4"),
        (["--set", "lr=high"], "recipe: lr is 'high', but must be a number above 0"),
        (["--set", "epochs=0"], "recipe: epochs is 0, but must be a whole number of at least 1"),
        (["--seeds", "-1"], "seed is -1, but must be a whole number from 0 to 9,223,372,036,854,775,807; try 0"),
        (["--scales", "2"], "plan: scales are 2, but there is no strategy; give one, as dWr"),
        (
            ["--checkpoint", "a.pt", "--seeds", "0", "1"],
            "--checkpoint is for one training on this machine, but these are 2; leave",
        ),
        (["--device", "tpu"], "device is 'tpu', but must be"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(capsys, more, said):
    assert train(*more) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1].startswith(f"fastscale: {said}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.yaml", "network: none.yaml cannot be read: No such file or directory"),
        ("ResNet-50", "ResNet-50 is for 3 channels and 1000 classes, but mnist-files has 1 and 4; give these in its"),
    ],
)
def test_a_network_that_is_not_there_or_does_not_fit_is_refused(capsys, name, said):
    asked = ["--data", "mnist-files", "--path", "images", "--device", "cpu", "--store", "rows.jsonl"]
    assert cli.main(["train", name, *asked]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"fastscale: {said}")


def test_networks_are_scaled_to_flops_and_what_is_off_is_said_in_words():
    asked = ["--data", "mnist-files", "--path", "images", "--device", "cpu", "--recipe", "recipe.yaml"]
    asked += ["--strategies", "0.5", "d", "--scales", "4", "--to-flops", "--set", "epochs=1", "--store", "rows.jsonl"]
    command = [sys.executable, "-m", "fastscale_lib", "train", "tiny.yaml", *asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S)
    assert done.returncode == 0, done.stderr
    assert [row["strategy"] for row in fs.Store("rows.jsonl").find(kind="trained")] == ["alpha=0.5", "d"]
    said = [line for line in done.stderr.splitlines() if "flops asked" in line]
    assert said
    assert all(line.startswith("fastscale: Tiny scaled by ") for line in said)
    assert ".py" not in done.stderr


@posix
def test_on_a_cluster_whose_worker_is_killed_each_training_is_done_once(capsys):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(**settings, resources={"GPU": 1}) as cluster:
        with cluster.get_client() as client:
            client.wait_for_workers(2, timeout=HANGS_S)
            first = next(iter(client.run(os.getpid).values()))
        killer = threading.Thread(target=kill_after_a_row, args=(first,))
        killer.start()
        asked = ["--strategies", "d", "w", "--scales", "1", "4", "--seeds", "0", "1", "--set", "epochs=4"]
        assert train(*asked, "--scheduler", cluster.scheduler_address) == 0
        killer.join(timeout=HANGS_S)
    assert not killer.is_alive()
    assert len(capsys.readouterr().out.splitlines()) == 6
    rows = fs.Store("rows.jsonl").find(kind="trained")
    assert len({(row["network"], row["seed"]) for row in rows}) == len(rows) == 6
    assert not list(Path().rglob("*.pt"))
    alone = fs.train(
        TINY, fs.dataset("mnist-files", "images"), fs.Recipe.read("recipe.yaml").set("epochs=4"), device="cpu"
    )
    there = next(row for row in rows if row["network"] == "Tiny" and row["seed"] == 0)
    assert there["loss"] == pytest.approx(alone["loss"], rel=1e-5)


def kill_after_a_row(process: int) -> None:
    until(lambda: Path("rows.jsonl").exists() and fs.Store("rows.jsonl").find(kind="trained"))
    os.kill(process, signal.SIGKILL)


def test_torchrun_ends_well_and_writes_each_row_once():
    asked = ["--data", "mnist-files", "--path", "images", "--device", "cpu", "--recipe", "recipe.yaml"]
    asked += ["--set", "parts=2", "epochs=1", "--store", "rows.jsonl"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "fastscale_lib", "train", "tiny.yaml", *asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Tiny, seed 0: top-1 error ")
    assert len(done.stdout.splitlines()) == 1
    [row] = fs.Store("rows.jsonl").find(kind="trained")
    assert row["processes"] == 2
