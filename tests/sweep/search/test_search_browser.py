"""A sweep's page in a real browser: complete at any width, and silent on the network."""

import pytest
from browser import browser, open_page, wait_until  # noqa: F401
from made_searches import make_search

from segmentation.sweep.report import write_report

pytestmark = pytest.mark.slow

POINTS = "document.querySelectorAll('#search .scatterlayer .point').length"


@pytest.fixture(scope="module", params=[("score",), ("score", "latency_ms")], ids=len)
def page_file(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    make_search(folder, 30, request.param)
    return write_report(folder)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_disk_and_is_complete(browser, page_file, width, scheme):  # noqa: F811
    window = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with open_page(browser, page_file, **window) as opened:
        page = opened.page
        finished = 24 if "Score by trial" in page.content() else 27
        wait_until(page, f"{POINTS} === {finished}")
        canvas = page.locator("#search .canvas").bounding_box()
        marks = page.locator("#search .scatterlayer .point")
        for place in range(marks.count()):
            mark = marks.nth(place).bounding_box()
            assert canvas["x"] <= mark["x"] + mark["width"] / 2 <= canvas["x"] + canvas["width"]
            assert canvas["y"] <= mark["y"] + mark["height"] / 2 <= canvas["y"] + canvas["height"]
        page.locator("#tab-parameters").click()
        choices = page.locator("#parameters .choices input")
        assert choices.count() == 3  # all, and each of two parameters
        for place in range(choices.count()):
            choices.nth(place).click()
            wait_until(page, "document.querySelectorAll('#parameters .trace').length > 0")
            assert not opened.scrolls_sideways
        page.locator("#tab-jobs").click()
        assert page.locator("#jobs tbody tr").count() == 30
        assert not opened.scrolls_sideways
        assert opened.said == []
        assert opened.outside == []
