"""The explorer in a saved notebook: what is seen of it where no kernel has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers.waiting import until as wait_until

CELL = "import fastscale_lib as fs\nexplorer = fs.explore()\nexplorer"
STILL = ".fastscale-still img"
# What is seen of the picture: how large it is, and of how many colours.
SEEN = """async img => {
    await img.decode();
    const { width, height } = img.getBoundingClientRect();
    const canvas = Object.assign(document.createElement('canvas'), { width: 400, height: 300 });
    const pen = canvas.getContext('2d');
    pen.drawImage(img, 0, 0, 400, 300);
    const data = new Uint32Array(pen.getImageData(0, 0, 400, 300).data.buffer);
    return { width, height, colours: new Set(data).size };
}"""


def assert_seen(page: Any) -> None:
    """Wait for the picture, and check that it is drawn, and that nothing is said of a lost widget."""
    wait_until(lambda: page.locator(STILL).is_visible(), pause=lambda: page.wait_for_timeout(100))
    seen = page.locator(STILL).evaluate(SEEN)
    assert min(seen["width"], seen["height"]) > 300
    assert seen["colours"] > 20
    for words in ("Loading widget", "model not found", "Error displaying widget", "Explorer("):
        assert page.get_by_text(words).locator("visible=true").count() == 0


@pytest.fixture(scope="module")
def saved(jupyter_lab, open_shared) -> Path:
    """A notebook that was run and saved; its kernel has ended."""
    nb = open_shared([CELL], wait_for=".fastscale-explorer .sentence b")
    assert not nb.page.locator(STILL).is_visible()
    nb.save()
    jupyter_lab.end_sessions([nb.path])
    return jupyter_lab.root / nb.path


def test_a_saved_notebook_is_small(saved):
    assert saved.stat().st_size < 300_000


@pytest.mark.parametrize("trusted", [True, False])
def test_opened_again_it_shows_the_picture(saved, open_notebook, tmp_path, trusted):
    notebook = nbformat.read(saved, as_version=4)
    if not trusted:  # of another's hand: what it holds is not what the server has signed
        notebook.cells[0].source += "  # from a mail"
    nbformat.write(notebook, tmp_path / "again.ipynb")
    nb = open_notebook(tmp_path / "again.ipynb", run=False)
    assert_seen(nb.page)
    nb.screenshot(tmp_path / f"{trusted}.png")


def test_put_through_nbconvert_it_shows_the_picture(saved, new_page, tmp_path):
    exporter = pytest.importorskip("nbconvert").HTMLExporter()
    (tmp_path / "page.html").write_text(exporter.from_filename(str(saved))[0], encoding="utf-8")
    page = new_page(offline=True)
    page.goto((tmp_path / "page.html").as_uri(), wait_until="domcontentloaded")
    assert_seen(page)
    page.screenshot(path=tmp_path / "page.png")
