"""The files of a run are read by one reader each, which refuses what is damaged."""

import json
import os

import pytest
import yaml

from segmentation.errors import DataError
from segmentation.runs.curves import read_rows
from segmentation.runs.directory import read_environment, read_metrics, read_settings
from segmentation.sweep.jobs.state import read_job
from segmentation.sweep.search.storage import read_study_file
from segmentation.sweep.search.trials import TrialFile

JSON = {
    "metrics.json": read_metrics,
    "environment.json": read_environment,
    "job.json": read_job,
    "trial.json": TrialFile.read,
    "study.json": read_study_file,
}
READERS = JSON | {"config.yaml": read_settings}
BROKEN = {
    "empty": b"",
    "cut": b'{"data": {"name": "a", "ro',
    "not UTF-8": b"\xff\xfe{\x00}\x00",
    "a list": b"[1, 2]",
    "text": b"hello",
    "zeros, as after a power cut": bytes(512),
    "nested": b"[" * 10**5,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{tmp_path / name} is damaged: .+\. [A-Z].+\.?"):
        READERS[name](tmp_path)


@pytest.mark.parametrize("name", [*READERS, "metrics.csv"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_nothing_but_a_file_is_opened(tmp_path, name, make):
    make(tmp_path / name)
    with pytest.raises(DataError, match="is damaged: it is not a file"):
        (READERS | {"metrics.csv": lambda run: read_rows(run / "metrics.csv")})[name](tmp_path)


@pytest.mark.parametrize("name", JSON)
def test_there_may_be_no_file(tmp_path, name):
    assert JSON[name](tmp_path) is None


def test_every_run_has_a_configuration(tmp_path):
    with pytest.raises(DataError, match=r"config.yaml is damaged: No such file"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"score": "0.5"}, "score='0.5': must be a number"),
        ({"score": float("nan")}, "score=nan: must be finite"),
        ({"seconds": -1.0}, "seconds=-1.0: must be greater than or equal to 0"),
        ({"pruned": True}, "pruned=True: must be a whole number"),
        ({"warnings": "none"}, "warnings='none': must be a list"),
        ({"miou": 0.5}, "it has only one of miou and iou"),
        ({"miou": 0.5, "iou": {"a": 1}, "accuracy": {"b": 1}}, "have different classes"),
        ({"iou": {"a": [1]}}, r"iou.a=\[1\]: must be a number"),
        ({"intervals": {"iou": {"a": [0.1]}}}, r"intervals.iou.a=\[0.1\]: "),
        ({"class_map": {"a": 1}}, "class_map.a=1: must be text"),
        ({"size": [0, 5]}, r"size\[0\]=0: "),
        ({"inference": []}, r"inference=\[\]: must be a mapping"),
    ],
)
def test_scores_of_another_type_are_refused(tmp_path, values, reason):
    (tmp_path / "metrics.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=reason):
        read_metrics(tmp_path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"git": {"commit": 1}}, "git.commit=1: must be text"),
        ({"versions": {"torch": 2}}, "versions.torch=2: must be text"),
        ({"overrides": "seed=1"}, "overrides='seed=1': must be a list"),
        ({"parts": 0}, "parts=0: "),
        ({"hardware": {"gpus": "one"}}, "hardware.gpus='one': must be a list"),
    ],
)
def test_an_environment_of_another_type_is_refused(tmp_path, values, reason):
    (tmp_path / "environment.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=reason):
        read_environment(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": None}, "data=None: must be a mapping"),
        ({"data": {}}, "data.name is missing"),
        ({"encoder": "resnet34"}, "encoder='resnet34': must be a mapping"),
        ({"loss": {"terms": {"dice": {}}}}, "loss.terms.dice.weight is missing"),
        ({"augment": {"transforms": [{}]}}, r"augment.transforms\[0\]=\{\}: "),
        ({"trainer": {"max_epochs": "many"}}, "trainer.max_epochs='many': must be a whole number"),
    ],
)
def test_a_configuration_of_another_type_is_refused(tmp_path, change, reason):
    whole = {"data": {"name": "a"}, "encoder": {"name": "b"}, "trainer": {}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole))
    assert read_settings(tmp_path)["encoder"] == {"name": "b"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole | change))
    with pytest.raises(DataError, match=reason):
        read_settings(tmp_path)


def test_what_is_unknown_is_kept(tmp_path):
    (tmp_path / "metrics.json").write_text('{"split": "val", "of tomorrow": [1]}')
    assert read_metrics(tmp_path) == {"split": "val", "of tomorrow": [1]}


@pytest.mark.parametrize("text", ["step\n" + "1\n" * 10**6, "step" + "," * 10**6 + "\n1" * 200 + "\n"])
def test_curves_that_would_fill_the_memory_are_refused(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(DataError, match=r"metrics.csv is damaged: .* are no curves"):
        read_rows(tmp_path / "metrics.csv")


@pytest.mark.parametrize("step", ["²", "9" * 5000, "-1", ""])
def test_rows_without_a_number_of_steps_are_left_out(tmp_path, step):
    (tmp_path / "metrics.csv").write_text(f"step,val/miou\n{step},0.5\n7,0.6\n")
    assert read_rows(tmp_path / "metrics.csv") == [{"step": "7", "val/miou": "0.6"}]
