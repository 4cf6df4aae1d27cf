"""Files that somebody else may have written are read as data, and refused where they are not."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from small_models import small_unet

from segmentation import Predictor
from segmentation.classes import ClassTable
from segmentation.errors import ConfigError, ModelError
from segmentation.inference.exported import check_views, is_exported, load_exported
from segmentation.inference.exported.metadata import KEY, ExportInfo, from_text, to_text
from segmentation.inference.options import InferenceOptions
from segmentation.models import describe_model

TABLE = ClassTable(("road", "sky"), ((1, 2, 3), (4, 5, 6)))


def info(head="labels"):
    return ExportInfo(
        format=1,
        version="0.1.0",
        head=head,
        precision="fp32",
        resizes=True,
        source="a run",
        weights="0" * 32,
        scores={"miou/val": 0.5},
        model=describe_model(small_unet(2), TABLE, None, {"learnt_size": [64, 96]}),
    )


def graph(external=False):
    """A graph that calls every pixel of an image sky, written by hand."""
    one = helper.make_tensor("one", TensorProto.UINT8, [1], [1])
    if external:
        one.ClearField("int32_data")
        one.data_location = TensorProto.EXTERNAL
        one.external_data.add(key="location", value="../secret")
    nodes = [
        helper.make_node("ReduceMax", ["image", "axes"], ["most"], keepdims=0),
        helper.make_node("Min", ["most", "one"], ["some"]),
        helper.make_node("Max", ["some", "one"], ["labels"]),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
            [helper.make_tensor_value_info("labels", TensorProto.UINT8, ["N", "H", "W"])],
            [one, helper.make_tensor("axes", TensorProto.INT64, [1], [3])],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def written(path, text=None, external=False):
    model = graph(external)
    if text is not None:
        helper.set_model_props(model, {KEY: text})
    path.write_bytes(model.SerializeToString())
    return path


def test_a_file_is_used_like_a_model(tmp_path):
    loaded = load_exported(written(tmp_path / "model.onnx", to_text(info())))
    assert loaded.classes == TABLE
    assert loaded.labels_only
    assert loaded.size is None
    assert loaded.learnt_size is None  # the graph resizes
    logits = loaded.model(torch.zeros(2, 3, 4, 5, dtype=torch.uint8))
    assert logits.shape == (2, 2, 4, 5)
    assert (logits.argmax(dim=1) == 1).all()
    with pytest.raises(ModelError, match="N,3,H,W, not 1,4,5,5"):
        loaded.model(torch.zeros(1, 4, 5, 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "its version is 2, newer than this cityseg"),
        ({"head": "mask"}, "head='mask'"),
        ({"more": 1}, "more does not exist"),
        ({"source": "${oc.env:HOME}"}, "interpolation"),
        ({"model": {"format": 2}}, "encoder is missing"),
    ],
)
def test_metadata_of_strangers_are_checked(change, message):
    values = json.loads(to_text(info())) | change
    with pytest.raises(ModelError, match=message):
        from_text(json.dumps(values), "model.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "was not written by export"),
        ("{", "cannot be used"),
        ("[" * 100_000, "cannot be used"),
        (" " * 2**21, "more than 1,048,576 characters"),
    ],
)
def test_what_is_no_metadata_is_refused(tmp_path, text, message):
    with pytest.raises(ModelError, match=message):
        load_exported(written(tmp_path / "model.onnx", text))


def test_weights_in_other_files_are_refused(tmp_path):
    (tmp_path.parent / "secret").write_bytes(np.ones(1, np.uint8).tobytes())
    with pytest.raises(ModelError, match="keeps weights in other files"):
        load_exported(written(tmp_path / "model.onnx", to_text(info()), external=True))


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model.ts", "model.pt2"])
@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04" + b"\0" * 50])
def test_damaged_files_are_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert is_exported(path)
    with pytest.raises(ModelError, match="model"):
        load_exported(path, trusted=True)


def test_a_file_keeps_its_own_precision(tmp_path):
    path = written(tmp_path / "model.onnx", to_text(info()))
    assert Predictor(path).dtype is None
    with pytest.raises(ConfigError, match="an exported file computes in its own"):
        Predictor(path, precision="bf16-mixed")
    with pytest.raises(ConfigError, match="an exported file computes in its own"):
        Predictor(path).half()


def test_a_file_of_labels_has_no_confidence(tmp_path):
    path = written(tmp_path / "model.onnx", to_text(info()))
    with pytest.raises(ModelError, match="export the model with head=logits"):
        Predictor(path).check_confidence()


def test_what_a_runtime_fails_with_names_the_file(tmp_path):
    model = graph()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    helper.set_model_props(model, {KEY: to_text(info())})
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    loaded = load_exported(path)
    with pytest.raises(ModelError, match=r"model\.onnx does not take images of 5x6: "):
        loaded.model(torch.zeros(1, 3, 5, 6, dtype=torch.uint8))


def test_a_file_without_its_output_is_named(tmp_path):
    loaded = load_exported(written(tmp_path / "model.onnx", to_text(info("logits"))))
    with pytest.raises(ModelError, match=r"model\.onnx has no output logits, only labels\."):
        loaded.model(torch.zeros(1, 3, 5, 6, dtype=torch.uint8))


@pytest.mark.parametrize("name", ["model.ts", "MODEL.PT2"])
def test_a_program_is_not_opened_unless_it_is_trusted(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(ModelError, match=r"is a program.*CITYSEG_TRUST_PROGRAMS=1"):
        load_exported(tmp_path / name)
    monkeypatch.setenv("CITYSEG_TRUST_PROGRAMS", "1")
    with pytest.raises(ModelError, match="is not a"):
        load_exported(tmp_path / name)


def test_labels_that_no_class_has_are_refused(tmp_path):
    model = graph()
    model.graph.initializer[0].int32_data[:] = [7]
    text = to_text(info())
    model.metadata_props.add(key=KEY, value=text)
    onnx.save(model, tmp_path / "model.onnx")
    loaded = load_exported(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="gives the label 7, and its classes are 2"):
        loaded.model(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        load_exported(tmp_path / "model.onnx")


def test_views_that_a_file_cannot_give_are_refused():
    with pytest.raises(ConfigError, match="the exported file returns labels"):
        check_views(info(), InferenceOptions(flip=True))
    with pytest.raises(ConfigError, match="resizes images itself"):
        check_views(info("logits"), InferenceOptions(window=(32, 32)))
    check_views(info("logits"), InferenceOptions(flip=True))


def test_the_graph_of_these_tests_is_valid():
    onnx.checker.check_model(graph())
