"""Explorers in a real kernel whose cells run again: the one that is seen no more is let go, and its measuring ends."""

import json
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from helpers.waiting import HANGS_S, until
from jupyter_client.manager import start_new_kernel

CELL = """explorer = fs.explore(TINY, ("w",), 1, seconds=100, batch=1, device="cpu")
explorer.time()
explorer"""
PREPARED = """
import json
import fastscale_lib as fs
import ipywidgets
from ipywidgets.widgets.widget import _instances
TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=16, resolution=32, classes=10)
fs.explore(TINY).close()"""


class Kernel:
    """A kernel that is asked as a notebook's page asks it, with the cell's id."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.pid = manager.provisioner.process.pid
        self._client = client

    def run(self, code: str, cell: str | None = None) -> str:
        """Run the code as this cell, and return what it printed."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
        asked = self._client.session.msg("execute_request", content, metadata={"cellId": cell} if cell else {})
        self._client.shell_channel.send(asked)
        printed = []
        while True:
            told = self._client.get_iopub_msg(timeout=HANGS_S)
            if told["parent_header"].get("msg_id") != asked["header"]["msg_id"]:
                continue
            if told["msg_type"] == "stream":
                printed.append(told["content"]["text"])
            if told["msg_type"] == "error":
                raise RuntimeError("\n".join(told["content"]["traceback"]))
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                return "".join(printed)

    def value(self, expression: str) -> Any:
        return json.loads(self.run(f"print(json.dumps({expression}))"))

    def until(self, expression: str) -> None:
        until(lambda: self.value(expression))

    def measuring(self) -> list[int]:
        """The subprocesses."""
        children = psutil.Process(self.pid).children()
        return [each.pid for each in children if "fastscale_lib.measuring.worker_process" in each.cmdline()]


@pytest.fixture(scope="module")
def started() -> Iterator[Kernel]:
    manager, client = start_new_kernel(startup_timeout=HANGS_S, kernel_name="python3")
    try:
        kernel = Kernel(manager, client)
        kernel.run(PREPARED)
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(started) -> Kernel:
    """The kernel, in which no explorer is left from another test."""
    started.run(
        """for each in [w for w in _instances.values() if hasattr(w, "slider") and hasattr(w, "alpha")]:
    each.close()
explorer = earlier = box = None"""
    )
    assert started.measuring() == []
    return started


def begin(kernel: Kernel, code: str = CELL, cell: str = "a", name: str = "explorer") -> None:
    """Run a cell whose explorer measures; it is measuring when this returns."""
    kernel.run(code, cell)
    kernel.until(f"{name}.status.startswith('timing 1 of 1') and {name}.progress > 0")


def test_a_cell_that_runs_again_ends_what_it_showed(kernel):
    counted = set()
    for _ in range(4):
        begin(kernel)
        assert len(kernel.measuring()) == 1
        counted.add(kernel.value("len(_instances)"))
    assert len(counted) == 1  # of the widgets that an explorer is made of, none is left over
    assert kernel.value("sum(hasattr(w, 'ended') for w in _instances.values())") == 1


def test_the_last_explorer_takes_the_process_along(kernel):
    begin(kernel)
    assert len(kernel.measuring()) == 1
    kernel.run("explorer = None", "a")  # without an explorer now
    until(lambda: not kernel.measuring())


def test_one_that_a_variable_holds_stops_and_may_be_shown_again(kernel):
    begin(kernel)
    kernel.run("earlier = explorer")
    begin(kernel)
    kernel.until("not earlier.busy")
    assert kernel.value("[earlier.ended, explorer.busy, earlier.status]") == [
        False,
        True,
        "cancelled; what was measured stays",
    ]
    kernel.run("explorer.cancel(); earlier.seconds = 0.1; earlier.time()\nearlier", "b")
    kernel.until("len(earlier.measurements) > 0")


def test_one_that_is_still_seen_goes_on(kernel):
    begin(kernel)
    kernel.run("explorer", "b")
    kernel.run("explorer", "b")  # the same one again
    kernel.run("earlier = explorer\nexplorer = None", "a")  # one of the two cells that show it
    assert kernel.value("[earlier.ended, earlier.busy]") == [False, True]
    kernel.run("explorer, earlier = earlier, None")
    kernel.run("print('nothing is shown')\nexplorer = None", "b")
    kernel.until("not any(hasattr(w, 'ended') for w in _instances.values())")


def test_one_in_a_box_stops_with_the_cell_that_made_it(kernel):
    begin(kernel, "box = ipywidgets.VBox([fs.explore(TINY, ('w',), 1, seconds=100, batch=1, device='cpu')])\n"
          "inside = box.children[0]; inside.time()\nbox", name="inside")  # fmt: skip
    kernel.run("old = inside")
    kernel.run("box = None", "a")
    kernel.until("not old.busy")


def test_other_cells_and_other_code_end_nothing(kernel):
    begin(kernel)
    kernel.run("1 + 1", "b")
    kernel.run(CELL.replace("explorer", "other").replace("fs.other", "fs.explore"), "c")
    kernel.run("explorer")  # where a page gives its cells no ids, nobody knows what was replaced
    kernel.run("explorer")
    assert kernel.value("[explorer.ended, explorer.busy]") == [False, True]


def test_an_ended_one_says_so(kernel):
    kernel.run(CELL, "a")
    kernel.run("earlier = [explorer]")  # out of sight in a list
    kernel.run(CELL, "a")
    kernel.until("earlier[0].ended")
    with pytest.raises(RuntimeError, match="this explorer was ended"):
        kernel.run("earlier[0].time()")
    assert kernel.value("earlier[0].counted().flops > 0")
    assert kernel.value("earlier[0]._repr_mimebundle_()")["text/plain"].startswith("this explorer was ended")
