"""A headless Chromium, driven through its debugging port: opens a file, runs JavaScript in it, takes pictures.

No driver program is needed. Everything that the page asks the network for, and every error in its console, is kept.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--hide-scrollbars", "--mute-audio", "--disable-quic",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist", "--remote-debugging-port=0", "--force-color-profile=srgb",
    "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
)  # fmt: skip
_WAIT = 120.0  # seconds for an answer: software rendering on a busy machine


def executable() -> str | None:
    """The first Chromium or Chrome on the path."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _pixels(data: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


class Browser:
    """One page in one Chromium; use as a context manager."""

    def __init__(self, width: int = 640, height: int = 360) -> None:
        program = executable()
        assert program is not None, "no Chromium on the path"
        self._home = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        flags = (*_FLAGS, f"--user-data-dir={self._home.name}", f"--window-size={width},{height}", "about:blank")
        self._process = subprocess.Popen(
            [program, *flags], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = 0
        try:
            self._attach(width, height)
        except BaseException:
            self._end()
            raise

    def _attach(self, width: int, height: int) -> None:
        self._socket: ClientConnection = connect(self._address(), max_size=None, open_timeout=_WAIT, ping_interval=None)
        pages = [t for t in self._call("Target.getTargets", {})["targetInfos"] if t["type"] == "page"]
        attached = self._call("Target.attachToTarget", {"targetId": pages[0]["targetId"], "flatten": True})
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable", {})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", metrics)

    def _address(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if b"DevTools listening on " in line:
                return line.decode().split("listening on ")[1].strip()
        raise AssertionError("Chromium ended before it listened")

    def open(self, page: Path, view: str = "", *, wait: bool = True) -> None:
        """Load a file and wait until its player, if it has one, has drawn; forgets what was kept before."""
        self.requests.clear()
        self.complaints.clear()
        self._call("Page.navigate", {"url": "about:blank"})
        self._call("Page.navigate", {"url": f"{page.resolve().as_uri()}#{view}"})
        self.run("new Promise(done => { if (document.readyState === 'complete') done(); else onload = done; })")
        if wait:
            self.run("Promise.resolve(window.ready).then(() => true)")

    def run(self, code: str) -> Any:
        """The value of an expression, of its promise if it is one."""
        options = {"expression": code, "awaitPromise": True, "returnByValue": True}
        answer = self._call("Runtime.evaluate", options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Move the mouse from one pixel to another with its left button down."""
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **held})

    def scroll(self, at: tuple[int, int], pixels: int) -> None:
        """Turn the wheel; negative is away from the user."""
        wheel = {"type": "mouseWheel", "x": at[0], "y": at[1], "deltaX": 0, "deltaY": pixels}
        self._call("Input.dispatchMouseEvent", wheel)

    def drawn(self) -> np.ndarray:
        """[H, W, 3] bytes of the player's canvas, sorted for its time and camera."""
        code = "player.settled().then(() => { player.draw(); return player.canvas.toDataURL('image/png'); })"
        return _pixels(self.run(code).split(",")[1])

    def picture(self) -> np.ndarray:
        """[H, W, 3] bytes of what the window shows."""
        return _pixels(self._call("Page.captureScreenshot", {"format": "png"})["data"])

    def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=_WAIT))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._hear(answer.get("method", ""), answer.get("params", {}))

    def _hear(self, event: str, params: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session: the browser and its helpers, nothing else
        self._process.wait(30)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._home.cleanup()
