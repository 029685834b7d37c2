# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium to look at a page with: opens files, moves the mouse, types, evaluates, takes pictures.

Speaks the DevTools protocol over a pair of pipes (--remote-debugging-pipe: JSON messages, each ended by a NUL), which
needs nothing but Python. Source: https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

ANSWER_LIMIT_S = 20


class Failed(Exception):
    """The browser did not do what it was asked to."""


def find():
    """The browser's path, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One process with one tab. Use as a context manager."""

    def __init__(self, path):
        self.folder = tempfile.TemporaryDirectory(prefix="ddprof-browser-", ignore_cleanup_errors=True)
        from_browser, to_us = os.pipe()
        from_us, to_browser = os.pipe()
        self.input, self.output = from_browser, to_browser
        self.process = self.start(path, from_us, to_us)
        os.close(from_us)
        os.close(to_us)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events = []

    def start(self, path, from_us, to_us):
        """The browser reads requests from descriptor 3 and writes to 4."""
        def move():
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate((from_us, to_us))]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        return subprocess.Popen(
            [path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1",
             f"--user-data-dir={self.folder.name}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=move, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "HOME": self.folder.name})

    def __enter__(self):
        tabs = self.call("Target.getTargets")["targetInfos"]
        tab = next(t for t in tabs if t["type"] == "page")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def receive(self, deadline):
        """The next message."""
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed(f"no answer within {ANSWER_LIMIT_S} s")
            part = os.read(self.input, 1 << 16)
            if not part:
                raise Failed("the browser ended")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        """A protocol method's result; events that come meanwhile go to self.events."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.output, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while True:
            message = self.receive(deadline)
            if message.get("id") == self.number:
                if "error" in message:
                    raise Failed(f"{method}: {message['error']['message']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def evaluate(self, expression):
        """A JavaScript expression's value."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failed(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, path, width=1280, height=720):
        """Opens a file in a window of that size and waits until it has been drawn."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive(deadline))
        self.settle()

    def settle(self):
        """Waits until what was changed is on the screen."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")

    def dark(self, on):
        """What the user prefers."""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if on else "light"}])
        self.settle()

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def press(self, key):
        """One key: a character, or a name such as ArrowDown."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.settle()

    def type(self, text):
        for character in text:
            self.press(character)

    def requests(self):
        """What the page asked for since it was opened, but itself."""
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return asked[1:]

    def complaints(self):
        """Exceptions, and what the browser logged: also what the content security policy refused."""
        return [e["params"] for e in self.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]

    def screenshot(self, path):
        image = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(image))
