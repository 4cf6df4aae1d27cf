"""A saved model comes back the same, without code and without looking for weights."""

import functools
import json
import os

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.classes import CAMVID, ClassTable
from segmentation.data.masks.labels import Labels
from segmentation.errors import ModelError
from segmentation.models import Encoder, UNet, describe_model, load_model, save_model
from segmentation.models.saving import restore_model

CLASSES = Labels(CAMVID).classes
OPTIONS = {"channels": (16, 16, 8, 8, 8), "attention": "scse", "norm": "group"}


def unet(in_channels=3, name="test_resnet", classes=CLASSES):
    torch.manual_seed(0)
    encoder = Encoder(name, in_channels, weights="none")
    encoder.mean, encoder.std = (127.0,) * in_channels, (128.0,) * in_channels
    encoder.source, encoder.pretrained = "package somewhere", True
    return UNet(encoder, len(classes), **OPTIONS).eval()


def checkpoint(model, **changes):
    """What the training module leaves, as far as a model is concerned."""
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    content = {
        "model": describe_model(model, CLASSES, (96, 128)),
        "state_dict": state | {"loss.weight": torch.ones(11)},
        "epoch": 3,
    }
    return content | changes


def assert_same(loaded, model, size):
    images = torch.randint(0, 256, (1, model.encoder.in_channels, 50, 60), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded.model(images), model(images))
    assert not loaded.model.training
    assert loaded.classes == CLASSES
    assert loaded.size == size
    assert loaded.model.encoder.source == "package somewhere"
    assert loaded.model.encoder.pretrained
    assert loaded.model.encoder.mean == model.encoder.mean


@pytest.fixture
def no_weights(monkeypatch):
    """Fail where anything looks for an encoder's weights."""

    def refuse(*_):
        raise AssertionError("looked for weights")

    monkeypatch.setattr("segmentation.models.hub.fetch", refuse)
    monkeypatch.setattr("segmentation.models.weights._from_package", refuse)


# ---- there and back


@pytest.mark.parametrize("in_channels", [1, 3, 5])
def test_directory(tmp_path, in_channels, no_weights):
    model = unet(in_channels)
    save_model(model, tmp_path / "run/model", CLASSES, (360, 480), {"miou": 0.5})
    assert {path.name for path in (tmp_path / "run/model").iterdir()} == {
        "config.json",
        "model.safetensors",
    }
    for path in (tmp_path / "run/model", tmp_path / "run/model/model.safetensors"):
        loaded = load_model(path)
        assert_same(loaded, model, (360, 480))
        assert loaded.info["extra"] == {"miou": 0.5}


def test_no_size(tmp_path):
    save_model(unet(), tmp_path, CLASSES, None)
    assert load_model(tmp_path).size is None


def test_saving_again_replaces(tmp_path):
    save_model(unet(1), tmp_path, CLASSES, None)
    save_model(unet(3), tmp_path, CLASSES, None)
    assert load_model(tmp_path).model.encoder.in_channels == 3


@pytest.mark.parametrize("compiled", [False, True])
def test_checkpoint_and_run_directory(tmp_path, compiled, no_weights):
    model = unet()
    content = checkpoint(model)
    if compiled:
        content["state_dict"] = {
            key.replace("model.", "model._orig_mod."): value
            for key, value in content["state_dict"].items()
        }
    (tmp_path / "checkpoints").mkdir()
    torch.save(content, tmp_path / "checkpoints/best.ckpt")
    for path in (tmp_path, str(tmp_path / "checkpoints/best.ckpt")):
        assert_same(load_model(path), model, (96, 128))


def test_a_run_whose_checkpoints_were_deleted_still_has_its_model(tmp_path):
    model = unet()
    save_model(model, tmp_path / "model", CLASSES, (96, 128))
    assert_same(load_model(tmp_path), model, (96, 128))


def test_a_models_encoder_serves_another_model(tmp_path):
    """encoder.weights=<a model of ours> brings its normalisation along."""
    model = unet()
    save_model(model, tmp_path, CLASSES, None)
    encoder = Encoder("test_resnet", weights=str(tmp_path / "model.safetensors"))
    assert encoder.mean == (127.0, 127.0, 127.0)
    assert encoder.std == (128.0, 128.0, 128.0)
    for key, value in model.encoder.body.state_dict().items():
        assert torch.equal(encoder.body.state_dict()[key], value)


# ---- what cannot be loaded


def test_paths_that_hold_no_model(tmp_path):
    with pytest.raises(ModelError, match="no such file or directory"):
        load_model(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"neither a run directory with checkpoints/best.ckpt"):
        load_model(tmp_path)
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep/jobs.csv").write_text("")
    with pytest.raises(ModelError, match="is a sweep: give one of its runs"):
        load_model(tmp_path / "sweep")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/last.ckpt").write_bytes(b"")
    with pytest.raises(ModelError, match=r"It has .*last.ckpt: give that"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path / "checkpoints/last.ckpt")


