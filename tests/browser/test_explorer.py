from pathlib import Path
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "00_explorer.ipynb"
def test_look(open_notebook):
    nb = open_notebook(NOTEBOOK, wait_for=".js-plotly-plot .main-svg")
    nb.page.wait_for_timeout(4000)
    nb.page.set_viewport_size(dict(width=1280,height=1250)); nb.page.wait_for_timeout(1500); nb.screenshot("/tmp/me/a.png")
    print(nb.page.errors, nb.outputs() if False else "")
