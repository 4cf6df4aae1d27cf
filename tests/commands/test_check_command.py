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


def test_images_with_targets_alone(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    rows = ["image,mood,arousal"]
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40, 48, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(root / f"{number}.png")
        rows.append(f"{number}.png,{'calm' if number % 2 else 'tense'},{number}")
    (root / "targets.csv").write_text("\n".join(rows))
    result, known = check(
        root, tmp_path, "data=folder", "task.segmentation=false", "task.targets.category=mood",
        "data.batch_size=4",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    assert [one["kind"] for one in known["findings"]] == ["looking"]
    printed = " ".join(result.stdout.split())
    assert "training images of 40x48; 3 batches of 4 an epoch targets " in printed
    assert "mood (categories calm 10, tense 10); arousal (numbers 0 to 19, not learnt)" in printed


def test_what_training_would_do_is_printed(root, tmp_path):
    result, known = check(root, tmp_path, "data.batch_size=2", "data.crop=[60,64]")
    printed = " ".join(result.stdout.split())
    for said in (
        "found train/ + trainannot/, val/ + valannot/, test/ + testannot/",
        "classes 11, the table camvid",
        "groups none: every image counts as unrelated to the others (data.group)",
        "left out nothing",
        "training crops of 60x64, 20.0% of them padding; 6 batches of 2 an epoch",
        "weights loss.class_weights=sqrt_median_frequency",
        "12 of 12 training images are smaller than the crops of 60x64",
    ):
        assert said in printed, said
    table = {entry["name"]: entry for entry in known["class_table"]}
    assert (table["Car"]["values"], table["Car"]["counts_as"]) == ("8", None)
    assert table["Unlabelled"]["counts_as"] == "void"
    assert 0 < table["Car"]["border_at_void"] < 1
    assert table["Car"]["weight"] > 0


def test_a_training_that_cannot_start_is_an_error(root, tmp_path):
    (root / "train" / "train_000.png").write_text("no image")
    result, known = check(root, tmp_path, "data.size=[32,32]", "data.batch_size=1")
    assert result.returncode == 1
    assert {one["kind"] for one in known["findings"]} == {"first-step", "unusable"}
    printed = " ".join(result.stdout.split())
    assert "left out 1 pair that cannot be used" in printed
    assert "training can't start: see the errors below" in printed
    assert "error: a batch of one image of 32x32" in printed


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
