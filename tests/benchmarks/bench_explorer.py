"""What a move of a slider costs the kernel: in a real one, with its messages written, and 8 strategies drawn."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

import fastscale_lib as fs

GOAL_MS = 10.0  # at p95
MEASURED = Path(__file__).resolve().parents[2] / "data" / "measured" / "amd-epyc-2-threads.jsonl"

# Each move goes to a value not seen before.
MOVES = """
import gc, json, time, warnings
import numpy as np
import fastscale_lib as fs
x = fs.explore("RegNetY-4.0GF", list(fs.scaling.STRATEGIES), 0.8, 4)
display(x)
random = np.random.default_rng(0)

def timed(moves, n=200):
    taken = []
    for value in random.permutation(n):
        start = time.perf_counter()
        moves(value / n)
        taken.append(1000 * (time.perf_counter() - start))
    return {"p50": np.percentile(taken, 50), "p95": np.percentile(taken, 95)}

def alpha(share): x.alpha = share
def scale(share): x.scale = 2 ** (8 * share - 2)
def base(share): x.resolution = 160 + int(200 * share)

model = fs.RuntimeModel.fit(fs.Store(MEASURED).frame())
def with_model(moves):
    x.batch, x.model = 4, model  # that of the rows
    taken = timed(moves, 20) and timed(moves)
    x.model = None
    return taken

for each in (alpha, scale, base):
    timed(each, 20)
print(json.dumps({
    "α slider": timed(alpha),
    "scale slider": timed(scale),
    "resolution of the base": timed(base, 100),
    "α slider, times predicted": with_model(alpha),
    "scale slider, times predicted": with_model(scale),
}))
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator:
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_move_of_a_slider(report, kernel):
    said, errors = [], []

    def keep(message: dict) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            said.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            errors.append("\n".join(message["content"]["traceback"]))

    kernel.execute_interactive(f"MEASURED = {str(MEASURED)!r}\n{MOVES}", timeout=300, output_hook=keep)
    assert not errors, errors[0]
    ms = json.loads("".join(said))
    rows = [
        (name, f"{each['p50']:.1f} ms", f"p95 {each['p95']:.1f} ms, goal {GOAL_MS:g} ms") for name, each in ms.items()
    ]
    report.table(f"RegNetY-4.0GF, {len(fs.scaling.STRATEGIES)} strategies: a move in the kernel", rows, ms=ms)
