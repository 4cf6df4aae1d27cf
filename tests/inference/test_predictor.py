"""The predictor takes the options of test time, and says which precisions there are."""

import cv2
import numpy as np
import pytest
import torch

from segmentation.classes import ClassTable
from segmentation.data.images.channels import RGB, Channels
from segmentation.errors import ConfigError, ModelError
from segmentation.inference.options import InferenceOptions
from segmentation.inference.predictor import Predictor
from segmentation.models import build_model, build_target_model, load_model, save_model
from segmentation.models.saving import LEARNT_SIZE, extra_of
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
    assert (
        flips(mirrored).mask[:, ::-1] == flips(image).mask
    ).mean() > 0.999  # ties may round otherwise
    assert (plain(mirrored).mask[:, ::-1] == plain(image).mask).mean() < 0.99
    assert flips(image).mask.shape == (40, 56)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_images_have_the_channels_of_the_model(tmp_path, dtype):
    channels = Channels((4, 1), ("nir", "red"), dtype, low=(10.0, 20.0), high=(50.0, 90.0))
    encoder = {"name": "test_resnet", "weights": "none", "in_channels": 2}
    model = build_model(encoder, {"channels": [8] * 5}, 3)
    model.set_value_range(channels.low, channels.high)
    save_model(model.eval(), tmp_path, CLASSES, None, extra_of((40, 56), channels))
    predictor = Predictor(tmp_path, options=InferenceOptions(flip=True, scales=[0.5, 1]))
    assert predictor.channels == channels
    good = np.random.default_rng(0).integers(0, 100, (40, 56, 2)).astype(dtype)
    assert predictor(good).mask.shape == (40, 56)
    np.testing.assert_array_equal(
        Predictor(tmp_path)(good).mask, Predictor(tmp_path).predict_window(good)
    )
    for wrong in (good[..., :1], good[..., 0], good.astype("float64"), good.repeat(2, axis=-1)):
        with pytest.raises(ModelError, match=rf"\(H, W, 2\) of {dtype}: .*\(nir, red\); this one"):
            predictor(wrong)


def test_a_model_of_one_channel_takes_grey_images(tmp_path):
    channels = Channels((1,), ("",), "uint16", low=(0.0,), high=(4095.0,))
    encoder = {"name": "test_resnet", "weights": "none", "in_channels": 1}
    model = build_model(encoder, {"channels": [8] * 5}, 3)
    save_model(model.eval(), tmp_path, CLASSES, None, extra_of(None, channels))
    grey = np.random.default_rng(0).integers(0, 4096, (40, 56), dtype=np.uint16)
    predictor = Predictor(tmp_path)
    np.testing.assert_array_equal(predictor(grey).mask, predictor(grey[..., None]).mask)


def test_a_model_that_says_nothing_of_its_channels_takes_rgb(model, image):
    assert Predictor(model).channels == RGB
    with pytest.raises(ModelError, match=r"\(H, W, 3\) of uint8: 3 \(RGB\)"):
        Predictor(model)(image.astype(np.uint16))


def test_windows_and_scales(model, image):
    options = InferenceOptions(scales=[0.75, 1], window=[24, 24])
    labels = Predictor(model, options=options)(image).mask
    assert labels.shape == (40, 56)
    assert labels.dtype == np.uint8
    assert not (labels == Predictor(model)(image).mask).all()


def test_precisions_agree_but_for_rounding(model, image):
    exact = Predictor(model, precision="32-true")(image).mask
    for precision in ("bf16-mixed", "16-mixed", "auto"):
        assert (Predictor(model, precision=precision)(image).mask == exact).mean() > 0.9
    with pytest.raises(ConfigError, match="precision='bf16': use auto, 32-true"):
        Predictor(model, precision="bf16")


@pytest.mark.parametrize("name", ["auto", "cpu", torch.device("cpu")])
def test_devices_are_named_as_on_the_command_line(model, image, name):
    predictor = Predictor(model, device=name)
    assert predictor.to(name) is predictor
    assert predictor(image).mask.shape == (40, 56)


def test_a_device_that_does_not_exist_is_refused(model):
    with pytest.raises(ConfigError, match="device='tpu': use auto, cpu"):
        Predictor(model, device="tpu")
    with pytest.raises(ConfigError, match="device=cpu:first: write a number"):
        Predictor(model, device="cpu:first")


def test_windows_are_not_for_targets_alone(tmp_path, image):
    model = build_target_model({"name": "test_resnet", "weights": "none"}, COLUMNS)
    save_model(model.eval(), tmp_path, None, None)
    with pytest.raises(ConfigError, match="targets of whole images"):
        Predictor(tmp_path, options=InferenceOptions(window=(8, 8)))
    found = Predictor(tmp_path, options=InferenceOptions(flip=True))(image)
    assert found.labels is None
    assert sum(found.category_probabilities.values()) == pytest.approx(1)
    with pytest.raises(ModelError, match="it does not segment"):
        _ = found.mask


@pytest.fixture(scope="module")
def learnt(model, tmp_path_factory):
    """Return the model, as one that learnt from images of 40x56."""
    directory = tmp_path_factory.mktemp("learnt")
    loaded = load_model(model)
    save_model(loaded.model, directory, CLASSES, None, {LEARNT_SIZE: [40, 56]})
    return directory


def test_an_image_far_larger_or_smaller_is_seen_as_large_as_those_it_learnt_from(learnt, image):
    predictor, plain = Predictor(learnt), Predictor(learnt, short_side=None)
    assert predictor.seen_size(480, 640) == (40, 53)
    assert predictor.seen_size(30, 10) == (120, 40)
    assert predictor.seen_size(80, 112) == (80, 112)  # twice is near enough
    assert plain.seen_size(480, 640) == (480, 640)
    height, width = predictor.seen_size(5, 2000)  # a strip
    assert 3 * 40 * 56 < height * width < 5 * 40 * 56
    windows = Predictor(learnt, options=InferenceOptions(window=[24, 24]))
    assert windows.seen_size(480, 640) == (480, 640)  # they are for what is large
    large = cv2.resize(image, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    labels = predictor(large).mask
    assert labels.shape == (240, 336)
    centres = labels[3::6, 3::6]
    assert (centres == plain(image).mask).mean() > 0.95
    assert (plain(large).mask[3::6, 3::6] == plain(image).mask).mean() < 0.95


def test_any_side_can_be_asked_for_but_of_a_model_with_a_size_of_its_own(learnt, model, tmp_path):
    assert Predictor(learnt, short_side=20).seen_size(40, 60) == (20, 30)
    assert Predictor(model).seen_size(4000, 6000) == (4000, 6000)  # an older one does not know
    for side in (0, 1.5, "large"):
        with pytest.raises(ConfigError, match="short_side"):
            Predictor(learnt, short_side=side)
    save_model(load_model(model).model, tmp_path, CLASSES, (32, 48), {LEARNT_SIZE: [40, 56]})
    assert Predictor(tmp_path).seen_size(4000, 6000) == (32, 48)
    with pytest.raises(ConfigError, match=r"short_side=20: .* resized to 32x48"):
        Predictor(tmp_path, short_side=20)


@pytest.mark.parametrize("size", [[40], ["a", 1], [0, 40], {"a": 1}, None, [1.5, 2], [10**9, 9]])
def test_a_size_that_is_none_is_not_used(model, tmp_path, size):
    save_model(load_model(model).model, tmp_path, CLASSES, None, {LEARNT_SIZE: size})
    assert Predictor(tmp_path).seen_size(4000, 6000) == (4000, 6000)
