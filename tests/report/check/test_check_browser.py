"""The check's page in a real browser: it shows what it should, and asks the network for nothing."""

import pytest
from browser import BACKGROUND, DESKTOP, PHONE, browser, contrast, luminance, open_page  # noqa: F401
from fakes import fake_camvid

from segmentation.data.check import check_dataset
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.report.check.facts import facts
from segmentation.report.check.page import write_check

HOSTILE = "<img src=http:x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    root = fake_camvid(folder / "data", {"train": 6, "val": 3})
    for part in ("", "annot"):
        original = (root / f"train{part}" / "train_000.png").read_bytes()
        (root / f"val{part}" / f"{HOSTILE.replace('/', '')}.png").write_bytes(original)
    source = scan_dataset(root, find_splits(root), "camvid")
    found = check_dataset(source)
    write_check(folder / "check.html", source, found, facts(source, found, "camvid", root))
    return folder / "check.html"


@pytest.fixture
def opened(browser, page_file, request):  # noqa: F811
    with open_page(browser, page_file, **request.param) as found:
        yield found


@pytest.mark.parametrize("opened", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_it_opens_from_disk_and_is_complete(opened, page_file):
    page = opened.page
    assert opened.said == []
    assert opened.asked[0] == page_file.as_uri()
    assert opened.outside == []
    sizes = page.eval_on_selector_all(
        "img", "all => all.map(one => [one.naturalWidth, one.getBoundingClientRect().width])"
    )
    assert len(sizes) == 4
    assert all(natural > 0 and shown > 50 for natural, shown in sizes)
    assert page.get_by_text(HOSTILE).is_visible()
    assert not opened.scrolls_sideways


@pytest.mark.parametrize(
    ("opened", "media"),
    [
        ({"color_scheme": "light"}, "screen"),
        ({"color_scheme": "dark"}, "screen"),
        ({"color_scheme": "dark"}, "print"),
    ],
    indirect=["opened"],
)
def test_text_stands_out_from_its_background(opened, media):
    page = opened.page
    page.emulate_media(media=media)
    for selector, least in (("body", 7), (".faint", 4.5), (".level", 4.5), ("figcaption", 4.5)):
        assert contrast(page, selector) >= least, selector
    dark = luminance(page.evaluate(BACKGROUND, "body")) < 0.2
    assert dark == (media == "screen" and page.evaluate(IS_DARK))


IS_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
