"""The harness itself: a key in JupyterLab reaches the kernel, and the kernel's text comes back."""

from helpers.waiting import until


def test_slider_reaches_kernel(open_notebook, tmp_path):
    nb = open_notebook(["import ipywidgets as w\ns = w.IntSlider(value=3)\ns"], wait_for=".widget-slider")
    assert nb.execute("print(s.value)") == "3\n"
    nb.page.locator("[role=slider]").first.press("ArrowRight")
    nb.page.wait_for_function("document.querySelector('.widget-readout').textContent === '4'")
    until(lambda: nb.execute("s.value") == "4")  # the page shows its value before it sends it
    assert nb.page.locator(".jp-Dialog").count() == 0
    assert nb.screenshot(tmp_path / "page.png").stat().st_size > 10_000


def test_reload_keeps_kernel(open_notebook):
    nb = open_notebook(["import ipywidgets as w\ns = w.IntSlider(value=3)\ns"], wait_for=".widget-slider")
    nb.execute("s.value = 8")
    nb.save()
    nb.reload(wait_for=".widget-slider")
    nb.page.wait_for_function("document.querySelector('.widget-readout').textContent === '8'")
