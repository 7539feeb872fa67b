"""The command: sweeps that are killed and started again, what it says, and how it ends."""

import contextlib
import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
from helpers.posix import posix
from helpers.waiting import HANGS_S, stopped_where_it_hangs, until

import fastscale_lib as fs
from fastscale_lib import cli
from fastscale_lib._common import progress, shell
from fastscale_lib.measuring import cluster
from fastscale_lib.measuring.plans import Plan
from fastscale_lib.records import store as storing
from fastscale_lib.records.store import Store

TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=16, resolution=32, classes=10)
PLAN = Plan(TINY, ["d", "w"], [1, 4, 9, 16], [1, 2], seconds=0.05, interval=0.2, device="cpu")  # of 14 points


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "rows.jsonl")


@pytest.fixture
def plan(tmp_path) -> str:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.to_yaml())
    return str(path)


@pytest.fixture
def slow_plan(tmp_path) -> str:
    """The same points, each of which takes long enough to be interrupted."""
    path = tmp_path / "slow.yaml"
    path.write_text(replace(PLAN, seconds=0.4, interval=1e-9).to_yaml())
    return str(path)


def start(*arguments: str, sigint: signal.Handlers = signal.SIG_DFL) -> subprocess.Popen:
    """Start the command with this disposition of SIGINT, whichever these tests have inherited."""
    command = [sys.executable, "-m", "fastscale_lib", *arguments]
    before = (lambda: signal.signal(signal.SIGINT, sigint)) if os.name == "posix" else None
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before)


def until_stored(store: Store, rows: int, process: subprocess.Popen) -> None:
    until(lambda: len(store) >= rows or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def measured_once(store: Store) -> bool:
    """Whether every point has one row, and no more."""
    kept = Counter((row["network_id"], row["batch"]) for row in store)
    return kept == Counter((point.network_id, point.batch) for point in PLAN.points())


def test_a_sweep_from_the_shell(store, plan):
    process = start("sweep", plan, "--store", str(store.path))
    said, progress = process.communicate(timeout=HANGS_S)
    assert process.returncode == 0, progress
    assert said == f"14 of 14 points have a time: {store.path}\n"
    assert progress.startswith("0/14")
    assert "\n14/14 · Tiny" in progress
    assert measured_once(store)


def test_a_row_that_the_store_does_not_take_is_printed_to_be_added_by_hand(store, tmp_path, monkeypatch, capsys):
    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "one.yaml").write_text(Plan(TINY, seconds=0.05, interval=0.2, device="cpu").to_yaml())
    sweep = ["sweep", str(tmp_path / "one.yaml"), "--store", str(store.path)]
    with monkeypatch.context() as patch:
        patch.setattr(storing, "_write_all", full)
        assert cli.main(sweep) == cli.WRONG
    said = capsys.readouterr()
    assert "run the same again to go on; the row is on standard output, to be added by hand" in said.err
    store.path.write_text(said.out)
    assert cli.main(sweep) == cli.DONE
    assert store.path.read_text() == said.out  # nothing is measured again


@posix
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_killed_or_stopped_goes_on(store, slow_plan, kill):
    """By SIGTERM where SIGINT is ignored, as in what a script has put in the background."""
    sigint = signal.SIG_IGN if kill == signal.SIGTERM else signal.SIG_DFL
    process = start("sweep", slow_plan, "--store", str(store.path), sigint=sigint)
    until_stored(store, 4, process)
    process.send_signal(kill)
    _, said = process.communicate(timeout=HANGS_S)
    before = store.rows()
    assert 4 <= len(before) < 14
    if kill != signal.SIGKILL:
        assert process.returncode == 130
        assert said.endswith("fastscale: stopped; run the same command again to go on\n")
    process = start("sweep", slow_plan, "--store", str(store.path))
    _, said = process.communicate(timeout=HANGS_S)
    assert process.returncode == 0, said
    assert store.rows()[: len(before)] == before
    assert measured_once(store)


@posix
def test_on_a_cluster_the_command_is_killed_and_goes_on(store, slow_plan):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1"}
    with distributed.LocalCluster(**settings, dashboard_address=None, resources={"GPU": 1}) as cluster:
        command = ["sweep", slow_plan, "--store", str(store.path), "--scheduler", cluster.scheduler_address]
        process = start(*command)
        until_stored(store, 3, process)
        process.kill()
        process.communicate(timeout=HANGS_S)
        assert 3 <= len(store) < 14
        process = start(*command)
        said, progress = process.communicate(timeout=HANGS_S)
        assert process.returncode == 0, progress
    assert said.startswith("14 of 14 points have a time")
    assert measured_once(store)
    assert all(row["worker"].startswith("tcp://127.0.0.1:") for row in store)


