"""Models go to the Hugging Face hub and come from there, here to an imitation of its HTTP API."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_hub import FakeHub, closed, hub_api, use_hub
from safetensors.torch import load_file

from segmentation.classes import ClassTable
from segmentation.errors import ConfigError, ModelError
from segmentation.inference.opening import find_model
from segmentation.inference.predictor import Predictor
from segmentation.models import build_model, load_model, save_model
from segmentation.models.saving import LEARNT_SIZE

CLASSES = ClassTable(("a", "b", "c"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("model")
    model = build_model({"name": "test_resnet", "weights": "none"}, {"channels": [8] * 5}, 3)
    save_model(model.eval(), directory, CLASSES, None, {LEARNT_SIZE: [40, 56]}, half=True)
    return directory


@pytest.fixture
def hub(monkeypatch, tmp_path):
    hub = FakeHub()
    with hub_api(hub) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        monkeypatch.chdir(tmp_path)
        yield hub


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_pushed_model_comes_back(hub, directory, tmp_path):
    predictor = Predictor(directory)
    address = predictor.push_to_hub("me/streets")
    assert address == f"{hub.url}/me/streets/commit/{1:040x}"
    assert hub.models["me/streets"] == [content(directory)]
    for again in (Predictor.from_pretrained("me/streets"), Predictor("me/streets")):
        np.testing.assert_array_equal(again(IMAGE).mask, predictor(IMAGE).mask)
        assert again.weights == predictor.weights
        assert again.learnt_size == (40, 56)
    again.save_pretrained(tmp_path / "copy")
    assert content(tmp_path / "copy") == content(directory)


def test_nothing_is_read_of_the_hub_but_json_and_safetensors(hub, directory):
    files = content(directory) | {"pytorch_model.bin": b"x", "evil.py": b"y", "README.md": b"z"}
    hub.models["me/streets"] = [files]
    Predictor.from_pretrained("me/streets")
    fetched = {line.rpartition("/")[2] for line in hub.asked if "/resolve/" in line}
    assert fetched == {"config.json", "model.safetensors"}


def test_a_revision_is_what_was_asked_for(hub, directory, tmp_path):
    other = tmp_path / "other"
    save_model(load_model(directory).model, other, CLASSES, None, {LEARNT_SIZE: [80, 90]})
    hub.models["me/streets"] = [content(directory), content(other)]
    first = Predictor.from_pretrained("me/streets", revision=f"{1:040x}", short_side=None)
    assert first.learnt_size == (40, 56)
    assert Predictor.from_pretrained("me/streets").learnt_size == (80, 90)
    with pytest.raises(ModelError, match=r"me/streets at v2: .*RevisionNotFound"):
        Predictor.from_pretrained("me/streets", revision="v2")


def test_a_fetched_model_needs_no_network_again(hub, directory, monkeypatch, tmp_path):
    hub.models["me/streets"] = [content(directory)]
    Predictor("me/streets")
    use_hub(monkeypatch, closed(), tmp_path / "cache")
    assert Predictor("me/streets").classes == CLASSES


def test_what_the_hub_does_not_have_is_named(hub, monkeypatch, tmp_path):
    with pytest.raises(ModelError, match=r"me/none: no such file or directory here.*RepositoryNot"):
        Predictor("me/none")
    hub.models["me/other"] = [{"pytorch_model.bin": b"x"}]
    with pytest.raises(ModelError, match=r"no config\.json and no model\.safetensors there"):
        Predictor("me/other")
    use_hub(monkeypatch, closed(), tmp_path / "none")
    with pytest.raises(ModelError, match="me/none: no such file or directory here, and the Hugg"):
        Predictor("me/none")


def test_a_path_is_never_looked_for_on_the_hub(hub, tmp_path):
    (tmp_path / "runs").mkdir()
    for path in ("runs/absent", "./me/none", "a/b/c", str(tmp_path / "x"), "name"):
        assert find_model(path) == Path(path)
        with pytest.raises(ModelError, match="no such file or directory"):
            Predictor(path)
    assert hub.asked == []


def test_a_newer_format_is_refused_clearly(hub, directory):
    files = content(directory)
    newer = json.loads(files["config.json"]) | {"format": 3, "more": 1}
    hub.models["me/newer"] = [files | {"config.json": json.dumps(newer).encode()}]
    with pytest.raises(
        ModelError, match=r"format 3, and this version reads up to 2: .*newer one\. Type pip"
    ):
        Predictor.from_pretrained("me/newer")


def test_a_model_is_saved_as_it_was_trained(directory, tmp_path):
    loaded = load_model(directory)
    run = tmp_path / "run" / "model"
    save_model(loaded.model, run, CLASSES, None, loaded.info["extra"])
    predictor = Predictor(run.parent)  # a run
    predictor.save_pretrained(tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    expected = loaded.model.state_dict()
    assert set(saved) == set(expected)
    assert all(torch.equal(saved[key], expected[key]) for key in expected)
    assert any("running_mean" in key for key in saved)
    again = Predictor.from_pretrained(tmp_path / "saved")
    assert (again.weights, again.learnt_size) == (predictor.weights, (40, 56))
    predictor.save_pretrained(tmp_path / "saved")  # its own, which may be replaced


def test_a_model_of_somebody_else_is_not_replaced(directory, tmp_path):
    predictor = Predictor(directory)
    theirs = {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"weights"}
    for name, bytes_ in theirs.items():
        (tmp_path / name).write_bytes(bytes_)
    with pytest.raises(ConfigError, match="holds a model that is not of this project"):
        predictor.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="is a file: give a directory"):
        predictor.save_pretrained(tmp_path / "config.json")
    assert content(tmp_path) == theirs


def test_a_card_goes_along_and_a_missing_one_is_told(hub, directory, tmp_path, caplog):
    Predictor(directory).push_to_hub("me/bare")
    assert "has no card" in caplog.text
    caplog.clear()
    published = tmp_path / "published"
    Predictor(directory).save_pretrained(published)
    (published / "README.md").write_text("---\nlibrary_name: cityseg\n---\n# A model\n")
    Predictor(published).push_to_hub("me/streets", private=True, commit_message="First")
    assert hub.models["me/streets"] == [content(published)]
    assert "card" not in caplog.text


def test_a_refusal_of_the_hub_is_told(monkeypatch, directory, tmp_path):
    use_hub(monkeypatch, closed(), tmp_path)
    with pytest.raises(ModelError, match=r"me/streets: .*does not take the model.*hf auth login"):
        Predictor(directory).push_to_hub("me/streets")
