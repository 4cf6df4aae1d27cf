"""The table of scores on a terminal, in a pipe, and where there is no sign but ASCII."""

import io
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from segmentation.report.terminal import scores
from segmentation.report.terminal.scores import bar, show_scores

PIXELS = np.array([750, 240, 10])
METRICS = {
    "miou": 0.5, "pixel_accuracy": 0.9, "mean_accuracy": 0.625, "dice": 0.6,
    "iou": {"Road": 0.75, "Sky [1]": 0.25, "SignSymbol": None},
    "accuracy": {"Road": 1.0, "Sky [1]": 0.25, "SignSymbol": None},
}  # fmt: skip
NEW = METRICS | {
    "frequency_weighted_iou": 0.7,
    "boundary_iou": {"mean": 0.3, "distance": "bands of 2%", "classes": {}},
    "boundary_f": {"mean": None, "distance": "bands of 2%", "classes": {}},
    "calibration": {"ece": 0.04, "bins": 15, "classes": {}},
    "intervals": {
        "miou": [0.45, 0.55],
        "iou": {"Road": [0.5, 1.0], "Sky [1]": [0.2, 0.3], "SignSymbol": None},
        "resampling": "10,000 bootstrap resamples", "notes": ["All of one sequence."],
    },
}  # fmt: skip


def shown(metrics, monkeypatch, width=80, title="best weights on val"):
    """Return the lines that are printed."""
    text = io.StringIO()
    monkeypatch.setattr(scores, "console", Console(file=text, width=width, markup=False))
    show_scores(title, metrics, PIXELS)
    return text.getvalue().split("\n")


def test_with_intervals(monkeypatch):
    lines = shown(NEW, monkeypatch)
    assert max(map(len, lines)) <= 80
    row = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert row["Road"][:6] == ["Road", "75.0%", "75.0%", "[50.0,", "100.0]", "100.0%"]
    solid, below, above = (row["Road"][6].count(sign) for sign in "█▓░")
    assert row["Road"][6] == "█" * solid + "▓" * below + "░" * above
    assert solid == below + above == pytest.approx(2 * below, abs=1)
    assert row["Sky"][1] == "[1]"  # no markup
    assert row["SignSymbol"] == ["SignSymbol", "1.0%", "–", "–", "–"]
    assert row["mean"][:4] == ["mean", "50.0%", "[45.0,", "55.0]"]
    text = "\n".join(lines)
    assert "mIoU 50.0% [45.0, 55.0] · pixel accuracy 90.0%" in text
    assert "frequency-weighted IoU 70.0%" in text
    assert "boundary IoU 30.0% · boundary F –" in text
    assert "calibration error (ECE) 4.0%" in text
    assert "95% intervals (▓░ in the bars): 10,000 bootstrap resamples." in text
    assert "All of one sequence." in text
    assert "Boundary scores: bands of 2%." in text


def test_a_title_is_no_markup(monkeypatch):
    assert shown(METRICS, monkeypatch, title="runs/a [/b] [c]")[0].strip() == "runs/a [/b] [c]"


def test_an_older_evaluation_has_no_intervals(monkeypatch):
    text = "\n".join(shown(METRICS, monkeypatch))
    assert "interval" not in text
    assert "▓" not in text
    assert "mIoU 50.0% · pixel accuracy 90.0% · mean accuracy 62.5% · Dice 60.0%" in text


@pytest.mark.parametrize("width", [56, 60, 80, 200])
def test_no_number_is_cut_off_however_narrow(width, monkeypatch):
    lines = shown(NEW, monkeypatch, width)
    assert max(map(len, lines)) <= width
    assert "[50.0, 100.0]" in "\n".join(lines)
    assert ("█" in "\n".join(lines)) == (width >= 80)


def test_a_split_without_labels(monkeypatch):
    none = dict.fromkeys(METRICS["iou"])
    means = dict.fromkeys(("miou", "dice", "pixel_accuracy", "mean_accuracy", "intervals"))
    empty = METRICS | means | {"iou": none, "accuracy": none}
    assert "mIoU – · pixel accuracy –" in "\n".join(shown(empty, monkeypatch))


def test_a_pipe_of_ascii_gets_ascii_and_no_colour():
    code = (
        "import json, sys; import numpy as np\n"
        "from segmentation.cli.terminal import make_printable; make_printable()\n"
        "from segmentation.report.terminal.scores import show_scores\n"
        f"show_scores('ä', {NEW!r}, np.array([750, 240, 10]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True,
        env={"PYTHONIOENCODING": "ascii", "COLUMNS": "80", "PATH": ""},
    )  # fmt: skip
    text = done.stdout.decode("ascii")
    assert "\x1b" not in text
    assert "?" not in text
    assert "#" in text
    assert "#=" in text
    assert "=-" in text
    assert "boundary IoU 30.0% | boundary F -" in text


@given(
    score=st.floats(0, 1), ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    width=st.integers(1, 40),
)  # fmt: skip
def test_a_bar_is_solid_then_an_interval(score, ends, width):
    drawn = bar(score, ends, width)
    assert len(drawn) == width
    assert drawn == "".join(sorted(drawn, key="█▓░ ".index))
    assert drawn.count("█") + drawn.count("▓") == round(score * width)
    assert bar(score, None, width).strip() == "█" * round(score * width)
    assert not bar(None, None, width).strip()
