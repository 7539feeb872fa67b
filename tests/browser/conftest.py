r"""Fixtures which drive notebooks in a real JupyterLab with a headless Chromium.

One server and one browser serve all tests of this folder; each test gets a fresh page and workspace, but for what a
module opens by ``open_shared``.

    def test_slider(open_notebook):
        nb = open_notebook(["import ipywidgets as w\nw.IntSlider()"], wait_for=".jupyter-widgets")
        nb.page.locator("[role=slider]").press("ArrowRight")
        assert nb.execute("print(1 + 1)") == "2\n"
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import nbformat
import pytest
from helpers.waiting import HANGS_S

REPO = Path(__file__).resolve().parents[2]
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--mute-audio",
    "--no-first-run",
)
LAB_SETTINGS = {  # no dialogs, no news, no look-ups on the network
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/extensionmanager-extension/plugin": {"enabled": False},
}
SERVER = """  # the server ends itself, and so its kernels, when this test process dies and the pipe closes
import os, signal, sys, threading
wait = lambda: (sys.stdin.read(), os.kill(os.getpid(), signal.SIGTERM))
threading.Thread(target=wait, daemon=True).start()
from jupyterlab.labapp import main
main()
"""
VIEWPORT = {"width": 1280, "height": 900}


def _running_as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _unavailable(reason: str) -> NoReturn:
    """Skip on a developer's machine, fail in CI, where the browser tests must run."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# --------------------------------------------------------------------------------------- server


@dataclass
class Lab:
    """A running JupyterLab server of this test session."""

    root: Path
    runtime_dir: Path
    port: int
    token: str
    log: Path
    process: subprocess.Popen = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, timeout: float = HANGS_S) -> Any:
        """Call the server's REST interface and return the decoded answer (None if it is empty)."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def write_notebook(self, cells: Sequence[str] | str | Path, name: str | None = None) -> str:
        """Put a notebook under the server's root and return its path there.

        ``cells`` is a list of code cell sources (a source that starts with ``%%markdown`` becomes a
        Markdown cell) or the path of an .ipynb file to copy.
        """
        name = name or f"nb-{uuid.uuid4().hex[:8]}.ipynb"
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(cells, str | Path):
            shutil.copyfile(cells, target)
            return name
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        for source in cells:
            if source.startswith("%%markdown\n"):
                notebook.cells.append(nbformat.v4.new_markdown_cell(source.partition("\n")[2]))
            else:
                notebook.cells.append(nbformat.v4.new_code_cell(source))
        nbformat.write(notebook, target)
        return name

    def end_sessions(self, paths: Sequence[str] | None = None) -> None:
        """Shut down the kernels of the given notebooks (of all if None)."""
        for session in self.request("GET", "/api/sessions"):
            if paths is None or session["path"] in paths:
                self.request("DELETE", f"/api/sessions/{session['id']}")

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until_up(self, timeout: float = HANGS_S) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.request("GET", "/api/status", timeout=2)
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"JupyterLab did not start within {timeout} s:\n{self.log_tail()}")

    def stop(self) -> None:
        """End kernels and server; the server's own process group is killed if it does not obey."""
        if self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError):
                self.end_sessions()  # the server shuts its kernels down on SIGTERM too
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="package")
def jupyter_lab(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Lab]:
    """A JupyterLab server on 127.0.0.1 whose files, settings and kernels are apart from the user's."""
    try:
        import jupyterlab  # noqa: F401
    except ImportError:
        _unavailable("The browser tests need JupyterLab, which is not installed.")
    base = tmp_path_factory.mktemp("lab")
    folders = {n: base / n for n in ("root", "config", "data", "runtime", "settings", "workspaces", "ipython")}
    for folder in folders.values():
        folder.mkdir()
    for plugin, values in LAB_SETTINGS.items():
        target = folders["settings"] / f"{plugin}.jupyterlab-settings"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(values))
    token, port, log = uuid.uuid4().hex, _free_port(), base / "server.log"
    env = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    env.update(
        JUPYTER_CONFIG_DIR=str(folders["config"]),
        JUPYTER_DATA_DIR=str(folders["data"]),
        JUPYTER_RUNTIME_DIR=str(folders["runtime"]),
        JUPYTERLAB_SETTINGS_DIR=str(folders["settings"]),
        JUPYTERLAB_WORKSPACES_DIR=str(folders["workspaces"]),
        IPYTHONDIR=str(folders["ipython"]),
        PYTHONPATH=os.pathsep.join(filter(None, [str(REPO), os.environ.get("PYTHONPATH")])),
        JUPYTER_PLATFORM_DIRS="1",
    )
    command = [sys.executable, "-c", SERVER, "--no-browser", "--expose-app-in-browser"]
    command += [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folders['root']}",
        "--ServerApp.terminals_enabled=False",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=",
        f"--IdentityProvider.token={token}",
    ]
    if _running_as_root():
        command.append("--allow-root")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folders["root"], env=env, stdout=out, stderr=out, stdin=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
    lab = Lab(folders["root"], folders["runtime"], port, token, log, process)
    try:
        lab.wait_until_up()
        yield lab
    finally:
        lab.stop()


