"""Exported files give the masks of the model, whatever the size of an image."""

import numpy as np
import pytest
import torch
from small_models import small_unet

from segmentation import Predictor
from segmentation.build.export import ExportPlan
from segmentation.classes import CAMVID
from segmentation.commands.export import export
from segmentation.data.masks.labels import Labels
from segmentation.export.formats import FORMATS
from segmentation.export.images import scenes
from segmentation.inference.exported import load_exported
from segmentation.models import save_model

PAIRS = [(name, precision) for name, entry in FORMATS.items() for precision in entry.precisions]
SIZES = [(64, 96), (50, 71), (20, 31), (170, 260), (131, 201), (400, 40)]
"""As learnt, not a multiple of 32, less than half, more than twice (averaged), a long strip."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model with random weights that learnt 64x96."""
    directory = tmp_path_factory.mktemp("model")
    classes = Labels(CAMVID).classes
    unet = small_unet(len(classes), upsampling="nearest", attention="scse")
    save_model(unet, directory, classes, None, {"learnt_size": [64, 96]})
    return directory


def exported(model, output, name, precision="fp32", head="labels", tolerance=100.0):
    plan = ExportPlan(str(model), name, precision, head, output, tolerance, scenes)
    return export(plan)


def image(height, width):
    rows = np.linspace(0, 255, height)[:, None, None]
    noise = np.random.default_rng(height).integers(0, 60, (height, width, 3))
    return np.clip(0.7 * rows + noise, 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["labels", "logits"])
@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_every_pair_of_format_and_precision_is_equal(model, tmp_path, name, precision, head):
    result = exported(model, tmp_path, name, precision, head)
    assert result["accepted"]
    assert result["files"] == list(FORMATS[name].files)
    assert all((tmp_path / file).is_file() for file in result["files"])
    assert not list(tmp_path.glob(".export*"))
    least = {"fp32": 0.9999, "fp16": 0.99, "int8": 0.3}[precision]
    assert result["parity"]["equal_labels"] >= least
    assert (result["parity"]["largest_difference"] is None) == (head == "labels")

    loaded = load_exported(tmp_path / FORMATS[name].files[0])
    assert loaded.labels_only == (head == "labels")
    assert loaded.classes.names[:2] == ("Sky", "Building")
    if precision != "fp32" or not FORMATS[name].resizes:
        return
    predictor = Predictor(model, precision="32-true")
    for size in SIZES:
        pixels = image(*size)
        batch = torch.from_numpy(np.stack([pixels, pixels[::-1]])).permute(0, 3, 1, 2)
        labels = loaded.model(batch).argmax(dim=1)
        assert labels.shape == (2, *size)
        for each, own in zip((pixels, pixels[::-1]), labels, strict=True):
            same = predictor(np.ascontiguousarray(each)).mask == own.numpy()
            assert same.mean() >= 0.999, size
