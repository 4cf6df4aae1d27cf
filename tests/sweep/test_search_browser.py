"""A sweep's page in a real browser: complete at any width, and silent on the network."""

import shutil

import pytest
from made_searches import make_search

from segmentation.sweep.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as started:
        # In a container there is no sandbox to be had, and the page is our own.
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=[("score",), ("score", "latency_ms")], ids=len)
def page_file(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    make_search(folder, 30, request.param)
    return write_report(folder)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_disk_and_is_complete(browser, page_file, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, service_workers="block"
    )
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    assert said == []
    assert asked == [page_file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator(".plot-box").bounding_box()
    assert box["width"] > 200
    assert box["height"] > 200
    marks = page.locator(".plot-box i")
    assert marks.count() == 27
    for place in range(marks.count()):
        mark = marks.nth(place).bounding_box()
        assert box["x"] <= mark["x"] + mark["width"] / 2 <= box["x"] + box["width"]
        assert box["y"] <= mark["y"] + mark["height"] / 2 <= box["y"] + box["height"]
        assert mark["width"] == pytest.approx(mark["height"])  # not stretched with the box
    ticks = page.locator(".plot-y span, .plot-x span")
    assert ticks.count() >= 6
    assert all(ticks.nth(one).bounding_box()["x"] >= 0 for one in range(ticks.count()))
    assert page.locator("table.jobs tbody tr").count() == 30
    context.close()
