"""A real browser for tests: headless Chromium over the WebDriver protocol, and a JupyterLab for it to open.

What is missing on a machine is a skip that says so. Pictures of what was seen are kept in build/browser/.
"""

import base64
import contextlib
import functools
import http.server
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import requests

SCREENSHOTS = Path(__file__).parents[1] / "build" / "browser"
FAKE_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # beeps, or plays the file of `plays`
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what the protocol calls the name of an element
NO_ANNOUNCEMENTS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}  # they ask for news, in a dialog
PATIENCE = 300  # seconds for anything to happen: other tests share the cores


def plays(file: Path) -> tuple[str, ...]:
    """Options for a Chromium whose microphone hears a WAV file, again and again."""
    return (*FAKE_MICROPHONE, f"--use-file-for-fake-audio-capture={file}")


@contextlib.contextmanager
def chromedriver() -> Iterator[str]:
    """The address of a running chromedriver; skips where there is none."""
    if not shutil.which("chromedriver") or not shutil.which("chromium"):
        pytest.skip("no chromium and chromedriver on this machine (Debian and Ubuntu: the packages chromium and chromium-driver)")
    process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = next(line for line in process.stdout if "started successfully on port" in line)
        yield f"http://127.0.0.1:{line.rstrip().rstrip('.').split()[-1]}"
    finally:
        process.terminate()
        process.wait()


class Browser:
    """A headless Chromium at `page`. A method that meets an error of the protocol fails with it."""

    def __init__(self, driver: str, page: str, *options: str):
        arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000", *options]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = requests.post(f"{driver}/session", json={"capabilities": {"alwaysMatch": wanted}}, timeout=PATIENCE).json()["value"]
        self.session = f"{driver}/session/{answer['sessionId']}"
        self.do("timeouts", script=1000 * PATIENCE)
        self.do("url", url=page)

    def do(self, command: str, **body):
        """A command of the protocol, by POST."""
        return self.answer(requests.post(f"{self.session}/{command}", json=body, timeout=PATIENCE))

    @staticmethod
    def answer(response: requests.Response):
        value = response.json()["value"]
        assert not isinstance(value, dict) or "error" not in value, value
        return value

    def script(self, text: str, *args):
        """Run a function body in the page; returns what it returns, awaited."""
        return self.do("execute/sync", script=text, args=list(args))

    def until(self, text: str):
        """What the expression `text` gives once it is neither null, 0 nor empty."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := self.script(f"return {text}"):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{text} never came: {self.script('return document.body.innerText')}")

    def text(self, selector: str, pattern: str = ".") -> str:
        """The text of the first element that a CSS selector finds, once the regular expression `pattern` matches it."""
        found = f"document.querySelector({json.dumps(selector)})?.textContent"
        return self.until(f"(new RegExp({json.dumps(pattern)})).test({found}) && {found}")

    def find(self, selector: str) -> str:
        """The name of the first element that a CSS selector finds."""
        return self.do("element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector: str) -> None:
        """Press with a finger: what is hidden cannot be pressed."""
        self.do(f"element/{self.find(selector)}/click")

    def keys(self, selector: str, text: str) -> None:
        """Type into an element; for an upload, the path of a file."""
        self.do(f"element/{self.find(selector)}/value", text=text)

    def errors(self) -> list[str]:
        """Errors in the console since the last call, but for pictures of other sites that cannot be reached."""
        severe = [entry["message"] for entry in self.do("se/log", type="browser") if entry["level"] == "SEVERE"]
        return [message for message in severe if not message.startswith("https://")]

    def screenshot(self, name: str, selector: str = "") -> Path:
        """Keep a picture of the page, or of one element, as SCREENSHOTS/`name`.png."""
        place = f"element/{self.find(selector)}/screenshot" if selector else "screenshot"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        picture = base64.b64decode(self.answer(requests.get(f"{self.session}/{place}", timeout=PATIENCE)))
        (SCREENSHOTS / f"{name}.png").write_bytes(picture)
        return SCREENSHOTS / f"{name}.png"

    def close(self) -> None:
        requests.delete(self.session, timeout=PATIENCE)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing about it."""

    def log_message(self, *arguments):
        """Requests are no news."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of index.html in `folder`, served from this machine."""
    (folder / "favicon.ico").touch()  # browsers ask for it
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def jupyterlab(folder: Path, home: Path) -> Iterator[str]:
    """A JupyterLab on `folder`, with settings of its own in `home`: yields its address, to which the name of a notebook is added."""
    if not importlib.util.find_spec("jupyterlab"):
        pytest.skip("JupyterLab is not installed: python -m pip install 'tinycourse[lab]'")
    (home / "labconfig").mkdir(parents=True)
    (home / "labconfig" / "page_config.json").write_text(json.dumps(NO_ANNOUNCEMENTS))
    own = {
        "JUPYTER_CONFIG_DIR": home,
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "run",
        "IPYTHONDIR": home / "ipython",
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"ServerApp.port": port, "ServerApp.port_retries": 0, "ServerApp.root_dir": folder, "IdentityProvider.token": "test",
                "ServerApp.open_browser": False, "ServerApp.allow_root": True, "LabApp.expose_app_in_browser": True,
                "LabApp.workspaces_dir": home / "workspaces", "LabApp.user_settings_dir": home / "settings"}  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in settings.items())]
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {k: str(v) for k, v in own.items()})
    try:
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + PATIENCE
        while not answers(f"{address}/api/status?token=test"):
            assert process.poll() is None and time.monotonic() < end, (home / "log").read_text()
            time.sleep(0.2)
        yield f"{address}/lab/tree/%s?token=test&reset"
        kernels = requests.get(f"{address}/api/kernels?token=test", timeout=PATIENCE).json()
        for kernel in kernels:
            requests.delete(f"{address}/api/kernels/{kernel['id']}?token=test", timeout=PATIENCE)
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    """Whether a server answers there."""
    try:
        return requests.get(address, timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


NOTEBOOK = "window.jupyterapp.shell.currentWidget"


def ready(browser: Browser) -> None:
    """Wait until a notebook is open and its kernel has nothing to do."""
    browser.until("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")


def run_all(browser: Browser) -> list[str]:
    """Run all cells of the notebook that is open, and wait for them: what was raised, one sentence for each error."""
    ready(browser)
    browser.script("return window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => 0)")
    ready(browser)
    return browser.script(f"""return [...{NOTEBOOK}.content.model.cells].flatMap((cell) => cell.outputs?.toJSON() ?? [])
        .filter((output) => output.output_type === "error").map((output) => `${{output.ename}}: ${{output.evalue}}`)""")


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells, without outputs."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
