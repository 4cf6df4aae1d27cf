"""Weights from the hub: from the cache, from a server, and from one that does not answer."""

import logging
import threading

import pytest
import safetensors.torch
import timm
import torch
from fake_hub import COMMIT, closed, serving, silent, use_hub
from small_models import assert_body_holds, tensors
from timm.models import PretrainedCfg

from segmentation.errors import ModelError
from segmentation.models import hub
from segmentation.models.encoder import Encoder

REPO = "timm/test_resnet.r160_in1k"


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    use_hub(monkeypatch, closed(), tmp_path / "hub")


def test_a_silent_hub_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.5")
    with silent() as url:
        use_hub(monkeypatch, url, tmp_path)
        with pytest.raises(hub.HubError, match=r"cannot be reached|did not answer"):
            hub.fetch(timm.get_pretrained_cfg("test_resnet"))


def test_a_look_up_that_hangs_is_given_up(monkeypatch, no_hub):
    """No timeout of a request covers the look-up of an address."""
    release, returned = threading.Event(), threading.Event()

    def hang(*_, **__):
        release.wait()
        returned.set()

    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.1")
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", hang)
    with pytest.raises(hub.HubError, match=r"did not answer within 0.1 s"):
        hub.fetch(timm.get_pretrained_cfg("test_resnet"))
    assert not returned.is_set()
    release.set()


def test_a_hub_that_is_not_there_is_an_error(no_hub):
    with pytest.raises(hub.HubError, match="cannot be reached"):
        hub.fetch(timm.get_pretrained_cfg("test_resnet"))


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
        assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
        cfg = timm.get_pretrained_cfg("test_resnet")
        assert encoder.mean == pytest.approx([255 * mean for mean in cfg.mean])
        assert encoder.std == pytest.approx([255 * std for std in cfg.std])
        assert_body_holds(encoder, state)
    # now from the cache: the server is gone
    assert_body_holds(Encoder("test_resnet", weights="imagenet"), state)
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_a_repository_without_safetensors(monkeypatch, tmp_path):
    state = tensors()
    torch.save(state, tmp_path / "file")
    files = {f"{REPO}/pytorch_model.bin": (tmp_path / "file").read_bytes()}
    with serving(files) as (url, _):
        use_hub(monkeypatch, url, tmp_path)
        assert_body_holds(Encoder("test_resnet", weights="imagenet"), state)


def cached_file(cache):
    """Where `huggingface_hub` keeps the weights of `REPO`."""
    folder = cache / f"models--{REPO.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(COMMIT)
    (folder / f"snapshots/{COMMIT}").mkdir(parents=True)
    return folder / f"snapshots/{COMMIT}/model.safetensors"


def test_a_damaged_file_of_the_hub_is_named(monkeypatch, tmp_path):
    use_hub(monkeypatch, closed(), tmp_path)
    cached_file(tmp_path).write_bytes(b"half a download")
    with pytest.raises(ModelError, match=r"model.safetensors can't be loaded .* Remove it"):
        Encoder("test_resnet", weights="auto")


def test_hub_weights_for_four_channels(monkeypatch, tmp_path):
    state = tensors()
    use_hub(monkeypatch, closed(), tmp_path)
    safetensors.torch.save_file(state, cached_file(tmp_path))
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
        (PretrainedCfg(), "none are published"),
        (PretrainedCfg(url="https://example.org/w.pth"), "they are at https://example.org/w.pth"),
    ],
)
def test_models_without_weights_on_the_hub(cfg, reason):
    with pytest.raises(hub.HubError, match=reason):
        hub.fetch(cfg)
