"""Runs and models that version 0.1.0 wrote are still evaluated, compared, resumed and loaded.

tests/fixtures/run_0_1_0/README.md says how they were made.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from commands import succeed
from conftest import ROOT

from segmentation.inference.predictor import Predictor
from segmentation.models import load_model
from segmentation.streets import write_streets

BEFORE = ROOT / "tests" / "fixtures" / "run_0_1_0"
CUT = BEFORE / "cut"
FLIPPED = 4
"""Pixels of 12,288 whose class may change where another processor rounds otherwise."""

OF_TRAINING = {
    "encoder_weights",
    "epoch",
    "latency_ms",
    "parameters",
    "score",
    "seconds",
    "val_miou",
}
"""Keys of metrics.json that a training adds to an evaluation's."""


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Draw the images that the runs were trained on, which their configuration describes."""
    root = tmp_path_factory.mktemp("data") / "streets"
    draw = yaml.safe_load((BEFORE / "finished" / "config.yaml").read_text())["data"]["draw"]
    write_streets(root, draw["seed"], tuple(draw["size"]), draw["counts"])
    return root


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return Path(shutil.copytree(BEFORE / "finished", tmp_path_factory.mktemp("runs") / "finished"))


@pytest.fixture(scope="module")
def resumed(tmp_path_factory, streets):
    """Resume the run that was killed in its second epoch of three."""
    directory = Path(shutil.copytree(CUT, tmp_path_factory.mktemp("runs") / "cut"))
    succeed("train.py", f"resume={directory}", f"data.root={streets}")
    return directory


def matrices(directory):
    with np.load(directory / "per_image.npz", allow_pickle=False) as stored:
        return stored["name"].tolist(), stored["confusion"]


def metrics(directory):
    return json.loads((directory / "metrics.json").read_text())


def test_a_finished_run_is_evaluated_with_the_digits_it_had(finished, streets):
    succeed("evaluate.py", f"run={finished}", "split=test", f"data.root={streets}")
    names, confusion = matrices(finished / "evaluation" / "test")
    expected_names, expected = matrices(finished)
    assert names == expected_names
    assert np.abs(confusion - expected).sum() / 2 <= FLIPPED
    assert confusion.sum() == expected.sum()
    again, before = metrics(finished / "evaluation" / "test"), metrics(finished)
    assert before.keys() - again.keys() <= OF_TRAINING
    assert again["weights"] == before["weights"]
    for score in ("miou", "pixel_accuracy", "dice", "frequency_weighted_iou"):
        assert again[score] == pytest.approx(before[score], abs=2e-3)


def test_a_run_that_was_cut_off_goes_on_from_its_checkpoint(resumed):
    last = torch.load(resumed / "checkpoints" / "last.ckpt", weights_only=True)
    before = torch.load(CUT / "checkpoints" / "last.ckpt", weights_only=True)
    assert (before["global_step"], last["global_step"]) == (2, 6)
    assert last["callbacks"].keys() == before["callbacks"].keys()  # none began without its state
    curves, earlier = ([*csv.DictReader((path / "metrics.csv").open())] for path in (resumed, CUT))
    assert len(curves) > len(earlier)
    for row, before_row in zip(curves, earlier, strict=False):  # the rows before the cut stay
        assert row.items() >= before_row.items()
    assert metrics(resumed)["split"] == "test"


def test_runs_are_compared(finished, resumed, tmp_path):
    succeed("compare.py", f"runs=[{finished},{resumed}]", "speed=false", f"output={tmp_path}/out")
    header, *rows = (tmp_path / "out" / "comparison.csv").read_text().splitlines()
    assert "miou" in header.split(",")
    assert len(rows) == 2


@pytest.mark.slow  # W&B starts twice
def test_a_finished_run_is_repeated(finished, streets, tmp_path):
    succeed("train.py", f"rerun={finished}", f"data.root={streets}", "trainer.max_epochs=1",
            f"hydra.run.dir={tmp_path}/again")  # fmt: skip
    source = metrics(tmp_path / "again")["rerun_of"]
    assert source["run"] == str(finished)
    config = yaml.safe_load((tmp_path / "again" / "config.yaml").read_text())
    before = yaml.safe_load((finished / "config.yaml").read_text())
    target = config["logger"]["wandb"].pop("_target_")
    assert target != before["logger"]["wandb"].pop("_target_")  # the class has moved
    assert config["logger"] == before["logger"]
    assert config["encoder"] == before["encoder"]


@pytest.mark.parametrize("path", ["finished/checkpoints/best.ckpt", "cut/checkpoints/last.ckpt"])
def test_a_checkpoint_is_loaded(path):
    loaded = load_model(BEFORE / path)
    assert len(loaded.classes) == 11
    assert loaded.model.encoder.name == "test_efficientnet"


def test_a_published_model_gives_the_logits_it_gave(streets):
    image = (np.arange(3 * 32 * 32) * 37 % 256).astype(np.uint8).reshape(1, 3, 32, 32)
    model = load_model(BEFORE / "published").model.eval()
    with torch.inference_mode():
        logits = model(torch.from_numpy(image))[0].numpy()
    expected = np.load(BEFORE / "published_logits.npz")["logits"]
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    result = Predictor(BEFORE / "published", precision="32-true")(image[0].transpose(1, 2, 0))
    assert (result.mask == expected.argmax(axis=0)).mean() > 0.99
