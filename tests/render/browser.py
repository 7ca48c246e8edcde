"""A real browser for tests of the page: chromium, driven by playwright; skipped where either is missing."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@contextmanager
def launched() -> Iterator[Any]:
    """A headless browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the driver's own event loop
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
            yield browser
            browser.close()


class Opened:
    """A page that is open, with everything it said and asked for."""

    def __init__(self, browser: Any, path: Path, text: str, **options: Any) -> None:
        path.write_text(text, "utf-8")
        options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.settle()

    def settle(self) -> None:
        """Wait for what is drawn in the next frame."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def click(self, selector: str, **options: Any) -> None:
        self.page.locator(selector).first.click(**options)
        self.settle()

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.text_content())

    def ids(self) -> set[str]:
        """Of the boxes that are drawn."""
        return set(self.page.eval_on_selector_all(".boxes > .box", "all => all.map(b => b.dataset.id)"))

    def arrows(self) -> list[tuple[str, str, bool]]:
        """From, to, and whether it is carried to the next turn, of those that are drawn."""
        ends = self.page.eval_on_selector_all(
            ".arrows > .arrow",
            "all => all.map(a => [a.dataset.from, a.dataset.to, a.classList.contains('carried')])",
        )
        return sorted((source, target, carried) for source, target, carried in ends)

    def close(self) -> None:
        """Close, and hold the page to its promise: nothing said, nothing asked for but itself."""
        self.context.close()
        assert self.said == []
        assert len(self.requests) == 1 and self.requests[0].startswith("file:"), self.requests
