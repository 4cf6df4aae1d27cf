"""A sweep's page in a real browser: complete at any width, and silent on the network."""

import pytest
from browser import browser, open_page  # noqa: F401
from made_searches import make_search

from segmentation.sweep.report import write_report

pytestmark = pytest.mark.slow


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
        assert opened.said == []
        assert opened.asked == [page_file.as_uri()]
        assert not opened.scrolls_sideways
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
