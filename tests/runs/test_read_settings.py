"""The configuration of a run is read as data, whoever wrote it."""

import pytest
import torch
import yaml

from segmentation.errors import SegmentationError
from segmentation.runs.directory import read_settings
from segmentation.runs.saved_config import MOST
from segmentation.runs.trained_config import trained_config

SETTINGS = {
    "data": {"name": "folder", "root": "/data", "size": [512, 1024], "workers": 8},
    "encoder": {"name": "resnet18"},
    "trainer": {"devices": "auto", "max_epochs": 3},
    "seed": 0,
}


def changed(key, value):
    section, _, name = key.partition(".")
    return {**SETTINGS, section: {**SETTINGS.get(section, {}), name: value}}


CASES = [
    (changed("data.root", "${oc.env:SECRET}"), "data.root holds the interpolation '${oc.env:SECRET}'"),
    (changed("data.root", "a\\${b}"), "data.root holds the interpolation"),
    (changed("data.bands", ["a", "${now:%Y}"]), "data.bands[1] holds the interpolation"),
    (changed("data.size", [65536, 65536]), "data.size is [65536, 65536], which is more than 33,554,432"),
    (changed("data.crop", [2**40, 1]), "data.crop is"),
    (changed("data.workers", 100_000), "data.workers is 100000, which is more than 1024"),
    (changed("data.batch_size", 10**9), "data.batch_size is 1000000000, which is more than"),
    (changed("data.draw", {"size": [10**6, 10**6]}), "data.draw.size is"),
    (changed("data.draw", {"counts": {"train": 10**9}}), "data.draw.counts.train is"),
    (changed("trainer.devices", 10**6), "trainer.devices is 1000000"),
]  # fmt: skip
IDS = [reason.split(" ")[0] for _, reason in CASES]


@pytest.mark.parametrize(("values", "reason"), CASES, ids=IDS)
def test_of_a_run_directory(tmp_path, monkeypatch, values, reason):
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(SegmentationError) as error:
        read_settings(tmp_path)
    assert str(tmp_path / "config.yaml") in str(error.value)
    assert reason in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(("values", "reason"), CASES, ids=IDS)
def test_of_a_checkpoint(tmp_path, values, reason):
    torch.save({"config": values, "state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(SegmentationError) as error:
        trained_config(tmp_path / "a.ckpt")
    assert f"a.ckpt is damaged: {reason}" in str(error.value)


def test_what_cannot_be_written_as_yaml(tmp_path):
    shared = [1, 1]
    for _ in range(40):
        shared = [shared, shared]
    torch.save({"config": {**SETTINGS, "bomb": shared}}, tmp_path / "a.ckpt")
    with pytest.raises(SegmentationError, match="more than 1,000,000 values"):
        trained_config(tmp_path / "a.ckpt")


@pytest.mark.parametrize("text", ["a: &a [1]\nb: *a\n", "[" * 5000, "a: [", "a: !!python/name:os.x", "x" * 2**20])
def test_yaml_that_is_not_a_configuration(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(SegmentationError, match=r"config\.yaml"):
        read_settings(tmp_path)


def test_what_runs_ask_for_is_read(tmp_path):
    largest = {key: value for key, value in MOST.items() if key.count(".") == 1}
    values = SETTINGS
    for key, value in largest.items():
        section, name = key.split(".")
        values = {**values, section: {**values[section], name: value}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    assert read_settings(tmp_path)["data"]["workers"] == 1024
