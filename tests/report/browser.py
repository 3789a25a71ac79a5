"""A headless Chromium, driven over a pair of pipes: nothing needs to be installed but the browser itself."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", "--disable-dev-shm-usage")
FLAGS += ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe")
KEYS = {"Enter": ("\r", 13), "ArrowRight": ("", 39), "ArrowLeft": ("", 37), "ArrowDown": ("", 40), "Tab": ("\t", 9)}


def chromium() -> str | None:
    """Where a Chromium is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a browser of its own.

    Attributes
    ----------
    faults : what the console said of errors, exceptions included.
    requests : every address that was asked for.
    """

    def __init__(self, profile: Path):
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._number = 0
        (to_read, self._out), (self._in, to_write) = os.pipe(), os.pipe()
        for handle in (to_read, to_write):
            os.set_inheritable(handle, True)
        path = chromium()
        assert path
        # The browser reads from 3 and writes to 4.
        launch = f'exec 3<&{to_read} 4>&{to_write}; exec "$@"'
        command = ["bash", "-c", launch, "bash", path, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._session: str | None = None
        target = next(one for one in self.send("Target.getTargets")["targetInfos"] if one["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.look_through(1440)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._session = None
            self.send("Browser.close")
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
        finally:
            os.close(self._out)
            os.close(self._in)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            read = os.read(self._in, 1 << 16)
            if not read:
                raise OSError("the browser has ended")
            self._buffer += read
        line, self._buffer = self._buffer.split(b"\0", 1)
        message = dict(json.loads(line))
        event, parameters = message.get("method"), message.get("params", {})
        fault = None
        if event == "Runtime.exceptionThrown":
            fault = parameters["exceptionDetails"]
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            fault = parameters["args"]
        elif event == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            fault = parameters["entry"]
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        self.faults += [json.dumps(fault)[:900]] if fault else []
        return message

    def open(self, page: Path, view: str = "") -> None:
        """Open a file anew, with what follows # in its address, and wait until the page says that all is drawn."""
        self.js("delete document.documentElement.dataset.ready")  # of the page before
        # With a query of its own each time, so that another view of the same file is another page.
        self.send("Page.navigate", url=f"{page.resolve().as_uri()}?{self._number}" + f"#{view}" * bool(view))
        self.until("document.documentElement?.dataset.ready === 'yes'")

    def saved(self, folder: Path, click: str) -> bytes:
        """Press what saves a file, and return what is then in the folder, which was empty."""
        self.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.js(f"document.querySelector('{click}').click()")
        end = time.monotonic() + 20
        while not (files := [one for one in folder.iterdir() if one.suffix in (".csv", ".png")]):
            assert time.monotonic() < end, self.faults
            time.sleep(0.05)
        return files[0].read_bytes()

    def look_through(self, width: int, dark: bool = False, touch: bool = False) -> None:
        """Show pages in a window so many pixels wide and 900 high."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": touch}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=scheme)
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)

    def js(self, expression: str) -> Any:
        """Return what an expression is, awaited if it is a promise."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < end, (expression, self.faults)
            time.sleep(0.05)

    def key(self, name: str) -> None:
        """Press and release a key."""
        text, code = KEYS[name]
        event = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def point(self, x: float, y: float) -> None:
        """Move the mouse to a place of the window."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def tap(self, x: float, y: float) -> None:
        """Touch a place of the window with a finger."""
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
