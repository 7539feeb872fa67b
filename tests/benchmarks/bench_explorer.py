"""What the explorer costs the kernel: at its start, and at a move of a slider.

In a real kernel, with its messages written; moves with 8 strategies drawn. The start is measured in fresh kernels that
find the library compiled, as an installed one is, and in a fresh JupyterLab from the run of the cell to the picture.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel

import fastscale_lib as fs

pytest_plugins = ["tests.browser.conftest"]

GOAL_MS = 10.0  # at p95
GOAL_CPU_S, GOAL_PICTURE_S = 1.0, 3.0  # of fs.explore(), and from the run of its cell to the first picture
STARTS = 3
MEASURED = Path(__file__).resolve().parents[2] / "data" / "measured" / "amd-epyc-2-threads.jsonl"

# Each move goes to a value not seen before. The slider has hundredths of α; one in between is typed, or a cell sets it.
MOVES = """
import gc, json, time, warnings
import numpy as np
import fastscale_lib as fs
x = fs.explore("RegNetY-4.0GF", list(fs.scaling.STRATEGIES), 0.8, 4)
display(x)
random = np.random.default_rng(0)

def timed(moves, shares=np.arange(200) / 200):
    taken = []
    for share in random.permutation(shares):
        start = time.perf_counter()
        moves(float(share))
        taken.append(1000 * (time.perf_counter() - start))
    return {"p50": np.percentile(taken, 50), "p95": np.percentile(taken, 95)}

def alpha(share): x.alpha = share
def scale(share): x.scale = 2 ** (8 * share - 2)
def base(share): x.resolution = 160 + int(200 * share)

model = fs.RuntimeModel.fit(fs.Store(MEASURED).frame())
def with_model(moves, shares=np.arange(200) / 200):
    x.batch, x.model = 4, model  # that of the rows
    taken = timed(moves, few) and timed(moves, shares)
    x.model = None
    return taken

few, hundredths = np.arange(20) / 20, np.arange(101) / 100
for each in (alpha, scale, base):
    timed(each, few)
print(json.dumps({
    "α slider": timed(alpha, hundredths),
    "α between hundredths": timed(alpha, hundredths[:100] + 0.005),
    "scale slider": timed(scale),
    "resolution of the base": timed(base, hundredths[:100]),
    "α slider, times predicted": with_model(alpha, hundredths),
    "scale slider, times predicted": with_model(scale),
}))
"""


START = """
import json, time
begun = time.process_time()
import fastscale_lib as fs
explorer = fs.explore()
made = time.process_time()
display(explorer)
print(json.dumps([made - begun, time.process_time() - made]))
"""
SHOWN = """() => [...document.querySelectorAll('.fastscale-app .counts .line')].some(line => line.getAttribute('d'))
    && new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"""


@pytest.fixture(scope="module")
def kernel() -> Iterator:
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def said_by(kernel, code: str) -> str:
    """Run code in a kernel, and return what it printed."""
    said, errors = [], []

    def keep(message: dict) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            said.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            errors.append("\n".join(message["content"]["traceback"]))

    kernel.execute_interactive(code, timeout=300, output_hook=keep)
    assert not errors, errors[0]
    return "".join(said)


def test_the_start_in_a_fresh_kernel(report, tmp_path):
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(1 + STARTS):
        manager, client = start_new_kernel(env=compiled | {"PYTHONPYCACHEPREFIX": str(tmp_path)})
        try:
            taken.append(json.loads(said_by(client, START)))
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    made, shown = np.median(taken[1:], axis=0)  # the first compiles
    rows = [
        ("fs.explore(), its import included", f"{made:.2f} s", f"goal {GOAL_CPU_S:g} s"),
        ("its display, with the still picture", f"{shown:.2f} s", ""),
    ]
    report.table(f"The processor's time in a fresh kernel, median of {STARTS}", rows, made_s=made, shown_s=shown)


def test_the_first_picture(open_notebook, report):
    taken = []
    for _ in range(STARTS):
        notebook = open_notebook(["import fastscale_lib as fs\nfs.explore()"], run=False)
        begun = time.perf_counter()
        notebook.panel("void jupyterapp.commands.execute('notebook:run-all-cells');")
        notebook.page.wait_for_function(SHOWN)
        taken.append(time.perf_counter() - begun)
        notebook.lab.end_sessions([notebook.path])
    load = (
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    )
    rows = [("seconds", f"{np.median(taken):.1f}", f"goal {GOAL_PICTURE_S:g} on a machine at rest; {load}")]
    report.table(f"JupyterLab, from the run of the cell to the picture, median of {STARTS}", rows, seconds=taken)


def test_a_move_of_a_slider(report, kernel):
    ms = json.loads(said_by(kernel, f"MEASURED = {str(MEASURED)!r}\n{MOVES}"))
    rows = [
        (name, f"{each['p50']:.1f} ms", f"p95 {each['p95']:.1f} ms, goal {GOAL_MS:g} ms") for name, each in ms.items()
    ]
    report.table(f"RegNetY-4.0GF, {len(fs.scaling.STRATEGIES)} strategies: a move in the kernel", rows, ms=ms)