def test_points_without_an_answer_end_with_1_unless_out_of_memory(store, plan, monkeypatch, capsys):
    def ended(*reasons):
        rows = PLAN.frame()
        rows["reason"] = [*reasons, *[None] * (14 - len(reasons))]
        monkeypatch.setattr(cli, "measure_plan", lambda *arguments, **settings: rows)
        return cli.main(["sweep", plan, "--store", str(store.path)]), capsys.readouterr().out

    assert ended() == (0, f"14 of 14 points have a time: {store.path}\n")
    assert ended("out of memory") == (0, f"13 of 14 points have a time, 1 out of memory: {store.path}\n")
    assert ended("died", "died")[0] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("networks: [ResNet-51]", "network: 'ResNet-51' is not a base network; the nearest names are ResNet-"),
        ("networks: ResNet-50\nbatch: 0", "batch is 0, but must be a whole number of at least 1; try batch=64"),
        ("networks: ResNet-50\nscale: 2", "plan: 'scale' is not known here; did you mean scales?"),
    ],
)
def test_a_wrong_plan_is_said_in_one_sentence(tmp_path, store, capsys, text, said):
    (tmp_path / "plan.yaml").write_text(text)
    assert cli.main(["sweep", str(tmp_path / "plan.yaml"), "--store", str(store.path)]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"fastscale: {said}")
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not store.path.exists()


