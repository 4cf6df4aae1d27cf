"""The pages of a run and of a comparison in a real browser."""

from unittest import mock

import pytest
from browser import (
    DESKTOP,
    PHONE,
    browser,  # noqa: F401
    contrast,
    contrast_of,
    luminance,
    open_page,
    wait_until,
)
from made_evaluations import CLASSES, HOSTILE, big_views, make_comparison, make_evaluation, make_run

from segmentation.classes import ClassTable
from segmentation.evaluation.comparison.tables import Compared
from segmentation.report import evaluation_page
from segmentation.report.comparison_page import write_comparison_page
from segmentation.report.evaluation_page import write_evaluation_page

DARK = DESKTOP | {"color_scheme": "dark"}
TABS = "[role=tab]"
SELECTED = "[role=tab][aria-selected=true]"
HOSTILE_NAME = "<img src=x onerror=alert(1)>"
DRAWN = ".js-plotly-plot"
UNNAMED = """() => [...document.querySelectorAll('button, input, select, img, summary, [role=img]')]
  .filter(one => one.checkVisibility())
  .filter(one => !(one.alt || one.ariaLabel || one.labels?.length
    || (one.role !== 'img' && one.textContent.trim())))
  .map(one => one.outerHTML.slice(0, 200))"""
IDS = """() => [...document.querySelectorAll('[id]')].map(one => one.id)"""
REFERENCES = ("aria-controls", "aria-labelledby", "aria-describedby", "for", "data-opens")
REFERRED = """keys => keys.flatMap(
  key => [...document.querySelectorAll(`[${key}]`)].map(one => one.getAttribute(key)))"""


@pytest.fixture(scope="module")
def run_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    table = ClassTable((HOSTILE, *CLASSES.names[1:]), CLASSES.colors)
    names = ["frame_0", "frame_1", HOSTILE_NAME, "frame_2", "frame_3", "frame_4", "frame_5"]
    run = make_run(folder / "run", images=7, classes=table, names=names)
    (run / "slices.csv").write_text(
        "slice,value,images,miou,low,high,difference,difference_low,difference_high,p_holm\n"
        "brightness,dark,3,0.25,0.2,0.3,-0.1,-0.2,-0.05,0.01\n"
    )
    with mock.patch.object(evaluation_page, "WHOLE", 2):
        return write_evaluation_page(run, run)


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    comparison, contenders = make_comparison(folder, images=12)
    compared = Compared("val", comparison, contenders, [*comparison.notes, "A note."])
    write_comparison_page(folder / "report.html", compared)
    return folder / "report.html"


def through_all_tabs(opened):
    """Open one section after the other, and wait for its plots."""
    page = opened.page
    for place in range(page.locator(TABS).count()):
        page.locator(TABS).nth(place).click()
        for chart in page.locator(".canvas:visible").all():
            chart.scroll_into_view_if_needed()
            chart.locator(".main-svg").first.wait_for()
        yield page.locator(SELECTED).inner_text()


def test_a_run_opens_without_errors_and_asks_nothing_of_the_network(browser, run_page):  # noqa: F811
    with open_page(browser, run_page, **DESKTOP) as opened:
        page = opened.page
        seen = list(through_all_tabs(opened))
        assert seen == [
            "Summary",
            "Classes",
            "Confusion",
            "Images",
            "Calibration",
            "Slices",
            "Curves",
            "Configuration",
        ]
        assert page.locator(DRAWN).count() == 5
        assert opened.said == []
        assert opened.outside == []
        assert opened.asked[0] == run_page.as_uri()
        # a script that is not ours does not run, and nothing can be fetched
        page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.bad = 1';"
            "document.body.append(s); }"
        )
        assert page.evaluate("window.bad") is None
        assert page.evaluate("fetch('http://x.test/').then(() => 'went', () => 'refused')") == (
            "refused"
        )
        page.locator(TABS, has_text="Classes").click()
        assert page.locator("#classes .ytick text").first.inner_html().startswith("&lt;/script&gt;")


