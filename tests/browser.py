"""A headless Chromium to look at pages with: DevTools over a pipe, with the standard library alone.

The protocol is JSON with a zero byte after each message; with ``--remote-debugging-pipe`` the
browser reads it from its descriptor 3 and writes it to 4. So the tests need no driver and no
package, only a browser: the one in ``VENTURI_BROWSER``, one on the path, or Playwright's.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

VARIABLE = "VENTURI_BROWSER"
NAMES = (
    "chromium", "chromium-browser", "chromium-headless-shell", "chrome-headless-shell",
    "google-chrome", "google-chrome-stable", "chrome",
)  # fmt: skip
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PLAYWRIGHT = (
    "*/chrome-linux*/chrome",
    "*/chrome-linux*/headless_shell",
    "*/*/chrome-headless-shell",
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
MISSING = (
    f"no Chromium: apt-get install chromium, or name one in {VARIABLE}, "
    "or (without root) python -m playwright install chromium"
)
SECONDS = 60.0


def find() -> str | None:
    """Return the browser to use, or None where there is none."""
    named = os.environ.get(VARIABLE)
    for name in [named] if named else NAMES:
        path = shutil.which(name)
        if path:
            return path
    if named:
        raise FileNotFoundError(f"{VARIABLE} is {named!r}, no program: name a browser, or unset it")
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright")).expanduser()
    installed = [str(path) for pattern in PLAYWRIGHT for path in sorted(folder.glob(pattern))]
    return next((path for path in [*APPLICATIONS, *installed] if Path(path).exists()), None)


class Page:
    """One page of a browser: opens a file, runs JavaScript, presses keys, takes pictures.

    Attributes:
        errors: what the open page wrote to the console as an error or a warning, and threw.
    """

    def __init__(self, pid: int, reading: int, writing: int) -> None:
        self._pid, self._reading, self._writing = pid, reading, writing
        self._number, self._rest, self._session = 0, b"", ""
        self._events: list[dict[str, Any]] = []
        self.errors: list[str] = []

    def attach(self) -> None:
        """Make the page; to be called once."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, path: Path, *, width: int, height: int, dark: bool = False) -> None:
        """Show a file in a window of some CSS pixels, and wait until it is loaded."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.errors.clear()
        self._call("Page.navigate", url=path.resolve().as_uri())
        self._wait_for("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Evaluate JavaScript and return its value.

        Raises AssertionError when it throws.
        """
        found = self._call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key of the keyboard: "ArrowRight", "Enter", "Home"."""
        codes = {"Enter": 13, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}
        event: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self._call("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, x: float, y: float) -> None:
        """Press and release the mouse at a place in the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self) -> str:
        """Return a PNG of the whole page, in base64."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        found = self._call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return str(found["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        _write_all(self._writing, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            answer = self._next(deadline)
            if answer.get("id") != number:
                continue
            if "error" in answer:
                raise AssertionError(f"{method}: {answer['error']}")
            return dict(answer["result"])

    def _wait_for(self, event: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not any(found["method"] == event for found in self._events):
            self._next(deadline)

    def _next(self, deadline: float) -> dict[str, Any]:
        """Return the next message of the browser; keep it when it is an event."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reading], [], [], deadline - time.monotonic())
            part = os.read(self._reading, 1 << 16) if ready else b""
            if not part:
                raise AssertionError("the browser said nothing more")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, event: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(event["exceptionDetails"]))
        if method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.errors.append(str(event["entry"]))
        if method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.errors.append(str(event["args"]))


@contextlib.contextmanager
def page(program: str, profile: Path) -> Iterator[Page]:
    """Start a browser with a new profile and end it. profile: a folder that is not there yet."""
    profile.mkdir()
    (to_read, writing), (reading, to_write) = _high_pipe(), _high_pipe()
    pid = _spawn([program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], to_read, to_write)
    os.close(to_read)
    os.close(to_write)
    try:
        shown = Page(pid, reading, writing)
        shown.attach()
        yield shown
    finally:
        os.close(writing)
        os.close(reading)
        _end(pid)


def _high_pipe() -> tuple[int, int]:
    """Return both ends of a pipe, with numbers that 3 and 4 do not collide with."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _spawn(command: Sequence[str], reading: int, writing: int) -> int:
    quiet = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, quiet, number) for number in (0, 1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, reading, 3), (os.POSIX_SPAWN_DUP2, writing, 4)]
        return os.posix_spawn(
            command[0], list(command), os.environ, file_actions=actions, setpgroup=0
        )
    finally:
        os.close(quiet)


def _end(pid: int) -> None:
    """End the browser and its children: a closed pipe tells it to go, its group is killed then."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
