"""A check works out what a training would do, from the same functions."""

import hydra
import numpy as np
import pytest
from fakes import LABELS, fake_camvid, write_targets
from made_datasets import made

from segmentation.build.expected_training import expect_training
from segmentation.config import CONF
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.training.class_weights import class_weights


def check_config(root, *overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("check", ["data=camvid", f"data.root={root}", *overrides])


@pytest.fixture
def root(tmp_path):
    root = fake_camvid(tmp_path, {"train": 9, "val": 4, "test": 4})
    write_targets(root)
    return root


def expected(root, *overrides):
    source = scan_dataset(root, find_splits(root), "camvid")
    return source, expect_training(check_config(root, *overrides), source)


def test_the_options_of_a_check_are_those_of_training():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        train = hydra.compose("train", ["data=camvid", "data.root=x"])
    check = check_config("x")
    for group in ("encoder", "decoder", "loss", "data"):
        assert check[group] == train[group], group
    for key, value in check.task.targets.items():
        assert value == train.task.targets[key]


def test_batches_and_weights(root):
    source, training = expected(root, "data.batch_size=4")
    scan = source.scans["train"]
    images = ((scan.pixels > 0) * scan.pixels.sum(axis=1, keepdims=True)).sum(axis=0)
    weights = class_weights("sqrt_median_frequency", scan.pixels.sum(axis=0), images)
    known = training.to_dict()
    np.testing.assert_allclose(known.pop("weights"), weights)
    assert known == {
        "class_weights": "sqrt_median_frequency", "height": 48, "width": 64, "crop": False,
        "padding": 0.0, "batch_size": 4, "batches": 2,
    }  # fmt: skip
    assert training.findings == []
    assert "scene (categories " in training.targets
    assert "Not learnt: pass task.targets.category=<column>" in training.targets
    assert (
        expected(root, "loss=focal")[1].balance
        == check_config(root, "loss=focal").loss["class_weights"]
    )


def test_what_stops_a_training_is_an_error(root):
    _, training = expected(root, "data.size=[32,32]", "data.batch_size=1")
    (found,) = training.findings
    assert (found.level, found.kind) == ("error", "first-step")
    assert "data.batch_size=2" in found.message
    assert "height" not in training.to_dict()


def test_columns_that_are_learnt_are_read_as_training_does(root):
    learnt = ("task.targets.category=scene", "task.targets.values=[brightness]")
    _, training = expected(root, *learnt)
    assert all(found.level != "error" for found in training.findings)
    _, training = expected(root, "task.targets.category=scenes")
    (found,) = [one for one in training.findings if one.level == "error"]
    assert found.kind == "targets"
    assert "no column 'scenes'. Did you mean 'scene'?" in found.message


def test_a_data_set_without_train_expects_nothing():
    training = expect_training(check_config("x"), made(LABELS, val=2))
    assert training.step is training.weights is None