def test_half_a_directory(tmp_path):
    save_model(unet(), tmp_path, CLASSES, None)
    (tmp_path / "config.json").rename(tmp_path / "away.json")
    with pytest.raises(ModelError, match=r"has no config.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        load_model(tmp_path)
    (tmp_path / "away.json").rename(tmp_path / "config.json")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors: no such file"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [{"epoch": 1}, {"model": {}}, {"state_dict": {}}])
def test_checkpoints_of_others(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ModelError, match=r"not a checkpoint of this project.*load_smp"):
        load_model(tmp_path / "other.ckpt")


class Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL"],)


def test_code_in_a_checkpoint_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIL", str(tmp_path / "ran"))
    torch.save(checkpoint(unet(), callbacks=Evil()), tmp_path / "evil.ckpt")
    with pytest.raises(ModelError, match="needs Python code"):
        load_model(tmp_path / "evil.ckpt")
    assert not (tmp_path / "ran").exists()


def test_other_classes(tmp_path):
    content = checkpoint(unet())
    content["model"]["classes"] = Labels(CAMVID, void="class").classes.to_dict()
    torch.save(content, tmp_path / "m.ckpt")
    with pytest.raises(ModelError, match=r"head.weight has shape \[11, 8, 3, 3\], not \[12"):
        load_model(tmp_path / "m.ckpt")


def test_missing_and_foreign_tensors():
    model = unet()
    description, state = describe_model(model, CLASSES, None), model.state_dict()
    del state["head.bias"]
    state["foreign"] = torch.zeros(1)
    with pytest.raises(ModelError, match=r"2 tensors.*head.bias is missing; foreign is not"):
        restore_model(description, state, "file")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(format=3), "it has format 3, and this version reads up to 2"),
        (lambda d: d.update(classes=None), "a decoder needs classes"),
        (lambda d: d.update(_target_="os.system"), "_target_ does not exist"),
        (lambda d: d.pop("classes"), "classes is missing"),
        (lambda d: d["encoder"].update(name="hf-hub:timm/resnet18.a1_in1k"), "no model 'hf-hub:"),
        (lambda d: d["encoder"].update(name="local-dir:/tmp"), "no model 'local-dir:"),
        (lambda d: d["encoder"].update(name="vit_tiny_patch16_224"), "16, 16, 16"),
        (lambda d: d["encoder"].update(name=7), "encoder.name=7: must be text"),
        (lambda d: d["encoder"].update(weights="auto"), "encoder.weights does not exist"),
        (lambda d: d["encoder"].update(in_channels=10**9), "less than or equal to 1024"),
        (lambda d: d["encoder"].update(in_channels=4), "one number for each input channel"),
        (lambda d: d["encoder"].update(mean=[0.0, 0.0, float("nan")]), r"encoder.mean\[2\]=nan"),
        (
            lambda d: d["encoder"].update(std=[1.0, 0.0, 1.0]),
            r"encoder.std\[1\]=0.0: must be greater than 0",
        ),
        (lambda d: d["encoder"].update(pretrained=1), "must be true or false"),
        (
            lambda d: d["decoder"].update(channels=[10**9] * 5),
            r"decoder.channels\[0\]=1000000000: must be less",
        ),
        (lambda d: d["decoder"].update(evil=1), "decoder.evil does not exist"),
        (lambda d: d["decoder"].update({1: 1}), "Keys should be strings"),
        (lambda d: d.update(decoder=[]), r"decoder=\[\]: must be a mapping"),
        (lambda d: d["classes"].update(names=["A"] * 11), "names repeat"),
        (lambda d: d["classes"].update(names=list(map(str, range(300)))), "at most 254 items"),
        (lambda d: d["classes"].update(colors=5), "classes.colors=5: must be a list"),
        (lambda d: d["classes"].update(void=3), "classes.void does not exist"),
        (
            lambda d: d["classes"]["colors"].__setitem__(0, [0, 0, 256]),
            r"colors\[0\]\[2\]=256: must be less",
        ),
        (lambda d: d.update(size=[0, 5]), r"size\[0\]=0: must be greater"),
        (lambda d: d.update(size="big"), "size='big': must be a list"),
    ],
)
def test_unsound_descriptions_are_refused(change, reason):
    model = unet()
    description = describe_model(model, CLASSES, (96, 128))
    change(description)
    with pytest.raises(ModelError, match=reason):
        restore_model(description, model.state_dict(), "file")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
PLACES = [(key,) for key in ("format", "encoder", "decoder", "classes", "size", "extra")] + [
    (group, key)
    for group, keys in {
        "encoder": ("name", "in_channels", "mean", "std", "source", "pretrained"),
        "decoder": ("channels", "norm", "activation", "upsampling", "attention", "dropout"),
        "classes": ("names", "colors", "void"),
    }.items()
    for key in keys
]


@functools.cache
def shared_unet():
    return unet()


@given(place=st.sampled_from(PLACES), junk=JUNK)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_junk_never_raises_anything_else(place, junk):
    model = shared_unet()
    description = json.loads(json.dumps(describe_model(model, CLASSES, None)))
    target = description
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = junk
    try:
        loaded = restore_model(description, model.state_dict(), "file")
    except ModelError:
        return
    assert isinstance(loaded.classes, ClassTable)
    assert loaded.model.num_classes == len(loaded.classes) == 11


# ---- what cannot be written


def test_a_failed_write_keeps_the_old_model(tmp_path, monkeypatch):
    old = unet()
    save_model(old, tmp_path, CLASSES, None)

    def full(_, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segmentation.models.saving.save_file", full)
    with pytest.raises(ModelError, match=r"can't be written: .*No space left"):
        save_model(unet(1), tmp_path, CLASSES, None)
    monkeypatch.undo()
    assert_same(load_model(tmp_path), old, None)
    assert not list(tmp_path.glob("*.part"))


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="can't be written"):
        save_model(unet(), tmp_path / "file/model", CLASSES, None)
