"""A headless Chromium, which loads nothing but files."""

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
    """A browser that ends afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as browser:
        yield browser


@contextlib.contextmanager
def opened(browser: "Browser", file: Path, view: str = "", width: int = 1440, **look: Any) -> "Iterator[Page]":
    """A file in a window of its own, with what follows # in its address; it leaves no fault and asks for no network."""
    faults: list[str] = []
    requests: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 900}, **look) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "assert") else None)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.resolve().as_uri() + f"#{view}" * bool(view))
        yield page
    assert faults == [] and [url for url in requests if not url.startswith(("data:", "file:", "blob:"))] == []
