"""A model that begins where an earlier one ended."""

import logging

import pytest
import torch

from segmentation.classes import ClassTable
from segmentation.errors import ModelError
from segmentation.models import Encoder, UNet, build_target_model, save_model, warm_start
from segmentation.targets import TargetColumns

CLASSES = ClassTable(("sky", "road", "car"), ((0, 0, 1), (0, 0, 2), (0, 0, 3)))
OTHERS = ClassTable(("dog", "car", "sky", "cat"), ((0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 0, 4)))
COLUMNS = TargetColumns("scene", ("day", "night"), ("x",), (1.0,), (2.0,))


def unet(classes, seed, columns=None, name="test_resnet", **options):
    torch.manual_seed(seed)
    encoder = Encoder(name, weights="none")
    return UNet(encoder, len(classes), columns, channels=(16, 16, 8, 8, 8), **options).eval()


@pytest.fixture
def earlier(tmp_path):
    model = unet(CLASSES, 0, COLUMNS)
    model.encoder.mean = (127.0, 126.0, 125.0)
    model.mean.copy_(torch.tensor(model.encoder.mean).view(1, 3, 1, 1))
    save_model(model, tmp_path, CLASSES, None)
    return model, tmp_path


def images():
    return torch.randint(0, 256, (2, 3, 40, 56), dtype=torch.uint8)


def test_the_same_classes_give_the_same_model(earlier):
    before, path = earlier
    model = unet(CLASSES, 1, COLUMNS)
    warm_start(model, path, CLASSES)
    x = images()
    now, then = model.forward_all(x), before.forward_all(x)
    assert torch.equal(now.logits, then.logits)
    assert torch.equal(now.targets.category, then.targets.category)
    assert torch.equal(now.targets.values, then.targets.values)
    assert model.encoder.mean == (127.0, 126.0, 125.0)
    assert model.encoder.source == f"model {path}"
    assert model.encoder.pretrained


def test_classes_known_by_name_are_kept_and_others_start_afresh(earlier, caplog):
    caplog.set_level(logging.INFO)
    before, path = earlier
    model, fresh = unet(OTHERS, 1), unet(OTHERS, 1)
    warm_start(model, path, OTHERS)
    x = images()
    logits, known = model(x), before(x)
    assert torch.equal(logits[:, 2], known[:, 0])
    assert torch.equal(logits[:, 1], known[:, 2])
    for row in (0, 3):
        assert torch.equal(model.head.weight[row], fresh.head.weight[row])
    assert "the head starts afresh for 2 of 4 classes: dog, cat" in caplog.text


def test_other_targets_start_afresh(earlier, caplog):
    caplog.set_level(logging.INFO)
    _, path = earlier
    other = TargetColumns("scene", ("day", "dusk"))
    model, fresh = unet(CLASSES, 1, other), unet(CLASSES, 1, other)
    warm_start(model, path, CLASSES)
    assert torch.equal(model.target_head.category.weight, fresh.target_head.category.weight)
    assert "image-level targets starts afresh" in caplog.text


@pytest.mark.parametrize(
    ("there", "here", "typed"),
    [
        ({}, {"attention": "scse"}, "decoder.attention=none"),
        ({"attention": "scse"}, {}, "decoder.attention=scse"),  # theirs has more
        ({}, {"name": "resnet18"}, "encoder.name=test_resnet"),
        ({"activation": "silu"}, {}, "decoder.activation=silu"),  # all tensors would fit
        ({"center": True}, {"center": False}, "decoder.center=true"),
    ],
)
def test_another_model_is_refused_and_the_way_out_is_named(tmp_path, there, here, typed):
    path = tmp_path
    save_model(unet(CLASSES, 0, **there), path, CLASSES, None)
    model = unet(CLASSES, 1, **here)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ModelError, match=rf"Pass {typed} for .*encoder.weights="):
        warm_start(model, path, CLASSES)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_a_model_of_targets_alone_serves_no_segmentation(tmp_path):
    encoder = {"name": "test_resnet", "weights": "none"}
    save_model(build_target_model(encoder, COLUMNS), tmp_path, None, None)
    with pytest.raises(ModelError, match=r"task\.segmentation=false"):
        warm_start(unet(CLASSES, 0), tmp_path, CLASSES)


def test_a_model_for_other_channels_is_refused(tmp_path):
    grey = UNet(Encoder("test_resnet", 1, weights="none"), 3, channels=(16, 16, 8, 8, 8))
    save_model(grey, tmp_path, CLASSES, None)
    with pytest.raises(ModelError, match="images with 1 channels, and these have 3"):
        warm_start(unet(CLASSES, 0), tmp_path, CLASSES)


def test_dropout_may_be_another(earlier):
    before, path = earlier
    model = unet(CLASSES, 1, dropout=0.3)
    warm_start(model, path, CLASSES)
    assert torch.equal(model.head.weight, before.head.weight)


def test_widths_are_named_as_hydra_reads_them(earlier):
    _, path = earlier
    model = UNet(Encoder("test_resnet", weights="none"), 3, channels=(8, 8, 8, 8, 8))
    with pytest.raises(ModelError, match=r"'decoder\.channels=\[16,16,8,8,8\]'"):
        warm_start(model, path, CLASSES)


@pytest.mark.parametrize("place", ["model.safetensors", "model", "checkpoints/best.ckpt"])
def test_an_encoder_alone_comes_from_a_directory_too_with_its_normalisation(
    earlier, tmp_path, place
):
    before, path = earlier
    if place != "model.safetensors":
        path = tmp_path / "run"
    if place == "model":
        save_model(before, path / place, CLASSES, None)
    if place == "checkpoints/best.ckpt":
        (path / place).parent.mkdir(parents=True)
        state = {f"model.{key}": value for key, value in before.state_dict().items()}
        torch.save({"state_dict": state}, path / place)
    encoder = Encoder("test_resnet", weights=str(path))
    assert encoder.mean == (127.0, 126.0, 125.0)
    for key, value in before.encoder.body.state_dict().items():
        assert torch.equal(encoder.body.state_dict()[key], value)
