"""The models that come with the project: what `predict.py` takes by itself."""

import json
import re

import numpy as np
import pytest
from commands import succeed
from PIL import Image

from segmentation.model_files import SHIPPED, shipped
from segmentation.models import load_model
from segmentation.system.redaction import strip_folders

DEFAULT = "camvid_efficientnet_lite0_long"


def test_the_default_is_there():
    assert DEFAULT in shipped()


@pytest.mark.parametrize("name", shipped())
def test_each_is_small_and_has_a_card(name):
    assert (SHIPPED / name / "model.safetensors").stat().st_size < 20e6
    card = (SHIPPED / name / "README.md").read_text()
    assert f"model={name} " in card
    assert "esearch" in card.rpartition("## Licence")[2]
    for path in ("README.md", "config.json"):
        text = (SHIPPED / name / path).read_text().replace("\\", "")  # Markdown's own
        assert strip_folders(text) == text


def test_predict_takes_the_default_when_no_model_is_named(tmp_path):
    photo = np.zeros((90, 120, 3), dtype=np.uint8)
    photo[:40] = (150, 180, 220)  # a sky over a road
    photo[40:] = (90, 90, 95)
    (tmp_path / "in").mkdir()
    Image.fromarray(photo).save(tmp_path / "in" / "a.png")
    result = succeed("predict.py", f"input={tmp_path}/in", f"output={tmp_path}/out")
    assert DEFAULT in result.stdout
    with Image.open(tmp_path / "out" / "a.png") as mask:
        labels = np.asarray(mask)
    names = load_model(DEFAULT).classes.names
    assert labels.shape == (90, 120)
    assert names[np.bincount(labels[:25].ravel()).argmax()] == "Sky"


def test_a_photo_of_a_camera_is_seen_as_large_as_camvids_images(tmp_path):
    photo = np.full((1440, 1920, 3), 128, dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    words = ["predict.py", f"input={tmp_path}/a.png", f"output={tmp_path}/out"]
    said = "1 of 1 images were resized for the model, which was trained on 360x480."
    assert said in succeed(*words).stdout
    with Image.open(tmp_path / "out" / "a.png") as mask:
        assert mask.size == (1920, 1440)
    assert said not in succeed(*words, "short_side=720").stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped())
def test_it_scores_what_its_card_says(name, camvid_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    succeed("evaluate.py", f"run={name}", "data=camvid", f"data.root={camvid_root}", "split=val",
            "trainer=cpu")  # fmt: skip
    found = next((tmp_path / "runs" / name / "evaluation").glob("*/metrics.json"))
    miou = 100 * json.loads(found.read_text())["miou"]
    card = (SHIPPED / name / "README.md").read_text()
    said = float(re.search(r"^\| mean \| ([\d.]+)", card, re.MULTILINE)[1])
    assert abs(miou - said) < 0.3
