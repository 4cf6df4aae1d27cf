"""Tables of slices on a terminal."""

import math

import pandas as pd
import pytest

from segmentation import console
from segmentation.evaluation.slices.scores import COLUMNS
from segmentation.report.terminal.slices import SHOWN, show_slices, verdict, worst_first


def rows_of(*rows):
    """Rows of (slice, value, mIoU, difference, Holm's p), with intervals of 2 points each way."""
    return pd.DataFrame(
        [
            [kind, value, 20, miou, miou - 0.02, miou + 0.02, by, by - 0.02, by + 0.02, p]
            for kind, value, miou, by, p in rows
        ],
        columns=list(COLUMNS),
    )


@pytest.fixture
def printed(monkeypatch):
    def show(slices, *notes, width=120):
        monkeypatch.setattr(console.console, "width", width)
        with console.console.capture() as capture:
            show_slices(slices, notes, "slices.csv")
        return capture.get()

    return show


def test_the_worst_beyond_chance_stands_on_top():
    rows = rows_of(
        ("a", "better", 0.9, 0.3, 0.01), ("a", "lucky", 0.8, 0.1, 0.9),
        ("a", "unlucky", 0.1, -0.5, 0.2), ("a", "bad", 0.4, -0.2, 0.04),
        ("a", "worst", 0.3, -0.3, 0.001), ("a", "unknown", 0.5, float("nan"), float("nan")),
    )  # fmt: skip
    assert worst_first(rows)["value"].tolist() == [
        "worst", "bad", "unlucky", "lucky", "unknown", "better",
    ]  # fmt: skip


def test_names_of_columns_are_no_markup(printed):
    text = printed(
        rows_of(
            ("targets.[/x]", "[bold]", 0.4, -0.1, 0.5), ("targets.temp [c]", "1", 0.6, 0.1, 0.5)
        )
    )
    for name in ("targets.[/x]", "[bold]", "targets.temp [c]"):
        assert name in text


def test_words():
    assert verdict(-0.2, -0.3, True) == "worse"
    assert verdict(0.2, 0.1, True) == "better"
    assert verdict(-0.2, -0.5, False) == "not distinguishable"
    assert verdict(-0.2, math.nan, False) == "too few to tell"


@pytest.mark.parametrize("width", [80, 120])
def test_a_row_says_score_difference_interval_and_verdict(printed, width):
    text = printed(
        rows_of(("brightness", "20-40", 0.4, -0.123, 0.01), ("brightness", "40-90", 0.6, 0.1, 0.5)),
        "a note [of note]", width=width,
    )  # fmt: skip
    lines = text.splitlines()
    (dark,) = [line for line in lines if "20-40" in line]
    for part in ("20", "40.0%", "-12.3 [-14.3, -10.3]", "worse"):
        assert part in dark
    assert "not distinguishable" in next(line for line in lines if "40-90" in line)
    assert "a note [of note]" in text
    assert max(map(len, lines)) <= width


def test_long_lists_are_cut_and_size_is_called_by_its_score(printed):
    text = printed(rows_of(*(("size", f"s{i}", 0.5, 0.1 * i, 1.0) for i in range(SHOWN + 3))))
    assert "and 3 more in slices.csv" in text
    assert "mIoU" not in text
    assert f"s{SHOWN}" not in text


def test_corruptions_have_a_row_each_the_worst_first(printed):
    text = printed(
        rows_of(
            ("corruptions", "fog 1", 0.5, -0.1, 0.01),
            ("corruptions", "fog 5", 0.4, -0.2, 0.01),
            ("corruptions", "noise 1", 0.6, 0.0, 0.9),
            ("corruptions", "noise 5", 0.2, -0.4, 0.01),
            ("corruptions", "mean of all", 0.425, -0.175, 0.01),
        )
    )
    lines = text.splitlines()
    noise, fog = (
        next(i for i, one in enumerate(lines) if name in one) for name in ("noise", "fog")
    )
    assert noise < fog
    for part in ("60.0%  +0.0~", "20.0% -40.0 ", "40.0%"):
        assert part in lines[noise]
    assert "severity 5" in text
    assert "~ not distinguishable from the clean images" in text