# -------------------------------------------------------------------------------------- browser


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The Chromium to use: $FASTSCALE_CHROMIUM or the first one found on PATH."""
    wanted = os.environ.get("FASTSCALE_CHROMIUM")
    path = shutil.which(wanted) if wanted else next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
    if path is None:
        _unavailable("The browser tests need Chromium: put it on PATH or name it in FASTSCALE_CHROMIUM.")
    return path


@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Any]:
    """One headless Chromium for this folder (a Playwright Browser).

    Playwright keeps an event loop running in the main thread: it ends before other tests begin.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("The browser tests need the Python package playwright, which is not installed.")
    flags = [*BROWSER_FLAGS, *(["--no-sandbox"] if _running_as_root() else [])]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, headless=True, args=flags)
        try:
            yield chromium
        finally:
            chromium.close()


@pytest.fixture
def viewport(request: pytest.FixtureRequest) -> dict[str, int]:
    """Size of the page; set it by ``@pytest.mark.parametrize("viewport", [(800, 600)], indirect=True)``."""
    size = getattr(request, "param", VIEWPORT)
    return size if isinstance(size, dict) else dict(zip(("width", "height"), size, strict=True))


@contextlib.contextmanager
def _pages(browser: Any, viewport: dict[str, int]) -> Iterator[Callable[..., Any]]:
    contexts = []

    def make(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": viewport, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANGS_S * 1000)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
        return page

    try:
        yield make
    finally:
        for context in contexts:
            context.close()


@pytest.fixture
def new_page(browser: Any, viewport: dict[str, int]) -> Iterator[Callable[..., Any]]:
    """Return ``new_page(**context_options)``: a page with its own cookies and storage.

    Errors of the page's scripts are gathered in ``page.errors`` (a list of strings).
    """
    with _pages(browser, viewport) as make:
        yield make


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    """A fresh page for one test."""
    return new_page()


# ------------------------------------------------------------------------------------- notebooks

_PANEL = """path => {
    const found = [...jupyterapp.shell.widgets('main')].find(w => w.context?.path === path);
    if (!found) throw new Error('not open: ' + path);
    return found;
}"""


@dataclass
class NotebookPage:
    """A notebook that is open in a page of JupyterLab."""

    lab: Lab
    page: Any
    path: str
    url: str
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1), repr=False)
    _client: Any = field(default=None, repr=False)
    _client_kernel: str | None = field(default=None, repr=False)

    def panel(self, body: str, arg: Any = None) -> Any:
        """Evaluate JavaScript ``body`` with ``panel`` (the NotebookPanel) and ``arg`` in scope."""
        return self.page.evaluate(
            f"async ([path, arg]) => {{ const panel = ({_PANEL})(path); {body} }}", [self.path, arg]
        )

    def wait_ready(self, timeout: float = HANGS_S) -> None:
        """Wait until the notebook is shown and its kernel is idle."""
        self.page.wait_for_function(
            """path => {
                const app = globalThis.jupyterapp;
                const panel = app && [...app.shell.widgets('main')].find(w => w.context?.path === path);
                return panel?.context.isReady
                    && panel.sessionContext.session?.kernel?.status === 'idle' && panel.content.isVisible;
            }""",
            arg=self.path,
            timeout=timeout * 1000,
        )

    def run_all(self, wait_for: str | None = None, timeout: float = HANGS_S, check: bool = True) -> None:
        """Run all cells; fail on a cell's error if ``check``; then wait for the CSS selector ``wait_for``."""
        self.page.set_default_timeout(timeout * 1000)
        self.panel("jupyterapp.shell.activateById(panel.id);")
        self.panel("await jupyterapp.commands.execute('notebook:run-all-cells');")
        if check:
            errors = [o for out in self.outputs() for o in out if o["output_type"] == "error"]
            if errors:
                trace = "\n".join(errors[0]["traceback"])
                raise AssertionError("A cell failed:\n" + re.sub(r"\x1b\[[0-9;]*m", "", trace))
        if wait_for:
            self.wait_for(wait_for, timeout)

    def wait_for(self, selector: str, timeout: float = HANGS_S) -> Any:
        """Wait until ``selector`` is visible; return the locator of its first match."""
        locator = self.page.locator(selector).first
        locator.wait_for(state="visible", timeout=timeout * 1000)
        return locator

    def outputs(self) -> list[list[dict]]:
        """The outputs of each cell, as in the document that is open in the page."""
        return self.panel("return panel.model.toJSON().cells.map(c => c.outputs ?? []);")

    def save(self) -> None:
        """Save the notebook to disk."""
        self.panel("await panel.context.save();")

    def reload(self, wait_for: str | None = None, timeout: float = HANGS_S) -> None:
        """Reload the page (the kernel lives on) and wait until notebook and ``wait_for`` are back."""
        leave = lambda dialog: dialog.accept()  # noqa: E731
        self.page.on("dialog", leave)  # JupyterLab asks where a change is not saved
        try:
            self.page.goto("about:blank")  # a plain goto of the same address would not reset the page
        finally:
            self.page.remove_listener("dialog", leave)
        self.page.goto(self.url)
        self.wait_ready(timeout)
        if wait_for:
            self.wait_for(wait_for, timeout)

    def screenshot(self, path: str | Path, selector: str | None = None) -> Path:
        """Write a picture of the page, or of the first match of ``selector``, to ``path``."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        target = self.page.locator(selector).first if selector else self.page
        target.screenshot(path=str(path))
        return path

    @property
    def kernel_id(self) -> str:
        sessions = self.lab.request("GET", "/api/sessions")
        return next(s["kernel"]["id"] for s in sessions if s["path"] == self.path)

    def execute(self, code: str, timeout: float = HANGS_S) -> str:
        """Run ``code`` in the notebook's kernel, past the page, and return what it printed.

        The result of a last expression is appended as text; an error in the code raises RuntimeError.
        """
        return self._thread.submit(self._execute, code, timeout).result(2 * timeout)

    def _execute(self, code: str, timeout: float) -> str:
        # In a thread of its own, because Playwright's event loop runs in the main thread.
        from jupyter_client.blocking.client import BlockingKernelClient

        kernel = self.kernel_id
        if self._client_kernel != kernel:
            if self._client is not None:
                self._client.stop_channels()
            connection = self.lab.runtime_dir / f"kernel-{kernel}.json"
            self._client = BlockingKernelClient(connection_file=str(connection))
            self._client.load_connection_file()
            self._client.start_channels()
            self._client.wait_for_ready(timeout=timeout)
            self._client_kernel = kernel
        text: list[str] = []

        def keep(message: dict) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                text.append(content["text"])
            elif message["msg_type"] == "execute_result":
                text.append(content["data"]["text/plain"])

        reply = self._client.execute_interactive(
            code, store_history=False, allow_stdin=False, timeout=timeout, output_hook=keep
        )["content"]
        if reply["status"] != "ok":
            trace = "\n".join(reply.get("traceback", [reply["status"]]))
            raise RuntimeError(re.sub(r"\x1b\[[0-9;]*m", "", trace))
        return "".join(text)

    def restart_kernel(self) -> None:
        """Restart the kernel, and wait until it is idle."""
        self.panel("await panel.sessionContext.session.kernel.restart();")
        self.wait_ready()
        self._let_go()  # its old channels may miss what it prints first

    def close(self) -> None:
        """Let go of the kernel's channels (the kernel itself is ended by the fixture)."""
        self._let_go()
        self._thread.shutdown()

    def _let_go(self) -> None:
        if self._client is not None:
            self._thread.submit(self._client.stop_channels).result(10)
            self._client, self._client_kernel = None, None


