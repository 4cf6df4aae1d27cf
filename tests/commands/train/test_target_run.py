"""Image-level targets through the commands: trained, scored, kept and predicted."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run, succeed
from fakes import fake_camvid, write_targets
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, f1_score, root_mean_squared_error

from segmentation.errors import ModelError
from segmentation.inference.predictor import Predictor

TINY = [
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "augment=none", "data.batch_size=2", "data.workers=0",
    "trainer=cpu", "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "logger=none",
]  # fmt: skip
BOTH = ["task.targets.category=scene", "task.targets.values=[brightness,index]"]
ALONE = ["task.segmentation=false", "task.targets.values=[brightness]"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("camvid")
    return write_targets(fake_camvid(root, {"train": 8, "val": 5, "test": 7}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Let runs share a cache, unlike tests do by default."""
    return {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def train(data, directory, *arguments, cache, **options):
    return succeed(
        "train.py", "data=camvid", f"data.root={data}", *TINY, f"hydra.run.dir={directory}",
        *arguments, **cache, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(data, cache, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "both"
    result = train(data, directory, *BOTH, "task.weighting=uncertainty", cache=cache)
    return directory, result.stdout + result.stderr


@pytest.fixture(scope="module")
def alone(data, cache, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "alone"
    arguments = ["task.targets.values_loss=ccc", "callbacks=early_stopping"]
    result = train(data, directory, *ALONE, *arguments, cache=cache)
    return directory, result.stdout + result.stderr


def metrics(directory):
    return json.loads((directory / "metrics.json").read_text())


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names(directory):
    return {path.name for path in directory.iterdir()}


# ---- besides the segmentation


def test_the_run_directory_has_both(trained):
    directory, printed = trained
    assert names(directory) >= {"per_image.npz", "pictures.png", "target_predictions.csv"}
    values = metrics(directory)
    assert values["miou"] >= 0
    assert values["val_miou"] >= 0
    assert set(values["targets"]) == {"category", "values", "ccc"}
    header = (directory / "metrics.csv").read_text().splitlines()[0].split(",")
    assert set(header) >= {
        "train/segmentation", "train/category", "train/values", "train/weight_category",
        "val/miou", "val/macro_f1", "val/accuracy", "val/ccc", "val/rmse_brightness",
        "best/test_macro_f1", "best/test_ccc_index", "best/test_miou", "best/val_miou",
    }  # fmt: skip
    again = "task.targets.category=scene 'task.targets.values=[brightness,index]'"
    for part in ("scene (bright, dark); brightness, index", "macro F1", "Pearson", "mIoU", again):
        assert part in printed, part


def test_every_figure_follows_from_the_predictions_that_are_kept(trained, data):
    directory, _ = trained
    kept, found = rows(directory / "target_predictions.csv"), metrics(directory)["targets"]
    truth = {row["image"]: row for row in rows(data / "targets.csv")}
    assert [row["image"] for row in kept] == [f"test_{k:03d}" for k in range(7)]
    for row in kept:
        assert row["scene"] == truth[f"test/{row['image']}.png"]["scene"]
    said = [(row["scene"], row["scene_predicted"]) for row in kept if row["scene"]]
    assert found["category"]["images"] == len(said) < 7
    assert found["category"]["accuracy"] == pytest.approx(accuracy_score(*zip(*said, strict=True)))
    expected = f1_score(*zip(*said, strict=True), average="macro", zero_division=0)
    assert found["category"]["macro_f1"] == pytest.approx(expected)
    for column in ("brightness", "index"):
        pairs = np.array(
            [(row[column], row[f"{column}_predicted"]) for row in kept if row[column]], np.float32
        ).astype(float)
        one = found["values"][column]
        assert one["images"] == len(pairs)
        assert one["rmse"] == pytest.approx(root_mean_squared_error(*pairs.T))
        assert one["pearson"] == pytest.approx(pearsonr(*pairs.T).statistic, abs=1e-6)
        covariance = np.cov(pairs.T)
        shift = (pairs[:, 0] - pairs[:, 1]).mean()
        assert one["ccc"] == pytest.approx(
            2 * covariance[0, 1] / (np.trace(covariance) + shift**2), abs=1e-6
        )


@pytest.mark.parametrize("which", ["trained", "alone"])
def test_evaluate_gives_the_digits_of_training(which, cache, request):
    directory, _ = request.getfixturevalue(which)
    values = metrics(directory)
    printed = succeed("evaluate.py", f"run={directory}", **cache).stdout
    again = metrics(directory / "evaluation" / "test")
    assert again["targets"] == values["targets"]
    assert again.get("miou") == values.get("miou")
    kept = (directory / "evaluation" / "test" / "target_predictions.csv").read_text()
    assert kept == (directory / "target_predictions.csv").read_text()
    assert "brightness" in printed
    succeed("evaluate.py", f"run={directory}", "split=val", **cache)
    val = metrics(directory / "evaluation" / "val")
    if which == "trained":
        assert val["miou"] == values["val_miou"]
    else:
        assert val["targets"]["ccc"] == values["val_ccc"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["trained", "alone"])
def test_two_processes_count_each_image_once(which, cache, request):
    directory, _ = request.getfixturevalue(which)
    succeed(
        "evaluate.py", f"run={directory}", "data.batch_size=4", "trainer=ddp_cpu", child=True,
        **cache,
    )  # fmt: skip
    shared = rows(directory / "evaluation" / "test" / "target_predictions.csv")
    kept = rows(directory / "target_predictions.csv")
    assert [row["image"] for row in shared] == [row["image"] for row in kept]
    for one, other in zip(shared, kept, strict=True):
        assert float(one["brightness_predicted"]) == pytest.approx(
            float(other["brightness_predicted"]), rel=1e-4
        )
    assert metrics(directory / "evaluation" / "test")["targets"]["values"]["brightness"][
        "images"
    ] == sum(bool(row["brightness"]) for row in kept)


def test_predict_writes_masks_and_targets(trained, data, tmp_path):
    directory, _ = trained
    result = succeed("predict.py", f"model={directory}", f"input={data / 'test'}",
                     f"output={tmp_path}", "overlay=true")  # fmt: skip
    assert "7 masks and target_predictions.csv written" in result.stdout
    assert len(list(tmp_path.glob("*_overlay.png"))) == 7
    said, kept = rows(tmp_path / "target_predictions.csv"), rows(
        directory / "target_predictions.csv"
    )  # fmt: skip
    assert list(said[0]) == ["image", "scene", "scene_probability", "brightness", "index"]
    for one, other in zip(said, kept, strict=True):
        assert one["image"] == f"{other['image']}.png"
        assert float(one["brightness"]) == pytest.approx(
            float(other["brightness_predicted"]), abs=0.5
        )


def test_data_without_targets_are_still_segmented_and_it_is_said(trained, data, tmp_path, cache):
    directory, _ = trained
    other = fake_camvid(tmp_path / "other", {"test": 3}, seed=5)
    result = succeed("evaluate.py", f"run={directory}", f"data.root={other}", **cache)
    # beside that of the training's own data, where that has been scored
    scoring = Path(re.search(r"written to (.*?)(?: in place.*)?: report", result.stdout)[1])
    values = metrics(scoring)
    assert "the image-level targets are not scored" in result.stdout
    assert any("are not scored" in text for text in values["warnings"])
    assert values["targets"]["category"]["accuracy"] is None
    assert values["targets"]["ccc"] is None
    assert values["miou"] is not None
    assert rows(scoring / "target_predictions.csv")[0]["brightness"] == ""
    lines = ["image,scene,brightness,index", "test_000,dark,3,0", "test_001,bright,9,1"]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    result = succeed(
        "evaluate.py", f"run={directory}", f"data.root={other}", f"targets={tmp_path}/mine.csv",
        **cache,
    )  # fmt: skip
    assert metrics(scoring)["targets"]["category"]["images"] == 0  # other truth, another scoring
    again = Path(re.search(r"written to (.*?)(?: in place.*)?: report", result.stdout)[1])
    assert again != scoring
    assert metrics(again)["targets"]["category"]["images"] == 2


# ---- without segmentation


def test_targets_alone_have_no_masks(alone):
    directory, printed = alone
    assert names(directory) & {"per_image.npz", "pictures.png"} == set()
    values = metrics(directory)
    assert set(values["targets"]) == {"values", "ccc"}
    assert "miou" not in values
    assert "val_ccc" in values
    assert "val CCC" in printed
    assert "nothing is segmented" in printed
    assert "task.segmentation=false 'task.targets.values=[brightness]'" in printed
    best = torch.load(directory / "checkpoints" / "best.ckpt", weights_only=True)
    assert set(best["scores"]) == {"targets"}
    assert best["model"]["decoder"] is None
    assert not [key for key in best["state_dict"] if "decoder" in key]


def test_predict_without_masks(alone, data, tmp_path):
    directory, _ = alone
    arguments = [f"model={directory / 'model'}", f"input={data / 'val'}", f"output={tmp_path}"]
    result = succeed("predict.py", *arguments)
    assert names(tmp_path) == {"target_predictions.csv"}
    assert "masks and" not in result.stdout
    refused = run("predict.py", *arguments, "overlay=true")
    assert refused.returncode == 1
    assert "image-level targets alone. Omit overlay=true" in refused.stderr
    with pytest.raises(ModelError, match="does not segment"):
        Predictor(directory)(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "mask.png")


def test_targets_alone_need_targets_to_be_scored(alone, tmp_path, cache):
    directory, _ = alone
    other = fake_camvid(tmp_path, {"test": 3})
    result = run("evaluate.py", f"run={directory}", f"data.root={other}", **cache)
    assert result.returncode == 1
    assert "no targets.csv in" in result.stderr


def test_a_category_alone_is_monitored_by_macro_f1(data, tmp_path, cache):
    train(
        data, tmp_path / "run", "task.segmentation=false", "task.targets.category=scene",
        "callbacks=ema", cache=cache,
    )  # fmt: skip
    values = metrics(tmp_path / "run")
    succeed("evaluate.py", f"run={tmp_path}/run", "split=val", **cache)
    again = metrics(tmp_path / "run" / "evaluation" / "val")["targets"]
    assert values["val_macro_f1"] == again["category"]["macro_f1"]  # of the averaged weights


def test_without_targets_nothing_of_them_is_kept(data, tmp_path, cache):
    train(data, tmp_path / "run", "trainer.max_epochs=1", cache=cache)
    assert "target_predictions.csv" not in names(tmp_path / "run")
    assert "targets" not in metrics(tmp_path / "run")
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["model"]["targets"] is None


# ---- what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task.segmentation=false"], "task.segmentation=false leaves nothing to learn"),
        (["task.segmentation=maybe"], "task.segmentation='maybe': expected true or false"),
        (["task.targets.category=scenes"], "no column 'scenes'. Did you mean 'scene'?"),
        (["task.targets.category=[scene]"], "expected the name of one column"),
        (["task.targets.values=brightness"], "task.targets.values=[arousal,valence]"),
        (["task.targets.values=[scene]"], "in the column 'scene' is no number"),
        (["task.targets.values=[index,index]"], "target columns repeat"),
        (["task.targets.category=image"], "the column 'image' says which image is meant"),
        ([*BOTH, "task.targets.file=nowhere.csv"], "nowhere.csv cannot be read"),
        ([*BOTH, "task.targets.values_loss=mae"], "values_loss='mae' is unknown"),
        ([*BOTH, "task.targets.dropout=1"], "dropout of the targets is 1"),
        ([*BOTH, "task.weighting=fxied"], "task.weighting='fxied' is unknown"),
        ([*BOTH, "task.weights.values=-1"], "task.weights.values is -1"),
        ([*BOTH, "augment.mix=cutmix"], "augment.mix=cutmix cannot be used with task.targets"),
        (["task.targets.colour=x"], "no option 'task.targets.colour'"),
    ],
    ids=lambda value: " ".join(value[-1:]) if isinstance(value, list) else "",
)
def test_a_users_mistake_gets_a_message_and_no_trace(data, tmp_path, cache, arguments, message):
    result = run(
        "train.py", "data=camvid", f"data.root={data}", *TINY, *arguments,
        f"hydra.run.dir={tmp_path}/run", **cache,
    )  # fmt: skip
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


@pytest.mark.slow
def test_a_val_split_that_cannot_tell_the_best_weights(data, tmp_path, cache):
    lines = (data / "targets.csv").read_text().splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join(line for line in lines if not line.startswith("val/")))
    for targets, what in ((BOTH[:1], "'scene'"), (ALONE[1:], "two different numbers")):
        result = run(
            "train.py", "data=camvid", f"data.root={data}", *TINY, "task.segmentation=false",
            f"task.targets.file={mine}", *targets, f"hydra.run.dir={tmp_path}/run", **cache,
        )  # fmt: skip
        assert result.returncode == 1
        assert "the val split has nothing in" in result.stderr
        assert what in result.stderr
    train(
        data, tmp_path / "run", f"task.targets.file={mine}", *BOTH, "trainer.max_epochs=1",
        cache=cache,
    )  # fmt: skip
    said = metrics(tmp_path / "run")["warnings"]
    assert "no image of the val split has scene or brightness or index." in said


@pytest.mark.slow
def test_training_on_two_processes(data, cache, tmp_path):
    train(
        data, tmp_path / "run", *BOTH, "task.weighting=uncertainty", "trainer=ddp_cpu",
        "encoder.freeze_epochs=1", cache=cache, child=True,
    )  # fmt: skip
    found = metrics(tmp_path / "run")
    assert found["images"] == 7
    assert found["targets"]["category"]["images"] == 5


@pytest.mark.slow
def test_one_batch_can_be_overfitted(data, cache, tmp_path):
    """Its val is one batch of two images, which may have nothing that can be scored."""
    succeed(
        "train.py", "experiment=debug", "data=camvid", f"data.root={data}", *TINY[:5], *ALONE,
        "trainer=cpu", "trainer.max_epochs=12", "trainer.overfit_batches=1", "data.batch_size=2",
        "trainer.log_every_n_steps=1", f"hydra.run.dir={tmp_path}/run", **cache,
    )  # fmt: skip
    header, *lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    column = header.split(",").index("train/loss_step")
    losses = [float(value) for line in lines if (value := line.split(",")[column])]
    assert losses[-1] < 0.5 * losses[0]
