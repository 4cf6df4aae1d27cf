"""The split that is compared, and the evaluation of each run on it."""

import os

import pytest
from made_runs import confusion, names, write_run, write_scoring

from segmentation.errors import DataError
from segmentation.evaluation.comparison.choose_evaluations import choose_evaluations, common_split
from segmentation.evaluation.comparison.find_evaluations import Evaluations, find_evaluations


def of(*splits, notes=()):
    return Evaluations(dict.fromkeys(splits, ()), notes)


def test_test_goes_before_val(tmp_path):
    both, one = of("val", "test"), of("val")
    assert common_split({tmp_path: both}, None) == "test"
    assert common_split({tmp_path: both}, "val") == "val"
    assert common_split({tmp_path: both, tmp_path / "x": one}, None) == "val"
    assert common_split({tmp_path: of("train")}, None) == "train"


def test_without_a_common_split_it_is_said_what_to_type(tmp_path):
    found = {tmp_path / "a": of("test"), tmp_path / "b": of("test"), tmp_path / "c": of("val")}
    with pytest.raises(DataError) as error:
        common_split(found, None)
    message = str(error.value)
    assert "not all scored on one split" in message
    assert f"{tmp_path / 'c'}: val" in message
    assert message.endswith(
        f"Score what is missing:\n  python evaluate.py run={tmp_path / 'c'} split=test"
    )
    with pytest.raises(DataError, match=r"not all scored on split=val") as error:
        common_split(found, "val")
    assert str(error.value).count("python evaluate.py") == 2


def test_a_missing_evaluation_is_named_with_its_run(tmp_path):
    found = {tmp_path / "a/evaluation/val": of("val"), tmp_path / "b": of("test")}
    with pytest.raises(DataError, match=rf"run={tmp_path}/a split=test"):
        common_split(found, "test")


def test_a_split_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"split=tset. Did you mean 'test'\?"):
        common_split({tmp_path: of("val")}, "tset")


def test_what_was_left_out_is_said_where_no_split_is_common(tmp_path):
    found = {tmp_path / "a": of("test"), tmp_path / "b": of("val", notes=("x is left out.",))}
    with pytest.raises(DataError, match=r"x is left out\.\nScore what is missing"):
        common_split(found, None)


def changed(run, folder, data, age=0, **facts):
    """Score a run on other data, so long ago."""
    made = write_scoring(
        run / "evaluation" / folder, confusion(0.1), "test", data_fingerprint=data, **facts
    )
    then = (run / "metrics.json").stat().st_mtime + 100 - age
    os.utime(made / "metrics.json", (then, then))
    return made


@pytest.fixture
def runs(tmp_path):
    return [write_run(tmp_path / name, split="test", data_fingerprint="old") for name in ("a", "b")]


def chosen(*runs):
    picked, notes = choose_evaluations({run: find_evaluations(run).splits["test"] for run in runs})
    return [one.directory for one in picked], notes


def test_what_was_scored_on_the_same_images_is_compared(runs):
    assert chosen(*runs) == (runs, [])
    plain, second = changed(runs[0], "test", "old"), changed(runs[0], "test-2", "new")
    assert chosen(*runs) == ([plain, runs[1]], [])
    other = changed(runs[1], "test", "new")
    directories, notes = chosen(*runs)  # both data are common to both: the last ones are taken
    assert directories == [second, other]
    assert notes == [
        f"Of several evaluations {second} is compared: on the same images as the others."
    ]


def test_the_training_is_taken_where_the_later_evaluation_fits_nobody(runs):
    changed(runs[0], "test", "new")
    directories, notes = chosen(*runs)
    assert directories == runs
    assert str(runs[0]) in notes[0]


def test_one_run_has_its_newest_evaluation_shown(runs):
    changed(runs[0], "test", "one", age=10)
    newest = changed(runs[0], "test-2", "two")
    directories, notes = chosen(runs[0])
    assert directories == [newest]
    assert notes[0].endswith("is compared: the newest.")


def test_what_fits_nobody_and_what_is_damaged(runs):
    third = write_run(runs[0].parent / "c", split="test", data_fingerprint="old")
    older = changed(runs[0], "test", "x", age=50, image_names=names(prefix="x"))
    newest = changed(runs[0], "test-2", "y")
    (runs[0] / "per_image.npz").write_bytes(b"")
    assert chosen(*runs, third)[0] == [newest, runs[1], third]
    assert older != newest