def test_a_scheduler_that_is_not_there_is_said(plan, store, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    assert cli.main(["sweep", plan, "--store", str(store.path), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "--scheduler tcp://127.0.0.1:1: no Dask scheduler answers there" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["sweep", plan, "--store", str(store.path), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "pip install 'fastscale[cluster]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address", ["cluster", "tcp://cluster", "tcp://cluster:", "cluster:port", "", "tcp://host:65536"]
)
def test_an_address_that_is_none_is_refused(plan, store, capsys, address):
    with stopped_where_it_hangs():
        assert cli.main(["sweep", plan, "--store", str(store.path), "--scheduler", address]) == 2
    said = capsys.readouterr().err
    assert said == f"fastscale: --scheduler {address}: a scheduler has a host and a port; try tcp://host:8786\n"


@pytest.mark.parametrize("greeting", [None, b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 64, b"HTTP/1.1 200 OK\r\n\r\n"])
def test_where_something_else_listens_it_is_said_and_nothing_waits(plan, store, capsys, monkeypatch, greeting):
    """Whether it says nothing, hangs up, or greets in its own way."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)

    def greet(listening: socket.socket) -> None:
        while True:
            with contextlib.suppress(OSError):
                try:
                    caller, _ = listening.accept()
                except OSError:  # the test is over
                    return
                held.append(caller)
                if greeting is not None:
                    caller.sendall(greeting)
                    caller.shutdown(socket.SHUT_WR)

    held = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, args=(listening,), daemon=True).start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        assert cli.main(["sweep", plan, "--store", str(store.path), "--scheduler", address]) == 2
        listening.shutdown(socket.SHUT_RDWR)
    for each in held:
        each.close()
    said = capsys.readouterr().err
    assert said.startswith(f"fastscale: --scheduler {address}: no Dask scheduler answers there (")
    assert said.count("\n") == 1
    assert not store.path.exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("tls", "TLS takes certificates; name them in Dask's configuration, under distributed.comm.tls, or give the"),
        ("http", "Dask cannot connect to an address of the kind http here (unknown address scheme 'http' (known"),
        ("foo", "Dask cannot connect to an address of the kind foo here (unknown address scheme 'foo' (known"),
        ("ucx", "Dask cannot connect to an address of the kind ucx here ("),
    ],
)
def test_an_address_of_another_kind_is_said_in_a_sentence(plan, store, capsys, kind, said):
    pytest.importorskip("distributed")
    assert cli.main(["sweep", plan, "--store", str(store.path), "--scheduler", f"{kind}://127.0.0.1:1"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"fastscale: --scheduler {kind}://127.0.0.1:1: {said}")
    assert shown.count("\n") == 1


def test_a_worker_is_told_from_a_scheduler(capsys):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "protocol": "tcp://", "host": "127.0.0.1"}
    with distributed.LocalCluster(**settings, dashboard_address=None) as local:
        [worker] = local.workers.values()
        with pytest.raises(
            fs.records.MeasureError, match="a Dask worker answers there, no scheduler; give the address that"
        ):
            cli._executor(worker.address).__enter__()


@posix
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "0<&- 1>&- 2>&-"])
def test_with_closed_streams_all_is_measured_and_the_store_has_only_rows(store, tmp_path, closed):
    command = f'exec "$@" {closed}'
    (tmp_path / "plan.yaml").write_text(replace(PLAN, strategies=[], scales=[1]).to_yaml())
    sweep = [sys.executable, "-m", "fastscale_lib", "sweep", str(tmp_path / "plan.yaml"), "--store", str(store.path)]
    done = subprocess.run(["sh", "-c", command, "sh", *sweep], stdout=subprocess.PIPE, text=True, timeout=HANGS_S)
    assert done.returncode == 0
    assert done.stdout == ("" if "1>&-" in closed else f"2 of 2 points have a time: {store.path}\n")
    assert [row["batch"] for row in store] == [1, 2]
    assert all(type(json.loads(line)) is dict for line in store.path.read_text().splitlines())


def test_progress_needs_nobody_who_looks(monkeypatch):
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        line = progress.Line.__new__(progress.Line)
        line._live, line._next, line._width = False, 0.0, 0
        monkeypatch.setattr(sys, "stderr", stream)
        line(progress.Step(0, 2, 0))
    monkeypatch.setattr(sys, "stderr", None)
    progress.Line()(progress.Step(0, 2, 0))


@posix
def test_sigterm_is_as_before_after_a_command_and_left_to_torchrun(monkeypatch):
    with shell.sigterm_as_ctrl_c():
        assert signal.getsignal(signal.SIGTERM) == signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with shell.sigterm_as_ctrl_c():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with shell.sigterm_as_ctrl_c():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cluster_without_the_resource_is_told(workers, capsys):
    distributed = pytest.importorskip("distributed")
    settings = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "processes": False,
        "protocol": "tcp://",
        "host": "127.0.0.1",
    }
    with distributed.LocalCluster(**settings, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with cli._executor(address):
            said = capsys.readouterr().err
    there = "none of the 2 workers there has the resource GPU=1" if workers else "no worker is there"
    assert said == (
        f"fastscale: --scheduler {address}: {there}: the tasks wait for one; start, for each device, dask worker "
        f"{address} --nworkers 1 --nthreads 1 --resources GPU=1\n"
    )


def test_a_cluster_with_the_resource_is_used_without_a_word(capsys):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "protocol": "tcp://", "host": "127.0.0.1"}
    with (
        distributed.LocalCluster(**settings, dashboard_address=None, resources={"GPU": 1}) as cluster,
        cli._executor(cluster.scheduler_address) as (executor, _),
    ):
        assert executor is not None
        assert executor.submit(sum, [1, 2]).result(HANGS_S) == 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [["ceilings"], ["sweep", "plan.yaml"]])
def test_a_store_that_cannot_be_written_is_said_first(command, plan, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "ceilings", None)  # would fail
    (tmp_path / "file").write_text("")
    assert cli.main([*command, "--store", "file/rows.jsonl"]) == 2
    said = capsys.readouterr().err
    assert (
        said
        == f"fastscale: store: file/rows.jsonl cannot be written: {tmp_path}/file is no folder; give another path\n"
    )


def test_a_store_that_is_something_else_is_not_written(plan, tmp_path, capsys):
    (tmp_path / "notes.md").write_text("# Notes\n\nNothing measured.\n")
    assert cli.main(["sweep", plan, "--store", str(tmp_path / "notes.md")]) == 2
    assert "is no store of measurements" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sweep"], ["sweep", "plan.yaml"], ["swep"]])
def test_a_command_that_is_not_whole_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "usage: fastscale" in capsys.readouterr().err


def test_help_says_what_there_is(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["sweep", "--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("PLAN", "--store", "--scheduler", "--retry", "YAML", "Exit status"))


def test_the_plan_that_help_shows_is_one(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["sweep", "--help"])
    shown = capsys.readouterr().out.split("a plan, as YAML:\n")[1].split("\n\n")[0]
    shown_plan = Plan.from_yaml(shown)
    assert len(shown.splitlines()) == 7
    assert len(shown_plan) > 40
    assert shown_plan.batch == (64, "largest")


def test_a_sweep_needs_neither_figures_nor_notebooks_nor_dask(tmp_path):
    """The command on a machine with torch, numpy and pandas alone: of the others, importing fails."""
    absent = ["plotly", "ipywidgets", "anywidget", "IPython", "papermill", "yaml", "dask", "distributed"]
    (tmp_path / "plan.json").write_text(json.dumps(Plan(TINY, batch=2, seconds=0.05, device="cpu").to_dict()))
    program = f"""
import sys
sys.modules.update(dict.fromkeys({absent!r}))
from fastscale_lib.cli import main
sys.exit(main(["sweep", {str(tmp_path / "plan.json")!r}, "--store", {str(tmp_path / "rows.jsonl")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=HANGS_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 of 1 points have a time")


def test_a_sweep_says_which_times_are_doubtful():
    good = {"converged": True, "load": 0.02, "other_processes": None}
    rows = [good, {**good, "converged": False}, {**good, "load": 0.6}, {**good, "load": None, "other_processes": 1}]
    assert cli._doubts(pd.DataFrame([good])) == ""
    assert cli._doubts(pd.DataFrame(rows)) == (
        "1 of 4 times did not come within the interval asked for; 2 were taken while other processes used the device"
    )
