"""The page of an evaluation: its scores, pictures, commands and policy."""

import base64
import hashlib
import json
import re
import shlex
from html import unescape
from unittest import mock

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from made_evaluations import CLASSES, HOSTILE, WARNING, make_evaluation, make_run
from page_text import text_of

from segmentation.errors import DataError
from segmentation.evaluation.slices.scores import COLUMNS
from segmentation.report import evaluation_page, pictures
from segmentation.report.evaluation import image_scores
from segmentation.report.evaluation_page import write_evaluation_page
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.results import write_results
from segmentation.runs.views import read_views, write_views


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "run")


def test_it_shows_the_scores_with_their_intervals_and_warnings(run):
    metrics = json.loads((run / "metrics.json").read_text())
    page = write_evaluation_page(run, run)
    assert page == run / "report.html"
    text = text_of(page)
    low, high = metrics["intervals"]["miou"]
    for part in (
        f"{100 * metrics['miou']:.1f}%", f"95% interval {100 * low:.1f} to {100 * high:.1f}",
        f"{metrics['frequency_weighted_iou']:.1%}", f"{metrics['boundary_iou']['mean']:.1%}",
        metrics["boundary_f"]["distance"].split("%")[0], f"{metrics['calibration']['ece']:.1%}",
        metrics["intervals"]["resampling"].split(",")[0], "&lt;b&gt;weights&lt;/b&gt;",
        "python compare.py ", "mIoU on val was best in epoch 2: 50.0%", "1,234,567",
    ):  # fmt: skip
        assert part in text, part
    assert "<b>weights</b>" not in page.read_text()
    assert WARNING not in text  # escaped
    for name in CLASSES.names:
        assert f"{100 * metrics['iou'][name]:.1f}" in text
    assert "secret" not in text  # the command line


def test_what_is_not_there_is_said(tmp_path):
    directory = make_evaluation(tmp_path / "old")
    write_evaluation_page(directory, None)
    (directory / "views.zip").unlink()
    metrics = json.loads((directory / "metrics.json").read_text())
    scored = read_scored(directory)
    kept = ("miou", "pixel_accuracy", "iou", "accuracy", "images", "split")
    (directory / "metrics.json").write_text(json.dumps({key: metrics[key] for key in kept}))
    np.savez(
        directory / "per_image.npz", name=np.array(scored.names), confusion=scored.confusion,
        classes=np.array(scored.classes),
    )  # fmt: skip
    text = text_of(write_evaluation_page(directory, None))
    for part in (
        "no interval", "no views", "no counts by confidence", "No curves",
        "No configuration", "No environment", "IoU of 4 classes",
    ):  # fmt: skip
        assert part in text, part


def test_a_model_without_segmentation_has_a_page(tmp_path):
    write_results(tmp_path, None, ["a", "b"])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    metrics["targets"] = {
        "category": {"f1": {"bright": 0.5, "dark": None}, "macro_f1": 0.5},
        "values": {"arousal": {"images": 2, "rmse": 0.25, "ccc": None}},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    text = text_of(write_evaluation_page(tmp_path, None))
    for part in ("bright", "50.0", "arousal", "0.25", "does not segment", "overlay=true"):
        assert (part in text) == (part != "overlay=true"), part
    assert "mIoU" not in text.split("Classes")[0]


def test_damaged_files_are_a_data_error(tmp_path):
    directory = make_evaluation(tmp_path)
    (directory / "per_image.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"per_image\.npz is damaged"):
        write_evaluation_page(directory, None)


def test_slices_are_shown(tmp_path):
    directory = make_evaluation(tmp_path)
    (directory / "slices.csv").write_text(
        "slice,value,images,miou,low,high,difference,difference_low,difference_high,p_holm\n"
        "brightness,dark,3,0.25,0.2,0.3,-0.125,-0.2,-0.05,0.01\n"
        "brightness,none,0,,,,,,,\n"
    )
    text = text_of(write_evaluation_page(directory, None))
    assert "Largest loss: brightness: dark (-12.5 points)" in text
    assert "20.0 to 30.0" in text
    assert "-20.0 to -5.0" in text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "No columns"),
        (b"\xff\xfe", "codec"),
        (b"slice,value\na,b\n", "columns expected but not found"),
        (f"{','.join(COLUMNS)}\na,b,1,x,,,,,,\n".encode(), "could not convert"),
        (f"{','.join(COLUMNS)}\na,b\n".encode(), "invalid literal"),
        (f'{",".join(COLUMNS)}\n"a'.encode(), "EOF inside string"),
    ],
    ids=["empty", "no text", "no columns", "no number", "short", "open"],
)
def test_damaged_slices_leave_the_rest_of_the_page(tmp_path, content, why):
    directory = make_evaluation(tmp_path)
    (directory / "slices.csv").write_bytes(content)
    text = text_of(write_evaluation_page(directory, None))
    assert re.search(rf"The slices are not shown: [^.]*slices\.csv is damaged: .*?{why}", text)
    assert "IoU of 4 classes" in text


