"""The evaluations of a run, a checkpoint or a model."""

import os

import pytest
from made_runs import confusion, settings, write_begun, write_run, write_scoring

from segmentation.errors import DataError
from segmentation.evaluation.comparison.find_evaluations import find_evaluations


def splits_of(named):
    """Return by split what goes first."""
    return {split: some[0] for split, some in find_evaluations(named).splits.items()}


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", split="test")


def evaluated(run, folder, split="val", **facts):
    return write_scoring(run / "evaluation" / folder, confusion(0.1), split, **facts)


def test_a_training_scores_one_split_and_evaluate_others(run):
    assert list(splits_of(run)) == ["test"]
    evaluated(run, "val")
    found = splits_of(run)
    assert {split: one.directory for split, one in found.items()} == {
        "test": run, "val": run / "evaluation" / "val",
    }  # fmt: skip
    assert {one.run for one in found.values()} == {run}


def test_a_later_evaluation_precedes_that_of_the_training(run):
    again = evaluated(run, "test", "test")
    assert splits_of(run)["test"].directory == again


def test_options_and_other_data_are_taken_only_when_named(run):
    flipped = evaluated(run, "val_flip")
    assert list(splits_of(run)) == ["test"]
    (only,) = splits_of(flipped).items()
    assert only[0] == "val"
    assert (only[1].directory, only[1].run, only[1].checkpoint) == (flipped, run, "best")


def test_a_checkpoint_stands_for_its_own_evaluations(run):
    checkpoints = run / "checkpoints"
    checkpoints.mkdir()
    for name in ("best", "last"):
        (checkpoints / f"{name}.ckpt").touch()
    last = evaluated(run, "last_val", model=str(checkpoints / "last.ckpt"))
    assert splits_of(checkpoints / "best.ckpt")["test"].directory == run
    found = splits_of(checkpoints / "last.ckpt")
    assert {split: one.directory for split, one in found.items()} == {"val": last}
    assert found["val"].checkpoint == splits_of(last)["val"].checkpoint == "last"


def test_the_model_of_a_run_is_the_run(run):
    (run / "model").mkdir()
    assert splits_of(run / "model")["test"].directory == run


def test_a_model_directory_has_its_own_evaluations(tmp_path):
    model = tmp_path / "shared"
    scored = write_scoring(model / "evaluation" / "test", confusion(0.0), "test")
    for named in (model, scored):
        found = splits_of(named)["test"]
        assert (found.directory, found.run) == (scored, None)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no run .*nowhere\. Name run directories"):
        splits_of(tmp_path / "nowhere")


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    run = write_begun(tmp_path / "run", settings())
    with pytest.raises(DataError, match=r"not finished.*train.py resume=\S*/run; or omit it"):
        splits_of(run)
    evaluated(run, "val")
    assert list(splits_of(run)) == ["val"]


def test_a_run_without_segmentation_is_refused(tmp_path):
    run = write_begun(tmp_path / "run", settings())
    (run / "metrics.json").write_text('{"targets": {}, "images": 3}')
    with pytest.raises(DataError, match="image-level targets only"):
        splits_of(run)


def test_a_sweep_is_not_a_run(tmp_path):
    (tmp_path / "jobs.csv").touch()
    with pytest.raises(DataError, match=r"is a sweep: type sweep=\S+ in place of runs="):
        splits_of(tmp_path)


def test_damaged_metrics_are_refused(run):
    (run / "metrics.json").write_text("{")
    with pytest.raises(DataError, match=r"metrics.json is damaged: .*python train.py resume="):
        splits_of(run)


def aged(directory, seconds):
    """Make an evaluation older than it is."""
    path = directory / "metrics.json"
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("ours", "theirs", "age", "taken"),
    [
        ("a", "a", 60, True),  # weights decide, whatever the time
        ("a", "b", 0, False),
        ("a", None, 0, True),
        (None, "b", 60, False),
        (None, None, 0, True),
        (None, None, 60, False),
    ],
)
def test_an_evaluation_of_other_weights_is_left_out(tmp_path, ours, theirs, age, taken):
    run = write_run(tmp_path / "run", split="test", weights=ours)
    folder = evaluated(run, "test", "test", weights=theirs)
    aged(folder, age)
    found = find_evaluations(run)
    assert [one.directory for one in found.splits["test"]] == ([folder] * taken + [run])
    said = [f"{folder} is left out: " in note for note in found.notes]
    assert said == ([] if taken else [True])


def test_a_stale_evaluation_that_is_named_is_taken_and_said(tmp_path):
    run = write_run(tmp_path / "run", split="test", weights="a")
    found = find_evaluations(evaluated(run, "val_flip", weights="b"))
    assert "other weights than the run has now" in found.notes[0]
    assert find_evaluations(evaluated(run, "val_flip", weights="a")).notes == ()


def test_what_an_unfinished_training_had_is_said(tmp_path):
    run = write_begun(tmp_path / "run", settings())
    evaluated(run, "val")
    assert "is not finished: an earlier state was scored" in find_evaluations(run).notes[0]


def test_evaluations_with_a_number_come_after_the_plain_ones(run):
    later = [evaluated(run, f"test-{number}", "test") for number in (10, 2)]
    plain = evaluated(run, "test", "test")
    evaluated(run, "test-3", "val")  # its name is not what it says
    evaluated(run, "test_flip", "test")
    (evaluated(run, "test-4", "test") / "metrics.json").unlink()  # it is being written
    taken = [one.directory for one in find_evaluations(run).splits["test"]]
    assert taken == [plain, run, later[1], later[0]]
