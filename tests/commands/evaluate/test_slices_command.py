"""`evaluate.py slices=...`: through the script, on a model that need not be good."""

import html
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from commands import run, succeed
from fakes import CLASSES, fake_camvid, write_targets
from PIL import Image

from segmentation.build.evaluation import SLICES, wanted_slices
from segmentation.commands.evaluate import slices
from segmentation.data.augment.corruptions import CORRUPTIONS
from segmentation.errors import ConfigError, DataError
from segmentation.evaluation.slices.scores import COLUMNS
from segmentation.metrics.scores import scores
from segmentation.models import Encoder, UNet, save_model
from segmentation.runs.per_image_file import read_scored


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 1, "val": 24}, size=(32, 32))
    return write_targets(root)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    unet = UNet(Encoder("test_resnet", 3, weights="none"), 11, channels=(16, 16, 8, 8, 8)).eval()
    directory = tmp_path_factory.mktemp("runs") / "model"
    save_model(unet, directory, CLASSES, None)
    return directory


def arguments(model, data, slices):
    return (
        "evaluate.py", f"run={model}", "data=camvid", f"data.root={data}", f"slices={slices}",
        "trainer=cpu", "data.workers=0",
    )  # fmt: skip


def scoring(model) -> Path:
    (found,) = (model / "evaluation").iterdir()
    return found


def test_slices_of_the_data(model, data):
    printed = succeed(
        *arguments(model, data, "[targets,brightness,presence,size]"), COLUMNS="120"
    ).stdout
    directory = scoring(model)
    table = pd.read_csv(directory / "slices.csv")
    assert list(table.columns) == list(COLUMNS)
    assert {"targets.scene", "targets.brightness", "brightness", "presence", "size"} <= {
        *table["slice"]
    }
    luma = table[table["slice"] == "brightness"]
    assert luma["images"].sum() == 24
    # The darkest quartile again, from the files.
    scored = read_scored(directory)
    files = [data / "val" / f"{name}.png" for name in scored.names]
    means = np.array([np.asarray(Image.open(path).convert("L")).mean() for path in files])
    dark = scored.confusion[means <= np.quantile(means, 0.25)]
    lows = luma["value"].str.split("-").str[0].astype(float)
    darkest = luma.loc[lows.idxmin()]
    held = dark.sum(axis=(0, 2)) > 0
    assert lows.min() == pytest.approx(means.min(), abs=1)
    assert darkest["images"] == len(dark)
    assert darkest["miou"] == pytest.approx(scores(dark.sum(axis=0)).iou[held].mean())
    assert (table["low"] <= table["miou"] + 1e-12).all()
    kept = json.loads((directory / "metrics.json").read_text())["slices"]
    assert "bootstrap resamples of 24 images" in kept["resampling"]
    assert "robustness" not in kept
    for words in ("brightness", "to the other images", "not distinguishable", "(Holm)"):
        assert words in printed


def test_an_evaluation_replaces_the_slices_of_the_one_before(model, data):
    succeed(*arguments(model, data, "brightness"))
    printed = succeed(*arguments(model, data, "presence")).stdout
    assert set(pd.read_csv(scoring(model) / "slices.csv")["slice"]) == {"presence"}
    assert "in place of an earlier evaluation: report.html" in printed
    printed = succeed(*arguments(model, data, "null")).stdout
    assert "in place of an earlier evaluation and its slices" in printed
    assert not (scoring(model) / "slices.csv").exists()
    assert "slices" not in json.loads((scoring(model) / "metrics.json").read_text())


def test_what_is_warned_of_slices_is_kept_and_a_crash_leaves_a_scoring(model, data, monkeypatch):
    monkeypatch.setattr(slices, "find_slices", lambda *_, **__: ([], ["alike."]))
    printed = succeed(*arguments(model, data, "brightness")).stdout
    (said,) = [
        text for text in json.loads((scoring(model) / "metrics.json").read_text())["warnings"]
        if "nothing divides" in text
    ]  # fmt: skip
    assert f"warning: {said}"[:60] in printed
    assert said in html.unescape((scoring(model) / "report.html").read_text())
    before = (scoring(model) / "report.html").stat().st_mtime_ns

    def fail(*_, **__):
        raise DataError("no slices today")

    monkeypatch.setattr(slices, "find_slices", fail)
    result = run(*arguments(model, data, "brightness"))
    assert "no slices today" in result.stderr
    assert (scoring(model) / "report.html").stat().st_mtime_ns > before
    assert "slices" not in json.loads((scoring(model) / "metrics.json").read_text())
    assert not list(scoring(model).glob("*.lock"))


@pytest.mark.slow
def test_all_with_corruptions(model, data):
    printed = succeed(*arguments(model, data, "all"), COLUMNS="120").stdout
    table = pd.read_csv(scoring(model) / "slices.csv")
    corrupted = table[table["slice"] == "corruptions"]
    assert corrupted["value"].tolist() == [*map(str, CORRUPTIONS), "mean of all"]
    assert (corrupted["images"] == 24).all()
    kept = json.loads((scoring(model) / "metrics.json").read_text())
    robustness = kept["slices"]["robustness"]
    assert robustness["clean"] == pytest.approx(
        corrupted["miou"].iloc[0] - corrupted["difference"].iloc[0]
    )
    assert robustness["relative"] == pytest.approx(robustness["mean"] / robustness["clean"])
    for words in ("x 24 images = 576 more images", "severity 5", "Over all corruptions"):
        assert words in printed
    succeed(*arguments(model, data, "[corruptions]"), "data.batch_size=5")
    second = pd.read_csv(scoring(model) / "slices.csv")
    np.testing.assert_allclose(second["miou"], corrupted["miou"], atol=1e-4)


@pytest.mark.slow
def test_several_processes_score_corruptions_together(model, data):
    succeed(*arguments(model, data, "[brightness,corruptions]"))
    alone = pd.read_csv(scoring(model) / "slices.csv")
    succeed(
        *arguments(model, data, "[brightness,corruptions]")[:-2], "data.workers=0",
        "trainer=ddp_cpu", "trainer.devices=2", child=True,
    )  # fmt: skip
    together = pd.read_csv(scoring(model) / "slices.csv")
    assert together["value"].tolist() == alone["value"].tolist()
    for column in ("images", "miou", "difference"):
        np.testing.assert_allclose(together[column], alone[column], atol=1e-4)


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ("[brightnes]", "Did you mean 'brightness'"),
        ("[]", r"expected a list"),
        ("3", r"expected a list"),
    ],
)
def test_what_is_unknown_is_refused_at_once(model, data, slices, message):
    result = run(*arguments("no/such/model", data, slices))
    assert result.returncode == 1
    assert message in result.stdout + result.stderr


def test_targets_that_are_not_there(model, tmp_path):
    bare = fake_camvid(tmp_path, {"train": 1, "val": 6}, size=(32, 32))
    result = run(*arguments(model, bare, "[targets]"))
    assert result.returncode == 1
    assert "slices=[targets] needs a targets.csv" in result.stdout + result.stderr


def test_names_and_all():
    assert wanted_slices("all") == SLICES
    assert wanted_slices(["size", "targets"]) == ("targets", "size")
    assert wanted_slices(None) == ()
    with pytest.raises(ConfigError, match=r"there is no 'sizes'\. Did you mean 'size'"):
        wanted_slices("sizes")