@contextlib.contextmanager
def _notebooks(
    lab: Lab, new_page: Callable[..., Any], first_page: Callable[[], Any]
) -> Iterator[Callable[..., NotebookPage]]:
    opened: list[NotebookPage] = []

    def open_(
        cells: Sequence[str] | str | Path | NotebookPage,
        *,
        name: str | None = None,
        run: bool = True,
        wait_for: str | None = None,
        page: Any = None,
        beside: NotebookPage | None = None,
        timeout: float = HANGS_S,
    ) -> NotebookPage:
        path = cells.path if isinstance(cells, NotebookPage) else lab.write_notebook(cells, name)
        if beside is not None:
            page = beside.page
        elif page is None:
            page = new_page() if opened else first_page()
        url = f"{lab.url}/lab/workspaces/test-{uuid.uuid4().hex[:8]}/tree/{quote(path)}?token={lab.token}"
        notebook = NotebookPage(lab, page, path, url)
        opened.append(notebook)
        if beside is None:
            page.goto(url)
        else:
            beside.panel(
                "await jupyterapp.commands.execute('docmanager:open', {path: arg, options: {mode: 'split-right'}});",
                path,
            )
        notebook.wait_ready(timeout)
        if run:
            notebook.run_all(wait_for, timeout)
        elif wait_for:
            notebook.wait_for(wait_for, timeout)
        return notebook

    try:
        yield open_
    finally:
        for notebook in opened:
            notebook.close()
        if opened:
            lab.end_sessions([n.path for n in opened])


@pytest.fixture
def open_notebook(
    jupyter_lab: Lab, request: pytest.FixtureRequest, new_page: Callable[..., Any]
) -> Iterator[Callable[..., NotebookPage]]:
    """Return ``open_notebook(cells, *, name=None, run=True, wait_for=None, page=None, beside=None, timeout=HANGS_S)``.

    ``cells`` is a list of sources, the path of an .ipynb, or a NotebookPage whose file (and kernel) is to be
    opened in a second page. The first call uses the test's ``page``, later ones a new one unless it is given, or
    the notebook is opened ``beside`` another one, in the same window of JupyterLab.
    """
    with _notebooks(jupyter_lab, new_page, lambda: request.getfixturevalue("page")) as open_:
        yield open_


@pytest.fixture(scope="module")
def open_shared(jupyter_lab: Lab, browser: Any) -> Iterator[Callable[..., NotebookPage]]:
    """As ``open_notebook``, but what it opens stays open for all tests of the module."""
    with _pages(browser, VIEWPORT) as make, _notebooks(jupyter_lab, make, make) as open_:
        yield open_