@pytest.mark.slow
@pytest.mark.parametrize("window", [DESKTOP, DARK, PHONE], ids=["light", "dark", "phone"])
@pytest.mark.parametrize("which", ["run_page", "comparison_page"])
def test_every_section_is_readable_and_named(browser, which, window, request):  # noqa: F811
    with open_page(browser, request.getfixturevalue(which), **window) as opened:
        page = opened.page
        for tab in through_all_tabs(opened):
            assert not opened.scrolls_sideways, tab
            assert page.evaluate(UNNAMED) == [], tab
            for plot in page.locator(f".panel:not([hidden]) {DRAWN}").all():
                box = plot.bounding_box()
                assert box["width"] <= window["viewport"]["width"]
                assert box["height"] >= 70
        ids = page.evaluate(IDS)
        ours = [one for one in ids if not one.startswith(("clip", "topdefs", "g", "legend"))]
        assert len(set(ours)) == len(ours)
        assert set(page.evaluate(REFERRED, REFERENCES)) <= set(ids)
        page.locator(TABS).first.click()
        for selector, least in (
            ("body", 7),
            (".faint", 4.5),
            (SELECTED, 4.5),
            (TABS, 4.5),
            ("th", 4.5),
        ):
            assert contrast(page, selector) >= least, selector
        page.locator(TABS, has_text="Classes").click()
        for selector, part in ((".errorbar path", "stroke"), (".scatter .point", "stroke")):
            selector = f"#classes {selector}"
            page.locator(selector).first.wait_for()
            assert contrast_of(page, selector, part) >= 3, selector
        assert opened.said == []
        assert opened.outside == []


@pytest.mark.slow
def test_tabs_are_worked_by_keys(browser, run_page):  # noqa: F811
    with open_page(browser, run_page, **DESKTOP) as opened:
        page = opened.page
        page.locator(SELECTED).focus()
        for key, expected in (
            ("ArrowRight", "Classes"),
            ("End", "Configuration"),
            ("ArrowRight", "Summary"),
            ("ArrowLeft", "Configuration"),
            ("Home", "Summary"),
        ):
            page.keyboard.press(key)
            assert page.locator(SELECTED).inner_text() == expected
            assert page.evaluate("document.activeElement.textContent") == expected
            assert page.locator(".panel:visible").count() == 1
            assert page.locator(".panel:visible").get_attribute("data-tab") == expected
        assert page.locator(f"{TABS}[tabindex='0']").count() == 1
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with open_page(browser, run_page, **DESKTOP) as opened:
        opened.page.goto(f"{run_page.as_uri()}#confusion")
        assert opened.page.locator(SELECTED).inner_text() == "Confusion"
        for nothing in ("#100%", "#%E0%A4%A", "#nowhere"):
            opened.page.goto("about:blank")
            opened.page.goto(f"{run_page.as_uri()}{nothing}")
            assert opened.page.locator(SELECTED).inner_text() == "Summary"
            assert opened.page.locator("thead button").count() > 10  # what comes after works too
        assert opened.said == []


@pytest.mark.slow
def test_a_plot_shows_what_is_chosen(browser, run_page):  # noqa: F811
    with open_page(browser, run_page, **DESKTOP) as opened:
        page = opened.page
        page.locator(TABS, has_text="Confusion").click()
        page.locator("#confusion .main-svg").first.wait_for()
        rows = "document.querySelector('#confusion .canvas').data[0].z"
        z, sums = f"{rows}.flat()", f"{rows}.map(row => row.reduce((a, b) => a + b))"
        assert page.evaluate(sums) == pytest.approx([1, 1, 1, 1])
        page.get_by_role("radio", name="by row").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(sums) != pytest.approx([1, 1, 1, 1])
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("radio", name="pixels").is_checked()
        assert max(one for one in page.evaluate(z) if one is not None) > 1
        page.locator(TABS, has_text="Calibration").click()
        page.locator("#calibration .main-svg").first.wait_for()
        shares = "document.querySelector('#calibration .canvas').data[1].y.join()"
        before = page.evaluate(shares)
        page.locator("#calibration .choices [value='1']").set_checked(True)
        assert page.evaluate(shares) != before


