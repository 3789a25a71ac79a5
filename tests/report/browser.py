"""A headless Chromium that loads files alone."""

import contextlib
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
MISSING = not CHROMIUM or not find_spec("playwright")


@contextlib.contextmanager
def chromium() -> "Iterator[Browser]":
    """Open a browser and close it afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as browser:
        yield browser


@contextlib.contextmanager
def opened(browser: "Browser", file: Path, view: str = "", width: int = 1440, **options: Any) -> "Iterator[Page]":
    """Open a file at ``#view`` in its own window; afterwards, assert that nothing failed or asked for the network."""
    faults: list[str] = []
    requests: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 900}, **options) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "assert") else None)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.resolve().as_uri() + f"#{view}" * bool(view))
        yield page
    assert faults == [] and [url for url in requests if not url.startswith(("data:", "file:", "blob:"))] == []
