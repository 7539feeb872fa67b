"""Every public function, each argument in turn replaced by what nobody means: the answer is a sentence, and no hang.

A table holds a call of each function that works. Only the library's own errors may come of it, and no message may be
long. Functions that run long work are given work that ends at once.
"""

from __future__ import annotations

import inspect
import json
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.notebooks import REPO
from helpers.waiting import stopped_where_it_hangs
from traitlets import TraitError

import fastscale_lib as fs
from fastscale_lib.measuring.settings import Settings

LONGEST_MESSAGE = 2_000  # characters: the parameters of a notebook are listed in full


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("this has no repr")


class HugeRepr:
    def __repr__(self) -> str:
        return "huge " * 100_000


def endless_list() -> list:
    endless: list = [1]
    endless.append(endless)
    return endless


def endless_dict() -> dict:
    endless: dict = {}
    endless["a"] = endless
    return endless


HOSTILE: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "10**400": lambda: 10**400,
    "fraction": lambda: Fraction(1, 3),
    "Decimal NaN": lambda: Decimal("NaN"),
    "complex": lambda: 1j,
    "empty text": lambda: "",
    "long text": lambda: "x" * 10_000,
    "surrogate": lambda: "\ud800",
    "null character": lambda: "\0",
    "bytes": lambda: b"x",
    "[]": lambda: [],
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "{}": lambda: {},
    "{1: 2}": lambda: {1: 2},
    "{'': None}": lambda: {"": None},
    "set": lambda: {1, "a"},
    "np.int64": lambda: np.int64(3),
    "np.nan": lambda: np.float64("nan"),
    "array": lambda: np.array([1.0, 2.0]),
    "array of texts": lambda: np.array(["a", "b"]),
    "empty array": lambda: np.zeros((0, 3)),
    "empty frame": pd.DataFrame,
    "frame": lambda: pd.DataFrame({"a": [1, 2]}),
    "frame of None": lambda: pd.DataFrame({"network": [None], "flops": [None], "strategy": [None]}),
    "module": lambda: torch.nn.Linear(1, 1),
    "tensor": lambda: torch.zeros(2),
    "class": lambda: int,
    "function": lambda: len,
    "unprintable": Unprintable,
    "huge repr": HugeRepr,
    "endless list": endless_list,
    "endless dict": endless_dict,
}

SMALL = fs.anynet(depths=[1], widths=[8], resolution=16, stem_width=8, classes=4)


def channels_of(channels: int = 8) -> torch.nn.Module:
    return torch.nn.Conv2d(3, channels, 3)


@cache
def small_family() -> fs.architectures.Family:
    return fs.family(channels_of, resolution=16, width={"channels": 8})


@cache
def rows() -> pd.DataFrame:
    """Measured rows of three networks scaled by two strategies, in the form of all timings."""
    measured = fs.records.read_rows([REPO / "data" / "measured" / "nvidia-h200.jsonl"])
    return measured[measured["mode"] == "inference"]


@cache
def model() -> fs.RuntimeModel:
    return fs.RuntimeModel.fit(cpu_rows(), by="flops")


@cache
def cpu_rows() -> pd.DataFrame:
    frame = fs.Store(REPO / "data" / "measured" / "intel-xeon-2-threads.jsonl").frame()
    return frame[(frame["mode"] == "inference") & frame["median_ms"].notna()].head(30)


@cache
def seed_rows() -> pd.DataFrame:
    return fs.Store(REPO / "data" / "measured" / "training" / "intel-xeon-1-thread.jsonl").frame()


@cache
def one_base() -> pd.DataFrame:
    errors = fs.analysis.seed_errors(seed_rows())
    first = errors.iloc[0]
    same = [errors[name] == first[name] for name in ("base", "data", "data_id", "part", "recipe_id")]
    return errors[np.logical_and.reduce(same)]


@cache
def measurement() -> fs.records.Measurement:
    row = next(iter(fs.Store(REPO / "data" / "measured" / "nvidia-h200.jsonl").rows()))
    names = inspect.signature(fs.records.Measurement).parameters
    return fs.records.Measurement.from_dict({name: value for name, value in row.items() if name in names})


@cache
def curve() -> pd.DataFrame:
    alphas = [0.0, 0.5, 0.8, 1.0]
    return pd.DataFrame({"network": "ResNet-50", "alpha": alphas, "scale": 4.0, "activations": [4.0, 3.0, 2.0, 1.0]})


@cache
def images() -> fs.training.ImageData:
    some, labels = np.zeros((8, 1, 4, 4), np.uint8), np.arange(8) % 2
    return fs.training.ImageData(some, labels, some, labels)


