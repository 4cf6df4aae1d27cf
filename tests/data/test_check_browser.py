"""The check's page in a real browser: it shows what it should, and asks the network for nothing."""

import shutil

import pytest
from fakes import fake_camvid

from segmentation.data.check import findings
from segmentation.data.check.facts import facts
from segmentation.data.check.page import write_check
from segmentation.data.source import look
from segmentation.data.splits import find_splits

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<img src=http:x onerror=alert(1)>"

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as started:
        # In a container there is no sandbox to be had, and the page is our own.
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    root = fake_camvid(folder / "data", {"train": 6, "val": 3})
    for part in ("", "annot"):
        original = (root / f"train{part}" / "train_000.png").read_bytes()
        (root / f"val{part}" / f"{HOSTILE.replace('/', '')}.png").write_bytes(original)
    source = look(root, find_splits(root), "camvid")
    found = findings(source)
    write_check(folder / "check.html", source, found, facts(source, found, "camvid", root))
    return folder / "check.html"


@pytest.fixture
def opened(browser, page_file, request):
    """The page, what the console said, and what was asked of the network."""
    context = browser.new_context(**request.param)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    yield page, said, asked
    context.close()


DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}}


@pytest.mark.parametrize("opened", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_it_opens_from_disk_and_is_complete(opened, page_file):
    page, said, asked = opened
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    sizes = page.eval_on_selector_all(
        "img", "all => all.map(one => [one.naturalWidth, one.getBoundingClientRect().width])"
    )
    assert len(sizes) == 4
    assert all(natural > 0 and shown > 50 for natural, shown in sizes)
    assert page.get_by_text(HOSTILE).is_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == page.viewport_size["width"]  # nothing to scroll sideways


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
    page, _, _ = opened
    page.emulate_media(media=media)
    for selector, least in (("body", 7), (".faint", 4.5), (".level", 4.5), ("figcaption", 4.5)):
        assert contrast(page, selector) >= least, selector
    dark = luminance(page.evaluate(BACKGROUND, "body")) < 0.2
    assert dark == (media == "screen" and page.evaluate(IS_DARK))


IS_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
BACKGROUND = """selector => {
  for (let one = document.querySelector(selector); one; one = one.parentElement) {
    const color = getComputedStyle(one).backgroundColor;
    if (color !== 'rgba(0, 0, 0, 0)') return color.match(/\\d+/g).map(Number);
  }
}"""
INK = """selector => {
  return getComputedStyle(document.querySelector(selector)).color.match(/\\d+/g).map(Number);
}"""


def contrast(page, selector):
    """Return the contrast ratio of WCAG 2, 1 to 21."""
    ink, paper = (luminance(page.evaluate(script, selector)) for script in (INK, BACKGROUND))
    return (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)


def luminance(color):
    """Return the relative luminance of an RGB colour by WCAG 2, 0 to 1."""
    parts = [part / 255 for part in color[:3]]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