@pytest.mark.slow
def test_tables_sort_both_ways(browser, run_page):  # noqa: F811
    with open_page(browser, run_page, **DESKTOP) as opened:
        page = opened.page
        page.locator(TABS, has_text="Classes").click()
        heads = page.locator("#classes thead th")
        rows = "[...document.querySelectorAll('#classes tbody tr')]"
        column = f"{rows}.map(row => row.cells[%d].textContent)"
        heads.nth(1).get_by_role("button").press("Enter")
        assert heads.nth(1).get_attribute("aria-sort") == "descending"
        found = [float(one) for one in page.evaluate(column % 1)]
        assert found == sorted(found, reverse=True)
        heads.nth(1).get_by_role("button").click()
        assert heads.nth(1).get_attribute("aria-sort") == "ascending"
        assert [float(one) for one in page.evaluate(column % 1)] == found[::-1]
        heads.nth(0).get_by_role("button").click()
        assert heads.nth(1).get_attribute("aria-sort") is None
        names = page.evaluate(column % 0)
        assert names[1:] == ["Car", "Pole", "Road"]
        assert names[0] == HOSTILE
        page.locator(TABS, has_text="Curves").click()
        page.locator("#curves summary").first.click()
        epoch = page.locator("#curves table").first.locator("thead th").first
        column = "[...document.querySelector('#curves tbody').rows].map(r => +r.cells[0].innerText)"
        epoch.get_by_role("button").click()
        assert page.evaluate(column) == [3, 2, 1]
        epoch.get_by_role("button").click()
        assert page.evaluate(column) == [1, 2, 3]
        assert epoch.evaluate("one => getComputedStyle(one).textAlign") == "right"


@pytest.mark.slow
def test_the_gallery_sorts_filters_and_shows_other_pictures(browser, run_page):  # noqa: F811
    with open_page(browser, run_page, **DESKTOP) as opened:
        page = opened.page
        page.locator(TABS, has_text="Images").click()
        left = "[...document.querySelectorAll('.gallery li:not([hidden])')]"
        names = f"{left}.map(one => one.dataset.name)"
        scores = "[...document.querySelectorAll('.gallery li')].map(one => +one.dataset.miou)"
        worst = page.evaluate(scores)
        assert worst == sorted(worst)
        assert page.locator("#gallery-count").inner_text() == "7 images"
        page.locator("#gallery-sort").select_option("-miou")
        assert page.evaluate(scores) == worst[::-1] != worst
        page.locator("#gallery-sort").select_option("name")
        assert page.evaluate(names)[1:] == [f"frame_{one}" for one in range(6)]
        page.locator("#gallery-filter").fill("ONERROR")
        assert page.evaluate(names) == [HOSTILE_NAME]
        assert page.locator("#gallery-count").inner_text() == "1 image"
        assert page.locator(".gallery li:visible img:visible").get_attribute("class") == "image"
        page.locator("#gallery-part").select_option("errors")
        assert page.locator(".gallery li:visible img:visible").get_attribute("class") == "errors"
        assert page.locator(".gallery li:visible .name").inner_text() == HOSTILE_NAME


@pytest.mark.slow
def test_the_viewer_lays_pictures_over_the_image_and_is_worked_by_keys(browser, run_page):  # noqa: F811
    with open_page(browser, run_page, **DESKTOP) as opened:
        page = opened.page
        page.locator(TABS, has_text="Images").click()
        opener = page.locator("#worst-1 .open")
        opener.press("Enter")
        over = page.locator("#viewer .over")
        assert over.get_attribute("alt").endswith("prediction")
        slider = page.get_by_role("slider")
        assert float(over.evaluate("one => getComputedStyle(one).opacity")) == 0.7
        slider.focus()
        page.keyboard.press("Home")
        assert float(over.evaluate("one => getComputedStyle(one).opacity")) == 0
        page.keyboard.press("End")
        assert float(over.evaluate("one => getComputedStyle(one).opacity")) == 1
        page.locator("#viewer").get_by_role("radio", name="Prediction").focus()
        page.keyboard.press("ArrowRight")
        assert over.get_attribute("alt").endswith("errors")
        assert page.locator("#viewer-layer").inner_text() == "Errors"
        first = page.locator("#viewer-name").inner_text()
        page.get_by_role("button", name="Close").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#viewer-name").inner_text() != first
        assert page.locator("#viewer-place").inner_text() == "2 of 2"
        assert over.get_attribute("alt").endswith("errors")  # the choice stays
        page.keyboard.press("ArrowRight")  # and round
        assert page.locator("#viewer-name").inner_text() == first
        page.keyboard.press("Escape")
        assert not page.locator("#viewer").is_visible()
        assert opener.evaluate("one => one === document.activeElement")
        page.locator(".gallery [data-opens=best-1]").click()
        best = page.locator("#best-1 b").text_content()
        assert page.locator("#viewer-name").inner_text() == best
        assert opened.said == []


