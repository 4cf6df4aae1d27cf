"""Exported files give the masks of the model, whatever the size of an image."""

import json

import numpy as np
import pytest
import torch
from small_models import small_unet

from segmentation import Predictor
from segmentation.build.export import ExportPlan
from segmentation.classes import CAMVID
from segmentation.commands.export import check_free, export
from segmentation.data.masks.labels import Labels
from segmentation.errors import ConfigError, ModelError
from segmentation.export.formats import FORMATS
from segmentation.export.images import scenes
from segmentation.export.network import export_error
from segmentation.export.parity import Reference
from segmentation.inference.exported import load_exported
from segmentation.inference.exported.load import TRUST
from segmentation.models import Encoder, TargetModel, load_model, save_model
from segmentation.targets import TargetColumns

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
    least = {"fp32": 0.9999, "fp16": 0.99, "int8": 0.8}[precision]
    assert result["parity"]["equal_labels"] >= least
    assert (result["parity"]["largest_difference"] is None) == (head == "labels")

    kept = {"int8": "the first convolution, the head"}
    assert result["float_layers"] == kept.get(precision, "")

    loaded = load_exported(tmp_path / FORMATS[name].files[0], trusted=True)
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


@pytest.mark.slow
def test_a_file_that_differs_too_much_is_rejected(model, tmp_path):
    with pytest.raises(ModelError, match=r"differs from .* more than tolerance=0"):
        exported(model, tmp_path, "onnx", "int8", tolerance=0.0)
    result = json.loads((tmp_path / "export.json").read_text())
    assert not result["accepted"]
    assert len(result["tries"]) == 2
    assert result["float_layers"].endswith("the decoder's last block")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "export.json",
        "model.onnx.rejected",
    ]


COLUMNS = {
    "both": TargetColumns("scene", ("road", "park"), ("light",), (10.0,), (2.0,)),
    "values": TargetColumns(values=("light",), mean=(10.0,), std=(2.0,)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "columns"), [*((name, "both") for name in FORMATS), ("onnx", "values")]
)
def test_image_level_targets_are_exported_beside_the_labels(tmp_path, monkeypatch, name, columns):
    monkeypatch.setenv(TRUST, "1")
    classes = Labels(CAMVID).classes
    unet = small_unet(len(classes), columns=COLUMNS[columns])
    for parameter in unet.target_head.parameters():
        torch.nn.init.normal_(parameter)
    save_model(unet, tmp_path / "model", classes, None)
    result = exported(tmp_path / "model", tmp_path, name)
    assert result["parity"]["equal_labels"] >= 0.9999

    expected = Predictor(tmp_path / "model", precision="32-true")(image(64, 96))
    actual = Predictor(tmp_path / result["files"][0])(image(64, 96))
    assert expected.values["light"] != pytest.approx(10.0, abs=0.01)
    assert actual.values == pytest.approx(expected.values, abs=1e-3)
    assert actual.category_probabilities == pytest.approx(expected.category_probabilities, abs=1e-3)
    assert actual.category == expected.category


def test_a_model_without_labels_is_refused(tmp_path):
    encoder = Encoder("test_resnet", weights="none")
    model = TargetModel(encoder, TargetColumns(values=("a",), mean=(0.0,), std=(1.0,)))
    save_model(model, tmp_path / "model", None, None)
    with pytest.raises(ModelError, match="image-level targets alone"):
        exported(tmp_path / "model", tmp_path / "out", "onnx")


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.rejected", "export.json"])
def test_a_file_of_somebody_else_is_not_replaced(model, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"{name} is in the way"):
        exported(model, tmp_path, "onnx")
    assert (tmp_path / name).read_text() == "mine"


def test_an_earlier_export_may_be_replaced(tmp_path):
    report = {"accepted": True, "files": ["model.onnx"], "cityseg": "0.1.0"}
    (tmp_path / "export.json").write_text(json.dumps(report))
    (tmp_path / "model.onnx").write_text("an earlier one")
    check_free(tmp_path, ["model.onnx"])


def test_a_model_is_timed_at_the_size_that_it_sees(tmp_path):
    classes = Labels(CAMVID).classes
    save_model(small_unet(len(classes)), tmp_path, classes, (32, 64))
    reference = Reference(load_model(tmp_path), Predictor(tmp_path))
    assert reference.resized(image(100, 100)).shape == (32, 64, 3)


def test_an_error_names_the_layer():
    unet = small_unet()
    try:
        unet.encoder(torch.zeros(1, 3, 4))
    except Exception as error:
        message = str(export_error(unet, "my model", error))
    assert message.startswith("my model cannot be exported as a graph for every size. Layer enc")
