"""A headless Chromium, driven by its DevTools protocol over a pair of pipes: one page, and what it complained of."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S, until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip


DRAWING = """(() => {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.cssText);
  const body = document.body.cloneNode(true), style = document.createElement("style");
  body.querySelectorAll("script, noscript, .skip").forEach((one) => one.remove());
  style.textContent = rules.join("\\n");
  body.prepend(style);
  const height = Math.ceil(document.getElementById("view").getBoundingClientRect().bottom + 16);
  const size = `width="${innerWidth}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${innerWidth} ${height}">\\n`
    + `<foreignObject ${size}>${new XMLSerializer().serializeToString(body)}</foreignObject>\\n</svg>\\n`;
})()"""


class Browser:
    """One page of one browser; to be closed."""

    def __init__(self, folder: Path, width: int = 1200, height: int = 1000) -> None:
        hears, self._asks = os.pipe()
        self._told, tells = os.pipe()
        options = [*OPTIONS, f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"]
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (hears, tells)]

        def places() -> None:
            """The protocol is spoken on the descriptors 3 and 4, whatever numbers ours have."""
            for place, end in zip((3, 4), ends, strict=True):
                os.dup2(end, place)

        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [str(CHROMIUM), *options], pass_fds=(3, 4), preexec_fn=places, stdout=nowhere, stderr=nowhere
        )
        for end in (hears, tells, *ends):
            os.close(end)
        self._number, self._rest, self._session = 0, b"", ""
        self.complaints: list[str] = []
        pages = self.ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in pages if one["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._asks, json.dumps(message).encode() + b"\0")
        while True:
            told = self._read()
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            self._note(told)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._told, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _note(self, told: dict[str, Any]) -> None:
        params = told.get("params", {})
        if told["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
        if told["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        if told["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"])[:500])

    def open(self, address: str) -> None:
        self.ask("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is; of a promise what comes of it."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, text: str) -> None:
        """Until it can be read on the page."""
        until(lambda: text in self.text(), lambda: (text, self.text(), self.complaints))

    def text(self) -> str:
        """All that can be read on the page."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def picture(self, path: Path) -> None:
        """Of the whole page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def drawing(self) -> str:
        """The page as it stands, as one SVG with its styles: text, which every browser draws again."""
        return str(self.value(DRAWING))

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        os.close(self._asks)
        os.close(self._told)