@pytest.mark.slow
def test_plots_follow_dark_mode_and_paper(browser, comparison_page):  # noqa: F811
    with open_page(browser, comparison_page, **DESKTOP) as opened:
        page = opened.page
        page.locator("#verdict .main-svg").first.wait_for()
        ink = "document.querySelector('#verdict .ytick text').style.fill.match(/\\d+/g).map(Number)"
        assert luminance(page.evaluate(ink)) < 0.1
        page.emulate_media(color_scheme="dark")
        wait_until(page, f"{ink}[0] > 200")
        page.emulate_media(media="print")
        wait_until(page, "document.querySelectorAll('.js-plotly-plot').length === 5")
        wait_until(page, f"{ink}[0] < 50")
        assert page.locator(".panel:visible").count() == 9
        assert not page.locator(".tabs").is_visible()
        assert all(
            plot.bounding_box()["width"] > 500 for plot in page.locator(".canvas .main-svg").all()
        )
        page.emulate_media(media="screen")
        wait_until(page, f"{ink}[0] > 200")
        assert page.locator(".panel:visible").count() == 1


SIZES = """() => [...document.querySelectorAll('.panel:not([hidden]) .canvas')].map(one => [
  one.clientWidth, Number(one.querySelector('.main-svg').getAttribute('width')),
  parseFloat(one.style.minHeight),
  Number(one.querySelector('.main-svg').getAttribute('height'))])"""
TURNED = {"width": PHONE["viewport"]["height"], "height": PHONE["viewport"]["width"]}


@pytest.mark.slow
@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("which", ["run_page", "comparison_page"])
def test_plots_fit_after_dark_print_and_another_width(browser, which, window, request):  # noqa: F811
    def sizes():
        found = {}
        for tab in through_all_tabs(opened):
            fits = f"({SIZES})().every(([w, drawn, h, high]) => w === drawn && h === high)"
            wait_until(page, fits)
            found[tab] = page.evaluate(SIZES)
            assert not opened.scrolls_sideways
        assert sum(map(len, found.values())) >= 5
        return found

    with open_page(browser, request.getfixturevalue(which), **window) as opened:
        page = opened.page
        before = sizes()
        page.emulate_media(color_scheme="dark")
        assert sizes() == before
        page.emulate_media(media="print")
        wait_until(page, f"({SIZES})().every(([w, drawn]) => drawn === 640)")
        page.emulate_media(media="screen")
        assert sizes() == before
        page.set_viewport_size(TURNED)
        turned = sizes()
        assert turned != before
        page.set_viewport_size(window["viewport"])
        assert sizes() == before
        assert opened.said == []


@pytest.mark.slow
def test_names_that_javascript_or_the_palette_knows_stay_names(browser, tmp_path):  # noqa: F811
    names = ("constructor", "__proto__", "#0072b2", "#ffffff")
    run = make_run(tmp_path / "run", classes=ClassTable(names, CLASSES.colors))
    window = DARK  # in which each colour of a figure is replaced
    with open_page(browser, write_evaluation_page(run, run), **window) as opened:
        page = opened.page
        for tab in ("Classes", "Confusion"):
            page.locator(TABS, has_text=tab).click()
            ticks = page.locator(f"#{tab.lower()} .ytick text")
            ticks.first.wait_for()
            assert set(ticks.evaluate_all("all => all.map(one => one.textContent)")) == set(names)
            data = f"document.querySelector('#{tab.lower()} .canvas').data[0].customdata.flat(2)"
            assert set(names) <= set(map(str, page.evaluate(data)))
        assert opened.said == []


