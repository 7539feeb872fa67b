"""What holds for all tests: how hypothesis draws, and that the browser tests come last."""

from collections.abc import Iterator
from pathlib import Path

import pytest
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


BROWSER = Path(__file__).parent / "browser"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: they are slow, and Playwright leaves the main thread with a running event loop."""
    items.sort(key=lambda item: BROWSER in item.path.parents)
