"""Which class of a model counts as which class of the data."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segmentation.classes import CAMVID, CITYSCAPES, CITYSCAPES_CAMVID, ClassTable
from segmentation.data.masks.labels import Labels
from segmentation.errors import ConfigError
from segmentation.inference.class_map import MappedModel, fit_class_map, read_class_map
from segmentation.metrics.counting import label_map
from segmentation.models import Outputs, TargetOutputs

CAMVID_CLASSES = Labels(CAMVID).classes
CITYSCAPES_CLASSES = Labels(CITYSCAPES).classes


def table(*names):
    return ClassTable(names, tuple((index, 0, 0) for index in range(len(names))))


PARTS = table("wall", "roof", "lawn", "dog")
WHOLES = table("House", "Garden", "Water")
MAP = {"wall": "House", "roof": "House", "lawn": "Garden", "dog": None}


# ---- reading


def test_a_map_is_given_inline_or_as_a_file(tmp_path):
    assert read_class_map(MAP, PARTS) == MAP
    file = tmp_path / "map.yaml"
    file.write_text("wall: House\nroof: House\nlawn: Garden\ndog: null\n")
    assert read_class_map(str(file), PARTS) == MAP


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {**MAP, "wal": "House"},
            "names 'wal', which the model does not have. Did you mean 'wall'",
        ),
        ({"wall": "House", "roof": None}, "does not name lawn, dog"),
        ({}, "is not a map"),
        ("nowhere.yaml", "nowhere.yaml can't be read"),
    ],
)
def test_a_map_that_does_not_fit_the_model(given, message):
    with pytest.raises(ConfigError, match=message):
        read_class_map(given, PARTS)


@pytest.mark.parametrize("text", ["- wall\n", "{", "wall", "", "[" * 5000, "a: &a [x]\nb: *a"])
def test_a_file_that_is_no_map(text, tmp_path):
    file = tmp_path / "map.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"map\.yaml (is not a map|can't be read)"):
        read_class_map(str(file), PARTS)


# ---- fitting


def test_equal_tables_need_no_map():
    assert fit_class_map(None, CAMVID_CLASSES, CAMVID_CLASSES) is None
    other_colors = ClassTable(CAMVID_CLASSES.names, tuple((0, 0, i) for i in range(11)))
    assert fit_class_map(None, CAMVID_CLASSES, other_colors) is None


def test_the_same_names_in_another_order_are_matched_by_name():
    found = fit_class_map(None, table("a", "b"), table("b", "a"))
    assert found == {"a": "a", "b": "b"}


@pytest.mark.parametrize("data", [CAMVID_CLASSES, Labels(CITYSCAPES_CAMVID).classes])
def test_cityscapes_counts_as_camvid(data, caplog):
    caplog.set_level(logging.INFO, "segmentation")
    found = fit_class_map(None, CITYSCAPES_CLASSES, data)
    assert "by the table camvid12" in caplog.text
    assert "never predicted" not in caplog.text
    assert list(found) == list(CITYSCAPES_CLASSES.names)
    assert set(found.values()) == set(CAMVID_CLASSES.names)
    assert found["rider"] == found["bicycle"] == "Bicyclist"
    assert found["terrain"] == "Tree"


def test_void_as_a_class_is_never_predicted_and_said(caplog):
    fit_class_map(None, CITYSCAPES_CLASSES, Labels(CAMVID, void="class").classes)
    assert "no class of the model counts as Unlabelled: never predicted" in caplog.text


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (CAMVID_CLASSES, CITYSCAPES_CLASSES),
        (CAMVID_CLASSES, Labels(CAMVID, void="class").classes),
        (PARTS, WHOLES),
    ],
)
def test_tables_that_nobody_knows_how_to_map(model, data):
    with pytest.raises(ConfigError, match=r"on data with its own classes.*class_map=\{"):
        fit_class_map(None, model, data)


def test_a_map_that_does_not_fit_the_data():
    with pytest.raises(ConfigError, match=r"names 'Hous', which the data.*Did you mean 'House'"):
        fit_class_map({**MAP, "wall": "Hous"}, PARTS, WHOLES)
    with pytest.raises(ConfigError, match="every class to null"):
        fit_class_map(dict.fromkeys(PARTS.names), PARTS, WHOLES)


def test_classes_that_nothing_counts_as_are_warned_of(caplog):
    assert fit_class_map(MAP, PARTS, WHOLES) == MAP
    assert "no class of the model counts as Water" in caplog.text


# ---- applying


@given(seed=st.integers(0, 1000))
def test_probabilities_are_summed(seed):
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(seed)) * 5
    found = MappedModel(nn.Identity(), MAP, PARTS, WHOLES)(logits).softmax(dim=1).numpy()
    probabilities = logits.double().softmax(dim=1).numpy()
    kept = 1 - probabilities[:, 3]
    np.testing.assert_allclose(found[:, 0], probabilities[:, :2].sum(axis=1) / kept, rtol=1e-4)
    np.testing.assert_allclose(found[:, 1], probabilities[:, 2] / kept, rtol=1e-4)
    assert (found[:, 2] == 0).all()


def test_parts_win_together_what_null_had():
    # the dog has most, the lawn more than the wall or the roof, and these more together
    logits = torch.tensor([0.2, 0.2, 0.25, 0.35]).log()[None, :, None, None]
    model = MappedModel(nn.Identity(), MAP, PARTS, WHOLES)
    assert model(logits).argmax(dim=1).item() == 0


def test_what_is_never_predicted_stays_so_after_resizing():
    model = MappedModel(nn.Identity(), MAP, PARTS, WHOLES)
    logits = model(torch.full((1, 4, 4, 4), -500.0, dtype=torch.bfloat16))
    assert logits.dtype == torch.float32
    assert set(label_map(logits, (9, 7)).unique().tolist()) == {0}


def test_targets_pass_through():
    targets = TargetOutputs(torch.ones(1, 2), torch.ones(1, 1))

    class Both(nn.Module):
        target_head = "the head"

        def forward_all(self, images):
            return Outputs(images, targets)

    model = MappedModel(Both(), MAP, PARTS, WHOLES)
    assert model.forward_all(torch.zeros(1, 4, 2, 2)).targets is targets
    assert model.target_head == "the head"
