"""Chromium without a screen, driven by its own driver (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from rigforge.verify.iso import free_port

T = TypeVar("T")

#: Seconds that a page may take to show what it is asked for.
PATIENCE = 240

#: Nothing is asked of the network but the page itself; the sandbox is not to be had by root.
OPTIONS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "window-size=1300,800",
)

#: The key under which an element's id comes, and the codes of keys (WebDriver, 12.2 and 17.4.2).
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
SHIFT, ENTER = "\ue008", "\ue007"


@dataclass(frozen=True)
class Page:
    """A window of the browser; `session` is its address at the driver."""

    session: str

    def open(self, address: str) -> None:
        """Goes to an address and waits until the page is loaded."""
        self._tell("url", url=address)

    def find(self, selector: str) -> str:
        """Waits for the first element that a CSS selector finds, and returns its id."""
        return self._at(selector, lambda element: element)

    def text(self, selector: str) -> str:
        """Returns what can be read in an element, once it is there."""
        return self._at(selector, lambda element: str(self._ask(f"element/{element}/text")))

    def click(self, selector: str) -> None:
        """Clicks on an element, once it is there."""
        self._at(selector, lambda element: self._tell(f"element/{element}/click"))

    def type(self, selector: str, text: str) -> None:
        """Types into an element, once it is there."""
        self._at(selector, lambda element: self._tell(f"element/{element}/value", text=text))

    def _at(self, selector: str, action: Callable[[str], T]) -> T:
        """Does something with an element; again where the page has drawn it anew, or is about to."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                found = self._tell("elements", using="css selector", value=selector)
                if found:
                    return action(str(found[0][ELEMENT]))
            except NotThereError:
                pass
            assert time.monotonic() < end, f"{selector} does not appear"
            time.sleep(0.5)

    def save(self, picture: Path) -> None:
        """Writes what is seen, as PNG."""
        picture.write_bytes(base64.b64decode(self._ask("screenshot")))

    def _tell(self, command: str, **values: Any) -> Any:
        return _value(requests.post(f"{self.session}/{command}", json=values, timeout=PATIENCE))

    def _ask(self, command: str) -> Any:
        return _value(requests.get(f"{self.session}/{command}", timeout=PATIENCE))


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Yields a window of a Chromium whose profile is in `folder`."""
    port = free_port()
    with (folder / "chromedriver.log").open("wb") as log:
        driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while not _answers(f"{address}/status"):
            assert time.monotonic() < end, (folder / "chromedriver.log").read_text()
            time.sleep(0.2)
        words = [f"--{option}" for option in (*OPTIONS, f"user-data-dir={folder}/profile")]
        wish = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": words}}}}
        made = _value(requests.post(f"{address}/session", json=wish, timeout=PATIENCE))
        session = f"{address}/session/{made['sessionId']}"
        try:
            yield Page(session)
        finally:
            requests.delete(session, timeout=60)
    finally:
        driver.terminate()
        driver.wait(60)


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


class NotThereError(Exception):
    """An element went while it was used, or something lies over it (WebDriver, 6.6)."""


def _value(answer: requests.Response) -> Any:
    value = answer.json()["value"]
    if not answer.ok and value["error"] in ("stale element reference", "element click intercepted"):
        raise NotThereError(value["message"])
    assert answer.ok, value["message"]
    return value
