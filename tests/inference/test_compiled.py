"""A model may be compiled before it predicts; where nothing can be, the message says so."""

from functools import partial

import numpy as np
import pytest
import torch
from small_models import pictures, small_unet
from torch import nn

from segmentation.classes import ClassTable
from segmentation.errors import ConfigError
from segmentation.inference import compiled
from segmentation.inference.predictor import Predictor
from segmentation.inference.wrapper import outputs
from segmentation.models import save_model

CLASSES = ClassTable(("a", "b"), ((0, 0, 0), (255, 0, 0)))
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    save_model(small_unet(2), directory, CLASSES, None)
    return directory


def test_a_missing_compiler_is_named_before_anything_is_predicted(directory, monkeypatch):
    monkeypatch.setattr(compiled, "compiler_problem", lambda device: f"no compiler for {device}.")
    with pytest.raises(ConfigError, match=r"compile=true: .* here: no compiler for cpu\. Omit it"):
        Predictor(directory, compile=True)
    with pytest.raises(ConfigError, match="an exported file is compiled already"):
        compiled.compile_model(nn.Identity(), "cpu")


def test_the_pass_that_predictions_take_is_compiled(directory, monkeypatch):
    calls = []

    def compile_(function):
        return lambda images: calls.append(images.shape) or function(images)

    monkeypatch.setattr(compiled, "compiler_problem", lambda device: None)
    monkeypatch.setattr(torch, "compile", compile_)
    plain, predictor = Predictor(directory), Predictor(directory, compile=True)
    assert predictor.weights == plain.weights
    np.testing.assert_array_equal(predictor(IMAGE).mask, plain(IMAGE).mask)
    assert calls == [(1, 3, 40, 56)]
    assert set(predictor.model.state_dict()) == set(plain.model.state_dict())


@pytest.mark.slow
def test_a_compiled_model_gives_its_logits_at_every_size(monkeypatch):
    monkeypatch.setattr(compiled, "compiler_problem", lambda device: None)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    plain, model = small_unet(), small_unet()
    compiled.compile_model(model, "cpu")
    for height, width in ((64, 96), (70, 50), (33, 100)):
        images = pictures(1, 3, height, width)
        with torch.inference_mode():
            found = outputs(model, images).logits
            torch.testing.assert_close(found, plain(images), rtol=1e-4, atol=1e-4)