def test_how_it_was_scored_is_said_and_null_says_nothing(tmp_path):
    def facts(**more):
        directory = make_evaluation(tmp_path, images=1)
        metrics = json.loads((directory / "metrics.json").read_text())
        (directory / "metrics.json").write_text(json.dumps(metrics | more))
        html = unescape(write_evaluation_page(directory, None).read_text())
        return dict(re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", html))

    class_map = {"Sky": "Sky", "Pole": None}
    found = facts(class_map=class_map, size=[128, 256], weights=16 * "ab")
    assert found["class map"] == "Sky → Sky, Pole → never predicted"
    assert found["size"] == "128 x 256 pixels (height x width)"
    assert found["weights"] == "abababababab"
    assert not {"class map", "size", "weights"} & set(facts(class_map=None, size=None))


def test_what_to_type_next_is_read_by_a_shell_and_can_be_had(tmp_path):
    run = make_run(tmp_path / "it's a [run]", images=2)

    def commands():
        html = write_evaluation_page(run, run).read_text()
        lines = unescape(re.search(r"<pre[^>]*>(.*?)</pre>", html, re.DOTALL)[1]).splitlines()
        return [line.replace("<", "").replace(">", "") for line in lines]

    predict, together = map(shlex.split, commands())  # it was scored on val, and there is no test
    assert predict[:2] == ["python", "predict.py"]
    (key,) = together[2:]
    parsed = OverridesParser.create().parse_override(key)
    assert parsed.value() == [str(run), "another_run"]
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"split": "test"}))
    scored = shlex.split(commands()[0])
    assert OverridesParser.create().parse_override(scored[2]).value() == str(run)
    assert scored[3] == "split=val"
    other = run / "evaluation" / "val"
    make_evaluation(other, images=2)
    html = write_evaluation_page(other, run).read_text()
    assert "split=test" in html
    assert "split=val" not in html


def test_worst_and_best_images_follow_from_the_matrices(run):
    scored = read_scored(run)
    miou, accuracy = image_scores(scored)
    for index in range(len(scored)):
        one = scored.confusion[index]
        union = one.sum(0) + one.sum(1) - one.diagonal()
        by_hand = (one.diagonal()[union > 0] / union[union > 0]).mean()
        assert miou[index] == pytest.approx(by_hand)
        assert accuracy[index] == pytest.approx(one.trace() / one.sum())
    html = write_evaluation_page(run, run).read_text()
    order = [scored.names[index] for index in miou.argsort(kind="stable")]
    worst = re.findall(r'id="worst-\d+">\s*<div class="view-name"><b>(\w+)</b>', html)
    best = re.findall(r'id="best-\d+">\s*<div class="view-name"><b>(\w+)</b>', html)
    assert worst == order[:3]
    assert best == order[:2:-1]
    assert re.findall(r'<li data-name="(\w+)"', html) == order


def test_a_large_split_shows_its_worst_images(tmp_path):
    directory = make_evaluation(tmp_path, images=9)
    with (
        mock.patch.object(pictures, "MOST_THUMBNAILS", 4),
        mock.patch.object(evaluation_page, "WHOLE", 2),
    ):
        page = write_evaluation_page(directory, None)
    html = page.read_text()
    assert len(re.findall("<li data-name=", html)) == 4
    assert len(re.findall('class="view"', html)) == 4
    assert "The worst 4 of 9 images" in text_of(page)


def test_worst_and_best_are_of_the_images_that_have_views(tmp_path):
    directory = make_evaluation(tmp_path, images=9)
    kept = read_scored(directory).names[::2]
    write_views(directory, read_views(directory, kept).items())
    html = write_evaluation_page(directory, None).read_text()
    shown = re.findall(r'class="view-name"><b>(\w+)</b>', html)
    assert sorted(shown) == sorted(re.findall(r'<li data-name="(\w+)"', html)) == sorted(kept)


def test_names_cannot_leave_their_place(tmp_path):
    names = (HOSTILE, "2024-01-01", "Car", "Pole")
    table = type(CLASSES)(names, CLASSES.colors)
    run = make_run(tmp_path / "run", classes=table, names=["<b>a", 'x" onload="y', "ü.1"])
    html = write_evaluation_page(run, run).read_text()
    # the shell's own scripts: colours, Plotly, ours; and one for each plot
    assert html.count("<script") == html.count("</script") == 3 + html.count('class="chart"')
    assert "<img src=http" not in html
    for data in re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL):
        assert json.loads(data)


def test_the_policy_allows_the_scripts_that_are_there(run):
    html = write_evaluation_page(run, run).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == 2
    for one in scripts:
        digest = base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert not re.search(r"script-src[^;]*unsafe", policy)
