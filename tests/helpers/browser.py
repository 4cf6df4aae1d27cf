"""A page in a real browser, for every test of one: opened from disk, with all that it did."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}}

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def browser():
    """Chromium, for the tests of a module."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as started:
        # In a container there is no sandbox to be had, and the page is our own.
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page, what the console said, and what was asked of the network."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        """What was asked of the network besides the file itself."""
        own = self.page.url.partition("#")[0]
        return [url for url in self.asked if not url.startswith("data:") and url != own]

    @property
    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window."""
        width = self.page.evaluate("document.documentElement.scrollWidth")
        return width > self.page.viewport_size["width"]


@contextmanager
def open_page(browser: Any, file: Path, **options: Any) -> Iterator[Opened]:
    """Open a file; requests to the network are recorded and fail."""
    context = browser.new_context(service_workers="block", **options)
    context.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
    opened = Opened(context.new_page())
    page = opened.page
    page.on("console", lambda message: opened.said.append(message.text))
    page.on("pageerror", lambda error: opened.said.append(str(error)))
    page.on("dialog", lambda dialog: (opened.said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: opened.asked.append(request.url))
    page.goto(file.as_uri())
    yield opened
    context.close()


def wait_until(page: Any, expression: str, seconds: float = 10.0) -> None:
    """Wait until something is true; Playwright's own way needs `eval`, which our policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"this did not come true: {expression}"
        page.wait_for_timeout(50)


def contrast(page: Any, selector: str) -> float:
    """Return the contrast ratio of WCAG 2 between the text of an element and what is behind it."""
    ink, paper = (luminance(page.evaluate(script, selector)) for script in (INK, BACKGROUND))
    return (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)


def contrast_of(page: Any, selector: str, part: str) -> float:
    """Return the contrast ratio between a drawn thing and what is behind the plot.

    Args:
        page: where it is.
        selector: of the SVG element.
        part: ``fill`` or ``stroke``.
    """
    ink = luminance(page.evaluate(PAINT, [selector, part]))
    paper = luminance(page.evaluate(BACKGROUND, "body"))
    return (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)


def luminance(color: list[int]) -> float:
    """Return the relative luminance of an RGB colour by WCAG 2, 0 to 1."""
    parts = [part / 255 for part in color[:3]]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


BACKGROUND = """selector => {
  for (let one = document.querySelector(selector); one; one = one.parentElement) {
    const color = getComputedStyle(one).backgroundColor;
    if (color !== 'rgba(0, 0, 0, 0)') return color.match(/\\d+/g).map(Number);
  }
}"""
INK = """selector => {
  return getComputedStyle(document.querySelector(selector)).color.match(/\\d+/g).map(Number);
}"""
PAINT = """([selector, part]) => {
  return getComputedStyle(document.querySelector(selector))[part].match(/\\d+/g).map(Number);
}"""
