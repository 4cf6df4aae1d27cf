"""Weights files: every form fits, what does not fit is named, and no code runs."""

import os
import pickle

import pytest
import safetensors.torch
import torch
from small_models import assert_body_holds, tensors

from segmentation.errors import ModelError
from segmentation.models.encoder import Encoder


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.encoder."])
def test_files(tmp_path, suffix, prefix):
    state = tensors()
    path = tmp_path / f"weights.{suffix}"
    prefixed = {prefix + key: value for key, value in state.items()}
    if suffix == "safetensors":
        safetensors.torch.save_file(prefixed, path)
    else:
        torch.save({"state_dict": prefixed, "epoch": 3}, path)
    encoder = Encoder("test_resnet", weights=str(path))
    assert_body_holds(encoder, state)
    assert encoder.source == f"file {path}"
    assert encoder.pretrained


@pytest.mark.parametrize("features_only", [False, True])
def test_stages_may_be_flattened(tmp_path, features_only):
    """timm's whole ConvNeXt says `stages.0`, its feature extractor `stages_0`."""
    state = tensors("test_convnext", features_only=features_only)
    torch.save(state, tmp_path / "weights.pth")
    encoder = Encoder("test_convnext", weights=str(tmp_path / "weights.pth"))

    def rename(key):
        return key if features_only else key.replace("stages_", "stages.").replace("stem_", "stem.")

    assert_body_holds(encoder, state, rename)


def test_missing_tensors_are_counted_and_named(tmp_path):
    state = tensors()
    for key in ("conv1.0.weight", "layer1.0.conv1.weight"):
        del state[key]
    total = len(Encoder("test_resnet", weights="none").body.state_dict())
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=rf"2 of {total} tensors are missing: conv1.0.weight, lay"):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))


def test_tensors_of_another_shape_are_named(tmp_path):
    state = tensors()
    state["layer1.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=r"another shape: layer1.0.conv1.weight \[1, 2, 3, 3\]"):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))


def test_weights_of_another_encoder(tmp_path):
    torch.save(tensors("test_convnext"), tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="does not fit the encoder"):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))


def test_two_copies_are_ambiguous(tmp_path):
    state = tensors()
    both = {f"{copy}.{key}": value for copy in ("ema", "model") for key, value in state.items()}
    torch.save(both, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=r"2 times, under \['ema.', 'model.'\]"):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))


class Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL"],)


@pytest.mark.parametrize("save", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o, 2))])
def test_code_in_a_file_does_not_run(tmp_path, monkeypatch, save):
    monkeypatch.setenv("EVIL", str(tmp_path / "ran"))
    save({"conv1.0.weight": Evil()}, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="it needs Python code"):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("w.pth", b"", "damaged"),
        ("w.pth", b"not a pickle", "damaged"),
        ("w.safetensors", b"", "not a safetensors file"),
        ("w.safetensors", b"\xff" * 64, "not a safetensors file"),
    ],
)
def test_garbage(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        Encoder("test_resnet", weights=str(tmp_path / name))


@pytest.mark.parametrize(
    ("content", "reason"), [([1, 2], "holds a list"), ({"epoch": 3}, "no named tensors")]
)
def test_files_that_are_no_state_dict(tmp_path, content, reason):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=reason):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))