IMAGES = {
    "images": np.zeros((4, 1, 4, 4), np.uint8),
    "labels": np.arange(4) % 2,
    "test_images": np.zeros((4, 1, 4, 4), np.uint8),
    "test_labels": np.arange(4) % 2,
    "name": "mine",
    "classes": 2,
    "part": "test",
}
GROUPS = {"by": ["source", "mode"], "metrics": ["flops", "activations"], "resamples": 10, "seed": 0}


class NoWork:
    """A worker whose measurements are refused as soon as they are asked for."""

    def __enter__(self) -> NoWork:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def measure(self, *_: Any, **__: Any) -> None:
        raise fs.records.MeasureError("nothing is measured here", "failed")

    time = try_run = measure


class NoChild:
    """A process apart that says that it has a CPU, and does nothing else."""

    alive, busy = True, False

    def take(self, job: Any, line: str) -> bool:
        cpu = {"kind": "environment", "environment": {"device": "cpu"}}
        refused = {"kind": "error", "reason": "failed", "message": "nothing is measured here"}
        job.tell(cpu if json.loads(line)["kind"] == "environment" else refused)
        return True

    def kill(self, *_: Any) -> None:
        pass

    join = kill


def without_work(call: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose measurements are refused: what is left are the checks of its arguments."""

    def checked(**given: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for module, name, stand_in in STAND_INS:
                patch.setattr(import_module(f"fastscale_lib.{module}"), name, stand_in)
            with suppress(fs.records.MeasureError):
                call(**given)

    return checked


STAND_INS = (
    ("measuring.in_subprocess", "kept_worker", NoWork),
    ("measuring.batch_search", "Worker", NoWork),
    ("measuring.worker", "Child", NoChild),
    ("prediction.calibration", "probes", lambda count: (SMALL,)),
    ("reports.engine", "_alone_in", NoWork().measure),
    ("measuring.peak_rates", "measure", NoWork().measure),
    ("measuring.peak_workloads", "Product", lambda *_: None),
    ("measuring.peak_workloads", "Copy", lambda *_: None),
    ("measuring.plan_runner", "ask_environment", NoWork().measure),
    ("training.epochs", "run_epochs", NoWork().measure),
)


def explored(**given: Any) -> None:
    """Make an explorer, and end it: no process measures, since it is not shown."""
    fs.explore(**given).close()


def by_worker(method: str) -> Callable[..., Any]:
    def call(**given: Any) -> None:
        with fs.measuring.Worker() as worker:
            getattr(worker, method)(**given)

    return without_work(call)


@cache
def store() -> fs.Store:
    return fs.Store(Path(tempfile.mkdtemp()) / "rows.jsonl")


@cache
def layer_model() -> fs.RuntimeModel:
    return fs.RuntimeModel.fit(cpu_rows())


TIMM = sorted((REPO / "tests" / "records" / "timm_files").glob("*.csv"))[0]


# A call of each function that works: the function, and its arguments by name.
CALLS: dict[str, tuple[Callable[..., Any], Callable[[], dict[str, Any]]]] = {
    "error_gaps": (
        fs.analysis.error_gaps,
        lambda: {
            "frame": fs.records.published_errors("pycls_zoo_v100"),
            "family": "RegNetY",
            "other": "EfficientNet",
            "x": "flops",
        },
    ),
    "growth": (fs.analysis.growth, lambda: {"frame": fs.records.published("pycls_zoo_v100"), "metric": "activations"}),
    "seed_errors": (fs.analysis.seed_errors, lambda: {"rows": seed_rows()}),
    "error_difference": (
        fs.analysis.error_difference,
        lambda: {"errors": one_base(), "one": "w", "other": "dWr", "scale": 4.0},
    ),
    "published": (fs.records.published, lambda: {"name": "pycls_zoo_v100", "folder": REPO / "data" / "published"}),
    "published_errors": (
        fs.records.published_errors,
        lambda: {"name": "pycls_zoo_v100", "folder": REPO / "data" / "published"},
    ),
    "published_form": (fs.records.published_form, lambda: {"rows": rows()}),
    "ImageData": (fs.training.ImageData, lambda: dict(IMAGES)),
    "ImageData.held_out": (lambda number: images().held_out(number), lambda: {"number": 2}),
    "ImageData.few": (lambda **given: images().few(**given), lambda: {"images": 2, "test_images": 2}),
    "dataset": (fs.dataset, lambda: {"name": "fashion-mnist", "path": "nowhere", "holdout": 1, "resolution": None}),
    "Recipe": (fs.Recipe, lambda: fs.Recipe().to_dict()),
    "measure_plan": (
        without_work(fs.measure_plan),
        lambda: {
            "plan": fs.Plan(SMALL, batch=2, device="cpu"),
            "store": store(),
            "executor": None,
            "progress": None,
            "retry": False,
            "ahead": 64,
        },
    ),
    "train": (
        without_work(fs.train),
        lambda: {
            "network": SMALL,
            "data": images(),
            "recipe": None,
            "store": store(),
            "seed": 0,
            "device": "cpu",
            "checkpoint": None,
            "progress": None,
        },
    ),
    "train_all": (
        without_work(fs.train_all),
        lambda: {
            "networks": [SMALL],
            "data": images(),
            "recipe": None,
            "seeds": (0,),
            "store": store(),
            "executor": None,
            "device": "cpu",
            "progress": None,
            "retry": False,
        },
    ),
    "Recipe.set": (lambda setting: fs.Recipe().set(setting), lambda: {"setting": "lr=0.4"}),
    "Recipe.from_dict": (fs.Recipe.from_dict, lambda: {"plain": {"lr": 0.4}}),
    "Recipe.read": (fs.Recipe.read, lambda: {"path": REPO / "data" / "training" / "recipe.yaml"}),
    "Recipe.on": (lambda device_type: fs.Recipe().on(device_type), lambda: {"device_type": "cpu"}),
    "Recipe.learning_rate": (fs.Recipe().learning_rate, lambda: {"step": 1, "steps": 10}),
    "Recipe.ema_decay": (fs.Recipe().ema_decay, lambda: {"step": 1, "steps": 10}),
    "regimes": (fs.scaling.regimes, lambda: {"networks": ["RegNetX-16GF"], "strategies": ["w"]}),
    "peak_memory": (
        fs.peak_memory,
        lambda: {
            "network_or_module": SMALL,
            "batch": 2,
            "mode": "training",
            "precision": "fp32",
            "resolution": 16,
        },
    ),
    "roofline_share": (fs.prediction.roofline_share, lambda: {"frame": rows(), "known": []}),
    "correlations": (fs.analysis.correlations, lambda: {"frame": fs.records.published("pycls_zoo_v100"), **GROUPS}),
    "leads": (
        fs.analysis.leads,
        lambda: {"frame": fs.records.published("pycls_zoo_v100"), "metric": "flops", **GROUPS},
    ),
    "equal_flops": (fs.equal_flops, lambda: {"networks": ["ResNet-50"], "strategies": ["w"], "scales": [2.0]}),
    "knees": (fs.analysis.knees, lambda: {"frame": curve(), "by": ["network"], "value": "activations", "nearly": 0.25}),
    "read_rows": (fs.records.read_rows, lambda: {"paths": [REPO / "data" / "measured" / "nvidia-h200.jsonl"]}),
    "measured_times": (
        fs.analysis.measured_times,
        lambda: {"rows": rows(), "network": "EfficientNet-B0", "strategies": ["w"], "scales": [4.0]},
    ),
    "predicted_times": (
        fs.analysis.predicted_times,
        lambda: {"rows": cpu_rows().assign(source="rows"), "frame": fs.equal_flops(["ResNet-50"], ["w"], [2.0])},
    ),
    "prediction_errors": (fs.prediction.prediction_errors, lambda: {"frame": cpu_rows(), "extra": None}),
    "RuntimeModel.fit": (fs.RuntimeModel.fit, lambda: {"frame": cpu_rows(), "by": "flops"}),
    "network": (fs.network, lambda: {"name": "ResNet-50"}),
    "anynet": (
        fs.anynet,
        lambda: {
            **{"depths": [1], "widths": [8], "strides": 2, "bottlenecks": 1.0, "group_widths": 8, "kernels": 3},
            **{"block": "res_bottleneck_block", "stem": "simple_stem_in", "stem_width": 8, "se_ratio": 0.25},
            **{"head_width": 0, "activation": "relu", "classes": 4, "channels": 3, "resolution": 16, "name": "mine"},
        },
    ),
    "regnet": (
        fs.regnet,
        lambda: {
            **{"depth": 4, "w0": 24, "wa": 24.0, "wm": 2.5, "group_width": 8, "bottleneck": 1.0, "stride": 2},
        },
    ),
    "Network.from_dict": (fs.Network.from_dict, lambda: {"plain": SMALL.to_dict()}),
    "Network.from_yaml": (fs.Network.from_yaml, lambda: {"text": SMALL.to_yaml()}),
    "strategy": (fs.strategy, lambda: {"name": "dWr"}),
    "strategy of alpha": (fs.strategy, lambda: {"alpha": 0.8}),
    "scale": (fs.scale, lambda: {"network": SMALL, "strategy": "w", "s": 2.0}),
    "scale_to": (fs.scale_to, lambda: {"network": SMALL, "strategy": "w", "flops": 1e8, "adjust": True}),
    "complexity": (fs.complexity, lambda: {"network": SMALL}),
    "complexity of a module": (
        fs.complexity,
        lambda: {"network": torch.nn.Conv2d(3, 4, 3), "resolution": 8, "example": None},
    ),
    "trace": (
        fs.architectures.trace,
        lambda: {"module": torch.nn.Conv2d(3, 4, 3), "resolution": None, "example": torch.zeros(1, 3, 8, 8)},
    ),
    "family": (
        fs.family,
        lambda: {
            "make": channels_of,
            "resolution": 16,
            "depth": None,
            "width": {"channels": 8},
            "example": None,
            "name": None,
            "cache": False,
        },
    ),
    "scale a family": (fs.scale, lambda: {"network": small_family(), "strategy": "w", "s": 2.0}),
    "layers": (fs.layers, lambda: {"network": SMALL}),
    "flops_by_kind": (fs.architectures.flops_by_kind, lambda: {"network": SMALL}),
    "sweep": (fs.sweep, lambda: {"networks": [SMALL], "strategies": ["w"], "scales": [2.0], "stages": True}),
    "laws": (fs.scaling.laws, lambda: {"networks": [SMALL], "strategies": ["w"], "scales": [2.0]}),
    "fit_exponents": (fs.scaling.fit_exponents, lambda: {"networks": SMALL, "strategies": ["w"], "scales": [2.0, 4.0]}),
    "build": (fs.build, lambda: {"network": SMALL, "device": "meta", "drop_path": 0.0, "zero_gamma": False}),
    "load_weights": (
        fs.load_weights,
        lambda: {"model": fs.build(SMALL), "weights": fs.build(SMALL), "classifier": True, "eps": None},
    ),
    "compare": (fs.records.compare, lambda: {"a": measurement(), "b": measurement(), "same": 0.02}),
    "Measurement.from_dict": (fs.records.Measurement.from_dict, lambda: {"plain": measurement().to_dict()}),
    "costs": (
        fs.prediction.costs,
        lambda: {
            **{"network": SMALL, "strategies": ["w"], "scales": [2.0], "batch": 2, "mode": "inference"},
            **{"precision": "fp32", "model": None, "memory": False},
        },
    ),
    "within": (
        fs.within,
        lambda: {
            **{"network": SMALL, "strategies": ["w"], "flops": 1e7, "batch": 2, "mode": "inference"},
            **{"precision": "fp32", "model": None, "memory": True},
        },
    ),
    "which": (
        fs.which,
        lambda: {
            **{"device": "rtx-4090", "ms": 20.0, "batch": 64, "gb": 8.0, "min_top1": 70.0, "scaled": False},
            **{"sure": False, "rows": 5, "mode": "inference", "precision": "fp16", "compile": False},
        },
    ),
    "RuntimeModel.of": (
        fs.RuntimeModel.of,
        lambda: {"device_name": "rtx-4070", "measured": None, "channels_last": False},
    ),
    "Plan": (
        fs.Plan,
        lambda: {
            **{"networks": [SMALL], "strategies": ["w"], "scales": [2.0], "batch": 2, "mode": "inference"},
            **{"precision": "fp32", "to_flops": False, "resolution": 16, "channels_last": True, "compile": False},
            **{"tf32": False, "device": None, "threads": 1, "interval": 0.01, "seconds": 1.0},
        },
    ),
    "Plan.from_dict": (fs.Plan.from_dict, lambda: {"plain": fs.Plan([SMALL]).to_dict()}),
    "Plan.from_yaml": (fs.Plan.from_yaml, lambda: {"text": fs.Plan([SMALL]).to_yaml()}),
    "Plan.read": (fs.Plan.read, lambda: {"path": REPO / "data" / "plans" / "cpu.yaml"}),
    "RuntimeModel.predict": (
        lambda **given: model().predict(**given),
        lambda: {"networks": [SMALL], "batch": 4, "strict": False},
    ),
    "RuntimeModel.curve": (
        lambda **given: layer_model().curve(**given),
        lambda: {"network": "EfficientNet-B0", "strategies": ["w"], "scales": [2.0], "batch": 4},
    ),
    "RuntimeModel.layers": (
        lambda **given: layer_model().layers(**given),
        lambda: {"network": "EfficientNet-B0", "batch": 4},
    ),
    "Network.with_dimensions": (SMALL.with_dimensions, lambda: {"dims": SMALL.dimensions, "channels": 3}),
    "read_timm": (
        fs.records.read_timm,
        lambda: {
            **{"path": TIMM, "device_name": "GPU", "precision": "fp32", "channels_last": True, "compile": False},
            **{"torch": "2.4", "cuda": "12.1"},
        },
    ),
    "Store": (fs.Store, lambda: {"path": REPO / "data" / "measured" / "nvidia-h200.jsonl"}),
    "Store.add": (lambda **given: store().add(**given), lambda: {"row": {"key": "a", "value": 1}}),
    "Store.find": (lambda **given: store().find(**given), lambda: {"key": "a"}),
    "measure": (
        without_work(fs.measure),
        lambda: {
            **{"network_or_module": SMALL, "batch": 2, "mode": "inference", "precision": "fp32", "device": "cpu"},
            **{"channels_last": True, "compile": False, "resolution": 16, "interval": 0.01, "seconds": 0.1},
            **{"progress": None, "tf32": False, "threads": 1, "limit": None},
        },
    ),
    "largest_batch": (
        without_work(fs.largest_batch),
        lambda: {
            **{"network": SMALL, "mode": "inference", "precision": "fp32", "device": "cpu", "channels_last": True},
            **{"resolution": 16, "limit": 4, "grain": 1.0, "memory_bytes": None, "timeout": None, "progress": None},
            **{"worker": None},
        },
    ),
    "calibrate": (
        without_work(fs.calibrate),
        lambda: {
            **{"device": "cpu", "mode": "inference", "precision": "fp32", "batch": 2, "channels_last": True},
            **{"compile": False, "tf32": False, "threads": 1, "store": store(), "progress": None, "count": 10},
            **{"anew": False},
        },
    ),
    "report": (
        without_work(fs.report),
        lambda: {
            **{"only": "02", "profile": "fast", "parameters": {}, "grid": {}, "jobs": 1, "force": False},
            **{"out": store().path.parent / "pages", "notebooks": REPO / "notebooks", "limit": 1.0, "progress": None},
        },
    ),
    "explore": (
        explored,
        lambda: {
            **{"network": SMALL, "strategies": ("w",), "alpha": 0.5, "scale": 2.0, "resolution": 16, "flops": None},
            **{"batch": 2, "precision": "fp32", "mode": "inference", "device": "auto", "seconds": 0.1, "live": False},
            **{"shown": "α"},
        },
    ),
    "Worker.submit": (
        by_worker("submit"),
        lambda: {"request": {"kind": "devices"}, "on_event": lambda event: None, "limit": 1.0},
    ),
    "Worker.time": (
        by_worker("time"),
        lambda: {"network": SMALL, "settings": Settings(2, device="cpu"), "timeout": 1.0, "progress": None},
    ),
    "Worker.devices": (by_worker("devices"), lambda: {"timeout": 1.0}),
    "Worker.environment": (by_worker("environment"), lambda: {"device": "cpu", "timeout": 1.0}),
    "Worker.try_run": (
        by_worker("try_run"),
        lambda: {"network": SMALL, "settings": Settings(2, device="cpu"), "memory_bytes": 10**8, "timeout": 1.0},
    ),
    "ceilings": (
        without_work(fs.measuring.ceilings),
        lambda: {"device": "cpu", "precision": "fp32", "tf32": False, "threads": 1, "seconds": 0.1},
    ),
}


def raw(call: Callable[..., Any], given: dict[str, Any]) -> str | None:
    """What is wrong with how a call ends: another's error, a long one, or no end; None where all is well."""
    try:
        with stopped_where_it_hangs():
            call(**given)
    except Exception as error:
        if not isinstance(error, fs.FastscaleError | TraitError):
            return f"{type(error).__name__}: {error}"[:150]
        return f"{len(str(error)):,} characters" if len(str(error)) > LONGEST_MESSAGE else None
    return None


@pytest.mark.parametrize("name", CALLS)
def test_the_call_of_the_table_works(name):
    call, arguments = CALLS[name]
    if name == "dataset":
        with pytest.raises(fs.training.DataError, match="nowhere"):
            call(**arguments())
    else:
        call(**arguments())


@pytest.mark.parametrize("name", CALLS)
def test_whatever_is_given_is_answered_in_a_sentence(name):
    call, arguments = CALLS[name]
    given, found = arguments(), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for argument in given:
            for what, make in HOSTILE.items():
                value = make()
                if argument in ("progress", "on_event") and callable(value):
                    continue  # what the caller's own function raises is the caller's
                if said := raw(call, {**given, argument: value}):
                    found[f"{argument} = {what}"] = said
    assert found == {}
