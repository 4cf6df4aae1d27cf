"""A model of a stranger is compared with its description before it takes memory, or refused."""

import json
import subprocess
import sys
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from small_models import small_unet

from segmentation.classes import ClassTable
from segmentation.errors import ModelError
from segmentation.models import describe_model, load_model, save_model
from segmentation.models.weights_files import read_checkpoint, read_state_dict

CLASSES = ClassTable(("a", "b", "c", "d", "e"), ((0, 0, 0),) * 5)


@pytest.fixture(scope="module")
def model():
    return small_unet()


@pytest.fixture
def saved(model, tmp_path):
    save_model(model, tmp_path, CLASSES, (32, 32))
    return tmp_path


def described(saved, **changes):
    values = json.loads((saved / "config.json").read_text())
    for key, value in changes.items():
        *parts, last = key.split("__")
        node = values
        for part in parts:
            node = node[part]
        node[last] = value
    (saved / "config.json").write_text(json.dumps(values))
    return saved


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": [65536, 65536]}, "more than 33,554,432 pixels"),
        ({"encoder__std": [0.0, 1.0, 1.0]}, r"encoder\.std\[0\]=0\.0"),
        ({"encoder__std": [1e-320, 1.0, 1.0]}, r"encoder\.std\[0\]"),
        ({"encoder__mean": [float("nan"), 1.0, 1.0]}, r"encoder\.mean\[0\]"),
        ({"encoder__source": "${oc.env:HOME}"}, r"encoder\.source holds the interpolation"),
        ({"extra": {"a": 10**4000}}, r"extra\.a is a number of"),
        ({"decoder__channels": [4096] * 5, "encoder__name": "convnext_xxlarge"}, "do not fit"),
    ],
)
def test_a_description(saved, changes, reason):
    with pytest.raises(ModelError, match=reason):
        load_model(described(saved, **changes))


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**5, "9" * 5000, "", "[1]", "\xff"])
def test_a_description_that_is_none(saved, text):
    (saved / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"is not JSON|does not describe"):
        load_model(saved)


def filled(value):
    return lambda tensor: torch.full_like(tensor, value)


@pytest.mark.parametrize("key", ["model.safetensors", "a.ckpt"])
@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("head.weight", filled(float("nan")), "head.weight holds numbers that are not finite"),
        ("head.bias", filled(float("inf")), "head.bias holds numbers that are not finite"),
        ("head.weight", torch.Tensor.int, "head.weight is torch.int32"),
        ("std", filled(0.0), "std holds a standard deviation that is not above 0"),
        ("encoder.body.bn1.running_var", filled(-1.0), "holds a variance below 0"),
        ("head.weight", lambda tensor: tensor[:1], r"head.weight has shape \[1,"),
    ],
)  # fmt: skip
def test_weights(saved, model, key, name, change, reason):
    state = model.state_dict()
    assert name in state
    state[name] = change(state[name])
    if key == "a.ckpt":
        content = {"model": describe_model(model, CLASSES, None)}
        content["state_dict"] = {f"model.{k}": value for k, value in state.items()}
        torch.save(content, saved / key)
    else:
        save_file({k: value.contiguous() for k, value in state.items()}, saved / key)
    with pytest.raises(ModelError, match=reason):
        load_model(saved / key)


def test_views_of_a_single_number(saved, model):
    one = torch.ones(1)
    state = {f"model.{k}": one.expand(v.shape) if v.is_floating_point() else v
             for k, v in model.state_dict().items()}  # fmt: skip
    content = {"model": describe_model(model, CLASSES, None), "state_dict": state}
    torch.save(content, saved / "a.ckpt")
    with pytest.raises(ModelError, match=r"a\.ckpt shows .* bytes of tensors, and holds fewer"):
        load_model(saved / "a.ckpt")


@pytest.mark.parametrize("kind", ["sparse", "meta"])
def test_tensors_without_values(saved, model, kind):
    state = {f"model.{k}": v for k, v in model.state_dict().items()}
    weight = state["model.mean"]
    state["model.mean"] = weight.to_sparse() if kind == "sparse" else weight.to("meta")
    content = {"model": describe_model(model, CLASSES, None), "state_dict": state}
    torch.save(content, saved / "a.ckpt")
    with pytest.raises(ModelError):
        load_model(saved / "a.ckpt")


def test_a_compressed_archive(tmp_path):
    torch.save({"a": torch.zeros(10**6)}, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as source, zipfile.ZipFile(
        tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED
    ) as target:  # fmt: skip
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert (tmp_path / "bomb.ckpt").stat().st_size < 10**5
    with pytest.raises(ModelError, match="is compressed"):
        read_checkpoint(tmp_path / "bomb.ckpt")


def test_a_header_that_is_too_large(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((2**40).to_bytes(8, "little"))
    with pytest.raises(ModelError, match="its header is too large"):
        read_state_dict(tmp_path / "a.safetensors")


ATTACKS = {
    "gigabytes of weights": {
        "encoder__name": "convnext_xxlarge", "decoder__channels": [4096] * 5,
    },
    "a large size": {"size": [65536, 65536]},
    "many channels": {"encoder__in_channels": 1024, "encoder__mean": [0.0] * 1024,
                      "encoder__std": [1.0] * 1024},
}  # fmt: skip

ATTEMPT = """
import sys, time
from pathlib import Path
from segmentation.errors import SegmentationError
from segmentation.models import load_model
began = time.monotonic()
try:
    load_model(sys.argv[1])
except SegmentationError:
    seconds = time.monotonic() - began
    # not getrusage, whose peak a child inherits from the process that started it
    (peak,) = [s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s]
    print(peak.split()[1], seconds)
"""


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_memory_and_time(saved, attack):
    described(saved, **ATTACKS[attack])
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT, str(saved)], capture_output=True, text=True, timeout=300
    )
    kilobytes, seconds = map(float, done.stdout.split())
    assert kilobytes < 10**6
    assert seconds < 30


@pytest.mark.slow
def test_a_file_that_is_larger_than_its_disk_blocks(saved, model):
    """A sparse file of 9 GB whose header promises as much."""
    described(saved, encoder__name="convnext_xxlarge")
    header = json.dumps(
        {"x": {"dtype": "F32", "shape": [9 * 2**28], "data_offsets": [0, 9 * 2**30]}}
    ).encode()
    with (saved / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 9 * 2**30)
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT, str(saved)], capture_output=True, text=True, timeout=300
    )
    assert float(done.stdout.split()[0]) < 10**6
