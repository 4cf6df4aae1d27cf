"""The predictor takes the options of test time, and says which precisions there are."""

import numpy as np
import pytest
import torch

from segmentation.classes import ClassTable
from segmentation.errors import ConfigError
from segmentation.inference.options import InferenceOptions
from segmentation.inference.predictor import Predictor
from segmentation.models import build_model, build_target_model, save_model
from segmentation.targets import TargetColumns

CLASSES = ClassTable(("a", "b", "c"), ((0, 0, 0), (1, 0, 0), (2, 0, 0)))
COLUMNS = TargetColumns("scene", ("dark", "bright"), (), (), ())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("model")
    model = build_model({"name": "test_resnet", "weights": "none"}, {"channels": [8] * 5}, 3)
    save_model(model.eval(), directory, CLASSES, None)
    return directory


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


def test_a_mirrored_image_has_mirrored_labels_with_flips_alone(model, image):
    plain = Predictor(model, precision="32-true")
    flips = Predictor(model, options=InferenceOptions(flip=True), precision="32-true")
    mirrored = np.ascontiguousarray(image[:, ::-1])
    assert (flips(mirrored)[:, ::-1] == flips(image)).mean() > 0.999  # ties may round otherwise
    assert (plain(mirrored)[:, ::-1] == plain(image)).mean() < 0.99
    assert flips(image).shape == (40, 56)


def test_windows_and_scales(model, image):
    options = InferenceOptions(scales=[0.75, 1], window=[24, 24])
    labels = Predictor(model, options=options)(image)
    assert labels.shape == (40, 56)
    assert labels.dtype == np.uint8
    assert not (labels == Predictor(model)(image)).all()


def test_precisions_agree_but_for_rounding(model, image):
    exact = Predictor(model, precision="32-true")(image)
    for precision in ("bf16-mixed", "16-mixed", "auto"):
        assert (Predictor(model, precision=precision)(image) == exact).mean() > 0.9
    with pytest.raises(ConfigError, match="precision='bf16': use auto, 32-true"):
        Predictor(model, precision="bf16")


def test_windows_are_not_for_targets_alone(tmp_path, image):
    model = build_target_model({"name": "test_resnet", "weights": "none"}, COLUMNS)
    save_model(model.eval(), tmp_path, None, None)
    with pytest.raises(ConfigError, match="targets of whole images"):
        Predictor(tmp_path, options=InferenceOptions(window=(8, 8)))
    found = Predictor(tmp_path, options=InferenceOptions(flip=True)).predict(image)
    assert found.labels is None
    assert found.probabilities.sum() == pytest.approx(1)
