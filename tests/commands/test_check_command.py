"""The check as people type it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands import run
from conftest import ROOT
from fakes import fake_camvid
from PIL import Image

SCRIPT = "check.py"


@pytest.fixture
def root(tmp_path):
    return fake_camvid(tmp_path / "data", {"train": 12, "val": 6, "test": 6})


def check(root, tmp_path, *arguments):
    result = run(SCRIPT, "data=camvid", f"data.root={root}", f"output={tmp_path}/out", *arguments)
    known = json.loads((tmp_path / "out" / "check.json").read_text())
    assert (tmp_path / "out" / "check.html").stat().st_size > 10_000
    return result, known


def test_a_clean_data_set_has_no_findings(root, tmp_path):
    result, known = check(root, tmp_path)
    assert result.returncode == 0, result.stderr
    assert known["findings"] == []
    assert "0 errors, 0 warnings, 0 notes" in result.stdout


def test_warnings_exit_with_0(root, tmp_path):
    for name in ("train_000", "train_001"):
        Image.new("RGB", (64, 48)).save(root / "train" / f"{name}.png")
    result, known = check(root, tmp_path)
    assert result.returncode == 0, result.stderr
    assert [one["kind"] for one in known["findings"]] == ["blank", "twice", "two-masks"]


def test_errors_exit_with_1_unless_they_are_skipped(root, tmp_path):
    (root / "train" / "train_000.png").write_text("no image")
    (root / "valannot" / "val_000.png").unlink()
    result, known = check(root, tmp_path)
    assert result.returncode == 1
    assert known["counts"]["error"] == 2
    assert "error: 1 image without a mask: val_000.png." in result.stdout
    result, known = check(root, tmp_path, "data.on_error=skip")
    assert result.returncode == 0
    assert known["counts"] == {"error": 0, "warning": 2, "note": 0}


def test_what_was_warned_of_while_looking_is_a_finding(root, tmp_path):
    (root / "testannot").rename(root / "elsewhere")
    result, known = check(root, tmp_path)
    assert result.returncode == 0
    assert known["findings"][0]["kind"] == "looking"
    assert "has no folder of masks" in known["findings"][0]["message"]
    assert "has no folder of masks" in " ".join(result.stdout.split())
    assert "has no folder of masks" not in result.stderr


def test_data_that_are_not_there(tmp_path):
    result = run(SCRIPT, "data=camvid", "data.root=nowhere", f"output={tmp_path}/out")
    assert result.returncode == 1
    assert "error: no folder nowhere" in result.stderr


def test_a_class_table_that_was_proposed_is_checked_with(root, tmp_path):
    result = run(SCRIPT, "data=folder", f"data.root={root}", f"output={tmp_path}/out")
    assert result.returncode == 0, result.stderr
    known = json.loads((tmp_path / "out" / "check.json").read_text())
    assert list(known["splits"]["train"]["classes"]) == [f"class_{index}" for index in range(12)]
    masks = [np.asarray(Image.open(path)) for path in (root / "trainannot").iterdir()]
    share = np.mean([mask == 3 for mask in masks])
    assert known["splits"]["train"]["classes"]["class_3"]["share"] == pytest.approx(share)


def test_it_is_a_module_that_answers_questions():
    done = subprocess.run(
        [sys.executable, "-m", "segmentation", "check", "--cfg", "job", "data=camvid"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "output: runs/check_${data.name}" in done.stdout


def test_annotations_are_shown_over_the_images_and_converted(tmp_path):
    root = ROOT / "tests" / "fixtures" / "annotations" / "coco_supervision"
    plain = tmp_path / "plain set"
    result = run(
        SCRIPT, "data=folder", f"data.root={root}", f"output={tmp_path}/out", f"convert='{plain}'"
    )
    assert result.returncode == 0, result.stderr
    assert "found     COCO annotations: 2 JSON files, 2 classes, 6 images" in result.stdout
    assert f"data=folder 'data.root='\"'\"'{plain}'\"'\"''" in result.stdout
    assert Image.open(tmp_path / "out" / "overlays.jpg").width > 1000
    assert sorted(path.name for path in plain.iterdir()) == ["classes.yaml", "images", "masks"]
    again = run(SCRIPT, "data=folder", f"data.root={plain}", f"output={tmp_path}/again")
    assert "│ road" in again.stdout
