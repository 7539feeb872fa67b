"""`voila notebooks/00_explorer.ipynb`: the explorer as an app, without a notebook around it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.waiting import until

REPO = Path(__file__).resolve().parents[2]
LINES = "box => [...box.querySelectorAll('.counts .line')].map(line => line.getAttribute('d'))"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[str]:
    """The address of a voila that serves the explorer, with settings apart from the user's."""
    shutil.copyfile(REPO / "notebooks" / "00_explorer.ipynb", tmp_path / "00_explorer.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folders = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    command = [sys.executable, "-m", "voila", "00_explorer.ipynb", "--no-browser", f"--port={port}"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--Voila.ip=127.0.0.1"],
            cwd=tmp_path,
            env={**inherited, **folders, "PYTHONPATH": str(REPO)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: server.poll() is not None or _listens(port))
        assert server.poll() is None, (tmp_path / "log").read_text(errors="replace")[-2000:]
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _listens(port: int) -> bool:
    """Whether the server answers, without having it run the notebook."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/voila/static/voila.js", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_the_explorer_is_served_as_an_app_that_follows_the_hand(app, page):
    page.goto(app)
    box = page.locator(".fastscale-explorer")
    box.locator(".sentence b").first.wait_for()
    assert box.count() == 1
    assert page.locator(".fastscale-still:visible").count() == 0  # nor the picture that stands where no kernel is
    before = box.evaluate(LINES)
    page.get_by_role("slider", name="α").press("Home")
    until(lambda: box.evaluate(LINES) != before)
    assert page.locator(".sentence").text_content().startswith("At ")
    icons = "Failed to load resource"  # voila's page asks the network for an icon font, and does without it
    assert [error for error in page.errors if icons not in error] == []
    assert "import fastscale_lib" not in page.content()  # code stays with the notebook