@pytest.mark.slow
def test_a_layer_that_an_image_lacks_is_wanted_again_at_the_next(browser, comparison_page):  # noqa: F811
    with open_page(browser, comparison_page, **DESKTOP) as opened:
        page = opened.page
        page.locator(TABS, has_text="Images").click()
        page.locator(".view:nth-child(2) figure:last-child").evaluate("one => one.remove()")
        page.locator(".view:nth-child(1) .open").click()
        over, said = page.locator("#viewer .over"), page.locator("#viewer-layer")
        page.locator("#viewer [type=radio]").last.check()
        wanted = said.inner_text()
        page.get_by_role("button", name="Next").click()
        assert said.inner_text() == "Truth"
        assert page.locator("#viewer :checked").get_attribute("value") == "Truth"
        assert over.get_attribute("alt").endswith("truth")
        page.get_by_role("button", name="Next").click()
        assert said.inner_text() == wanted != "Truth"
        assert page.locator("#viewer :checked").get_attribute("value") == wanted


@pytest.mark.slow
def test_wide_tables_fit_on_paper(browser, tmp_path):  # noqa: F811
    comparison, contenders = make_comparison(tmp_path, seeds=(1,) * 12, images=4)
    compared = Compared("val", comparison, contenders, [])
    write_comparison_page(tmp_path / "report.html", compared)
    page_of_a4 = {"viewport": {"width": 718, "height": 1000}}  # with margins of a centimetre
    with open_page(browser, tmp_path / "report.html", **page_of_a4) as opened:
        opened.page.emulate_media(media="print")
        wait_until(opened.page, "document.querySelectorAll('.js-plotly-plot').length === 5")
        tables = opened.page.locator("table:visible")
        assert tables.count() >= 3
        for table in tables.all():
            assert table.bounding_box()["width"] <= 718, table.locator("..").get_attribute(
                "aria-label"
            )
        assert not opened.scrolls_sideways


@pytest.mark.slow
@pytest.mark.parametrize("which", ["run_page", "comparison_page"])
def test_without_scripts_all_is_there(browser, which, request):  # noqa: F811
    window = DESKTOP | {"java_script_enabled": False}
    with open_page(browser, request.getfixturevalue(which), **window) as opened:
        page = opened.page
        panels = page.locator(".panel")
        assert page.locator(".panel:visible").count() == panels.count() >= 7
        assert page.locator(".needs-script:visible").count() == 0
        assert page.locator(".view img:visible").count() >= 8
        for summary in page.locator(".chart summary").all():
            if summary.locator("..").get_attribute("open") is None:
                summary.click()
        tables = page.locator(".chart table:visible").count()
        assert tables == page.locator(".chart summary").count() > page.locator(".chart").count() - 1


@pytest.mark.slow
def test_a_page_of_233_images_loads_and_nothing_moves(browser, tmp_path):  # noqa: F811
    names = [f"0001TP_{index:06d}" for index in range(233)]
    run = make_evaluation(tmp_path / "run", images=233, names=names)
    big_views(run, names)
    page_file = write_evaluation_page(run, None)
    assert page_file.stat().st_size < 20e6
    with open_page(browser, page_file, **DESKTOP) as opened:
        page = opened.page
        page.locator(TABS, has_text="Images").click()
        page.locator("#worst-1 img").first.evaluate("one => one.decode()")
        last = page.locator(".gallery li").last
        height = page.evaluate("document.documentElement.scrollHeight")
        last.scroll_into_view_if_needed()
        wait_until(
            page,
            "[...document.querySelectorAll('.gallery li:last-child .image')].every("
            "one => one.complete && one.naturalWidth === 160)",
        )
        assert page.evaluate("document.documentElement.scrollHeight") == height
        assert page.locator(".gallery li").count() == 233
        assert opened.said == []
