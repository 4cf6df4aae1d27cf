"""The tables of docs/results.md: from run directories to results.csv, from there to Markdown."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from made_runs import settings, write_run, write_scoring

from benchmarks import results


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "TABLE", tmp_path / "results.csv")
    return results.TABLE


def made(folder, name, *overrides, miou=None, seed=0, epochs=15, seconds=60.0, **facts):
    """Write a run, with a score of our own choice."""
    run = write_run(folder / name, settings(seed=seed, trainer__max_epochs=epochs), **facts)
    environment = {
        "overrides": [*overrides, "data.root=/home/me/camvid", "logger=none", f"seed={seed}"],
        "device": "CPU, 2 cores", "encoder_weights": "random", "git": {"commit": "abc"},
    }  # fmt: skip
    (run / "environment.json").write_text(json.dumps(environment))
    change(run, seconds=seconds, parameters=5_000_000)
    if miou is not None:
        change(run, miou=miou)
    return run


def change(scoring, **facts):
    path = scoring / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def cells(text):
    """Return the rows of a Markdown table as lists of texts."""
    lines = [line for line in text.strip().splitlines() if not set(line) <= set("|:- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_ablation_puts_seeds_together_and_compares_with_the_baseline(
    tmp_path, table, monkeypatch
):
    runs = tmp_path / "runs"
    for seed, miou in enumerate((0.50, 0.52, 0.54)):
        made(runs, f"abl/base{seed}", "experiment=abl", seed=seed, miou=miou)
    made(runs, "abl/dice", "experiment=abl", "loss=dice", miou=0.55, seed=1)
    made(runs, "abl/ohem", "experiment=abl", "loss=ohem", miou=0.5)
    made(runs, "abl/ema", "experiment=abl", "callbacks=ema", miou=0.49, seed=7)
    monkeypatch.setattr(results, "RARE", ("Sign_50%",))
    results.update(results.collect(runs))
    head, *lines = cells(results.ablation("abl"))
    assert head[:4] == ["change", "mIoU", "seeds", "same seeds' gain"]
    assert [line[:4] for line in lines] == [
        ["`loss=dice`", "55.0", "1", "+3.0"],
        ["(baseline)", "52.0 ± 2.0", "3", ""],
        ["`loss=ohem`", "50.0", "1", "+0.0"],
        ["`callbacks=ema`", "49.0", "1", "–"],  # the baseline was not run with its seed
    ]


def test_an_experiment_that_is_there_replaces_its_rows_and_others_stay(tmp_path, table):
    made(tmp_path / "runs", "a/one", "x=1", miou=0.5)
    made(tmp_path / "runs", "a/two", "x=2", miou=0.6)
    made(tmp_path / "runs", "ab/one", "x=1", miou=0.8)
    results.update(results.collect(tmp_path / "runs"))
    made(tmp_path / "others", "a/three", "x=3", miou=0.7)
    results.update(results.collect(tmp_path / "others"))
    kept = pd.read_csv(table).set_index("scoring")["miou"]
    assert kept.to_dict() == {"a/three": 0.7, "ab/one": 0.8}
    before = table.read_bytes()
    results.update(results.collect(tmp_path / "nowhere"))
    assert table.read_bytes() == before


def test_rows_that_stay_keep_the_columns_that_others_do_not_have(tmp_path, table):
    run = made(tmp_path / "runs", "a/one", "x=1", miou=0.5)
    change(run, iou={"Sky": 0.25}, accuracy={"Sky": 0.5})
    results.update(results.collect(tmp_path / "runs"))
    change(
        made(tmp_path / "others", "b/one", "x=1", miou=0.6), iou={"cat": 0.5}, accuracy={"cat": 0.5}
    )
    results.update(results.collect(tmp_path / "others"))
    kept = pd.read_csv(table).set_index("scoring")
    assert kept.loc["a/one", "iou Sky"] == 0.25
    assert kept.loc["b/one", "iou cat"] == 0.5


def test_no_folder_of_the_machine_is_kept(tmp_path, table):
    run = made(tmp_path / "runs", "a/one", "encoder.weights=/home/me/vgg.pth", miou=0.5)
    environment = json.loads((run / "environment.json").read_text())
    environment["encoder_weights"] = "file /home/me/vgg.pth"
    (run / "environment.json").write_text(json.dumps(environment))
    results.update(results.collect(tmp_path / "runs"))
    assert "/home" not in table.read_text()


def test_scorings_that_are_not_the_recipes_own_do_not_count(tmp_path, table):
    run = made(tmp_path / "runs", "a/one", "x=1", miou=0.5)
    for name in ("val", "val-2", "last_val", "streets_val", "val_mapped"):
        change(write_scoring(run / "evaluation" / name, _matrices(run)), miou=0.9)
    results.update(results.collect(tmp_path / "runs"))
    assert results.rows("a")["miou"].tolist() == [0.5]


def test_a_run_that_was_scored_on_test_has_its_val_score_from_evaluate(tmp_path, table):
    run = made(tmp_path / "runs", "a/one", "x=1", split="test", miou=0.4, seconds=90)
    change(write_scoring(run / "evaluation" / "val", _matrices(run)), miou=0.5)
    results.update(results.collect(tmp_path / "runs"))
    assert results.rows("a", split="test")["miou"].tolist() == [0.4]
    assert results.rows("a")[["miou", "seconds", "parameters"]].values.tolist() == [[0.5, 90, 5e6]]


def test_without_runs_each_table_says_so(table, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "COMPARISON", tmp_path / "none.csv")
    for text in (
        results.ablation("a"), results.classes(["a"]), results.original(), results.test_time("a"),
        results.comparison(), results.recipes(["a"]),
    ):  # fmt: skip
        assert "not run" in text.lower()


def test_a_folder_without_runs_is_an_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "benchmarks/results.py", tmp_path], cwd=ROOT, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no finished run below" in done.stderr
    assert "Traceback" not in done.stderr


def test_unfinished_runs_and_other_files_are_no_results(tmp_path, table):
    run = made(tmp_path / "runs", "a/one", "x=1")
    (run / "metrics.json").unlink()
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "metrics.json").write_text("{}")
    assert results.collect(tmp_path / "runs").empty


def test_the_original_protocols_table_has_a_line_for_each_command(tmp_path, table, monkeypatch):
    monkeypatch.setattr(results, "RARE", ("Sign_50%",))
    made(tmp_path / "runs", "original/one", "experiment=original_vgg16", miou=0.3)
    results.update(results.collect(tmp_path / "runs"))
    _, line = cells(results.original())
    command = "`python train.py experiment=original_vgg16 data.root=<camvid>`"
    assert line[:2] == [command, "30.0"]


def test_what_more_views_give_and_cost(tmp_path, table):
    run = made(tmp_path / "runs", "best/one", "x=1", miou=0.70)
    for name, miou, options in (
        ("val_flip", 0.71, {"flip": True}),
        ("val_flip_scales0.5-1", 0.72, {"flip": True, "scales": [0.5, 1.0]}),
    ):
        scoring = write_scoring(run / "evaluation" / name, _matrices(run), inference=options)
        change(scoring, miou=miou)
    made(tmp_path / "runs", "best/two", "x=1", miou=0.60, seed=1)  # seen once alone
    results.update(results.collect(tmp_path / "runs"))
    _, *lines = cells(results.test_time("best"))
    assert lines == [
        ["once", "1.0x", "65.0 ± 7.1", ""],
        ["flip", "2.0x", "71.0", "+1.0"],
        ["flip, scales 0.5 1", "2.5x", "72.0", "+2.0"],
    ]
    assert len(results.rows("best")) == 2  # recipes are told by plain views alone


def test_recipes_without_a_run_say_so(tmp_path, table):
    made(tmp_path / "runs", "small/one", "experiment=small", miou=0.5, seconds=3600)
    results.update(results.collect(tmp_path / "runs"))
    _, first, second = cells(results.recipes(["small", "large"]))
    command = "`python train.py experiment=small data.root=<camvid>`"
    assert first[:4] == [command, "random", "50.0", "1"]
    assert "1:00:00" in first
    assert second[:3] == ["`experiment=large`", "", "not run"]


def test_classes_are_told_for_each_recipe_as_plainly_as_it_was_typed(tmp_path, table):
    made(tmp_path / "runs", "small/one", "experiment=small", miou=0.5)
    made(tmp_path / "runs", "small/two", "experiment=small", "loss=focal", miou=0.9)
    going_on = ("experiment=on", "model.weights=/home/me/runs/one")
    change(made(tmp_path / "runs", "on/one", *going_on), iou={"Sky": 0.7}, accuracy={"Sky": 0.7})
    change(tmp_path / "runs" / "small" / "one", iou={"Sky": 0.4}, accuracy={"Sky": 0.4})
    results.update(results.collect(tmp_path / "runs"))
    head, *lines = cells(results.classes(["small", "on", "not_run"]))
    assert head == ["class", "`small`", "`on`"]
    assert ["Sky", "40.0", "70.0"] in lines


def test_the_comparison_is_that_of_compare(tmp_path, monkeypatch):
    row = {
        "name": "resnet34", "seeds": 2, "miou": 0.5, "low": 0.4, "high": 0.6, "sd": 0.01,
        "verdict": "highest mIoU", "parameters": 24437819, "flops": 3.95e9,
        "images_per_second": 105.1, "latency_ms": 33.0, "training_seconds": 523.0,
    }  # fmt: skip
    one = row | {"name": "vgg16", "seeds": 1, "sd": None}
    monkeypatch.setattr(results, "COMPARISON", tmp_path / "comparison.csv")
    pd.DataFrame([row, one]).to_csv(results.COMPARISON, index=False)
    _, first, second = cells(results.comparison())
    assert first == [
        "resnet34", "50.0 ± 1.0", "2", "[40.0, 60.0]", "highest mIoU", "24.4 M", "3.95 G", "105",
        "33.0 ms", "8:43",
    ]  # fmt: skip
    assert second[:3] == ["vgg16", "50.0", "1"]


def test_the_documents_hold_what_results_csv_says():
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-I", "benchmarks", "docs/results.md",
         "README.md"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"make results, please: {done.stdout}{done.stderr}"


def _matrices(run):
    with np.load(run / "per_image.npz") as kept:
        return kept["confusion"]
