"""What was scored of what a user names."""

import pytest
from made_runs import confusion, settings, write_begun, write_run, write_scoring

from segmentation.errors import DataError
from segmentation.evaluation.scorings import common_split, scorings


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", split="test")


def evaluated(run, folder, split="val", **facts):
    return write_scoring(run / "evaluation" / folder, confusion(0.1), split, **facts)


def test_a_training_scores_one_split_and_evaluate_others(run):
    assert list(scorings(run)) == ["test"]
    evaluated(run, "val")
    found = scorings(run)
    assert {split: one.directory for split, one in found.items()} == {
        "test": run, "val": run / "evaluation" / "val",
    }  # fmt: skip
    assert {one.run for one in found.values()} == {run}


def test_a_later_scoring_goes_before_that_of_the_training(run):
    again = evaluated(run, "test", "test")
    assert scorings(run)["test"].directory == again


def test_options_and_other_data_are_taken_only_when_named(run):
    flipped = evaluated(run, "val_flip")
    assert list(scorings(run)) == ["test"]
    (only,) = scorings(flipped).items()
    assert only[0] == "val"
    assert (only[1].directory, only[1].run, only[1].checkpoint) == (flipped, run, "best")


def test_a_checkpoint_stands_for_its_own_scorings(run):
    checkpoints = run / "checkpoints"
    checkpoints.mkdir()
    for name in ("best", "last"):
        (checkpoints / f"{name}.ckpt").touch()
    last = evaluated(run, "last_val", model=str(checkpoints / "last.ckpt"))
    assert scorings(checkpoints / "best.ckpt")["test"].directory == run
    found = scorings(checkpoints / "last.ckpt")
    assert {split: one.directory for split, one in found.items()} == {"val": last}
    assert found["val"].checkpoint == scorings(last)["val"].checkpoint == "last"


def test_the_model_of_a_run_is_the_run(run):
    (run / "model").mkdir()
    assert scorings(run / "model")["test"].directory == run


def test_a_model_directory_has_its_own_scorings(tmp_path):
    model = tmp_path / "shared"
    scored = write_scoring(model / "evaluation" / "test", confusion(0.0), "test")
    for named in (model, scored):
        found = scorings(named)["test"]
        assert (found.directory, found.run) == (scored, None)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no run .*nowhere\. Name run directories"):
        scorings(tmp_path / "nowhere")


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    run = write_begun(tmp_path / "run", settings())
    with pytest.raises(DataError, match=r"not finished.*train.py resume=\S*/run; or leave it out"):
        scorings(run)
    evaluated(run, "val")
    assert list(scorings(run)) == ["val"]


def test_a_run_without_segmentation_is_refused(tmp_path):
    run = write_begun(tmp_path / "run", settings())
    (run / "metrics.json").write_text('{"targets": {}, "images": 3}')
    with pytest.raises(DataError, match="image-level targets alone"):
        scorings(run)


def test_a_sweep_is_not_a_run(tmp_path):
    (tmp_path / "jobs.csv").touch()
    with pytest.raises(DataError, match=r"is a sweep: type sweep=\S+ in place of runs="):
        scorings(tmp_path)


def test_damaged_metrics_are_refused(run):
    (run / "metrics.json").write_text("{")
    with pytest.raises(DataError, match=r"metrics.json is damaged: .*python evaluate.py"):
        scorings(run)


def test_test_goes_before_val(tmp_path):
    both, one = {"val": 0, "test": 0}, {"val": 0}
    assert common_split({tmp_path: both}, None) == "test"
    assert common_split({tmp_path: both}, "val") == "val"
    assert common_split({tmp_path: both, tmp_path / "x": one}, None) == "val"
    assert common_split({tmp_path: {"train": 0}}, None) == "train"


def test_without_a_common_split_it_is_said_what_to_type(tmp_path):
    found = {tmp_path / "a": {"test": 0}, tmp_path / "b": {"test": 0}, tmp_path / "c": {"val": 0}}
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


def test_a_scoring_that_is_missing_is_said_of_its_run(tmp_path):
    found = {tmp_path / "a/evaluation/val": {"val": 0}, tmp_path / "b": {"test": 0}}
    with pytest.raises(DataError, match=rf"run={tmp_path}/a split=test"):
        common_split(found, "test")


def test_a_split_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"split=tset. Did you mean 'test'\?"):
        common_split({tmp_path: {"val": 0}}, "tset")
