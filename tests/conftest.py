"""What holds for all tests: how hypothesis draws, and that the browser tests come last."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from hypothesis import settings

# The same examples on every run; `pytest --hypothesis-profile=explore` draws new and more ones.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that the user has kept is read, and nothing is kept among it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], nbformat.NotebookNode]:
    """Runs a notebook in its fast profile in a fresh kernel, once for all tests, away from the repository."""
    folder = tmp_path_factory.mktemp("executed")
    profiles = yaml.safe_load((Path(__file__).resolve().parents[1] / "notebooks" / "profiles.yaml").read_text("utf-8"))

    @cache
    def run(path: Path) -> nbformat.NotebookNode:
        parameters = profiles["fast"].get(path.stem, {})
        return papermill.execute_notebook(path, folder / path.name, parameters, cwd=folder, progress_bar=False)

    return run


BROWSER = Path(__file__).parent / "browser"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: they are slow, and Playwright leaves the main thread with a running event loop."""
    items.sort(key=lambda item: BROWSER in item.path.parents)
