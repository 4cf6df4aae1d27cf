"""One short run and all that follows from it, through the scripts."""

import json
from unittest import mock

import numpy as np
import pytest
import torch
from commands import run, run_child, succeed
from fakes import CLASSES, LABELS, fake_camvid
from PIL import Image

from segmentation.metrics.counting import confusion_matrix
from segmentation.metrics.scores import scores

QUICK = [
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "data.batch_size=2", "data.workers=0",
    "trainer.log_every_n_steps=1", "logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("camvid")
    return fake_camvid(root, {"train": 6, "val": 5, "test": 7}, size=(48, 64))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "first"
    result = succeed(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "data.size=[32,48]",
        "trainer.max_epochs=3", f"hydra.run.dir={directory}",
    )  # fmt: skip
    return directory, result.stdout + result.stderr


def metrics(directory):
    return json.loads((directory / "metrics.json").read_text())


def matrices(directory):
    with np.load(directory / "per_image.npz", allow_pickle=False) as kept:
        return dict(zip(kept["name"].tolist(), kept["confusion"], strict=True))


def test_the_run_directory_holds_what_a_run_knows(trained):
    directory, _ = trained
    there = {path.name for path in directory.iterdir()}
    assert there >= {
        "config.yaml", "environment.json", "train.log", "metrics.csv", "metrics.json",
        "per_image.npz", "pictures.png", "checkpoints", "model",
    }  # fmt: skip
    assert {path.name for path in (directory / "checkpoints").iterdir()} == {
        "best.ckpt", "last.ckpt", "previous.ckpt",
    }  # fmt: skip
    environment = json.loads((directory / "environment.json").read_text())
    assert environment["encoder_weights"]
    assert torch.__version__.startswith(environment["versions"]["torch"].split("+")[0])
    assert set(environment["data"]) == {"train", "val", "test"}
    header, *rows = (directory / "metrics.csv").read_text().splitlines()
    assert {"train/loss_step", "val/miou", "epoch", "step"} <= set(header.split(","))
    assert len(rows) >= 3


def test_metrics_follow_from_the_matrices_that_are_kept(trained):
    directory, _ = trained
    kept, values = matrices(directory), metrics(directory)
    assert values["split"] == "test"
    assert list(kept) == [f"test_{index:03d}" for index in range(7)]
    result = scores(sum(kept.values()))
    assert values["miou"] == result.miou
    assert values["pixel_accuracy"] == result.pixel_accuracy
    assert list(values["iou"]) == list(CLASSES.names)
    assert all(value is None or 0 <= value <= 1 for value in values["iou"].values())


def test_the_terminal_says_what_trains_what_came_out_and_what_to_type_next(trained):
    directory, printed = trained
    for part in (
        "6 train + 5 val + 7 test", "test_resnet", "random", "parameters", "precision", "Bicyclist",
        "mIoU", "python evaluate.py run=", "python predict.py model=", str(directory.name),
        "epoch 3/3",
    ):  # fmt: skip
        assert part in printed, part


def test_checkpoints_load_safely_and_last_is_the_last(trained):
    directory, _ = trained
    last = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)
    assert (last["epoch"], last["global_step"]) == (2, 9)
    assert last["config"]["data"]["size"] == [32, 48]


@pytest.mark.parametrize("batch_size", [2, 3])
def test_evaluate_gives_the_digits_of_training(trained, batch_size):
    directory, _ = trained
    values = metrics(directory)
    for split, expected in (("test", values["miou"]), ("val", values["val_miou"])):
        printed = succeed(
            "evaluate.py", f"run={directory}", f"split={split}", f"data.batch_size={batch_size}"
        ).stdout
        scored = metrics(directory / "evaluation" / split)
        again = scored["miou"]
        assert scored["weights"] == values["weights"]  # what a comparison tells stale scores by
        # The same batches give the same digits; others may round otherwise.
        assert again == expected if batch_size == 2 else abs(again - expected) < 1e-4
        assert "mIoU" in printed
    if batch_size == 2:
        for name, matrix in matrices(directory).items():
            np.testing.assert_array_equal(matrices(directory / "evaluation" / "test")[name], matrix)


@pytest.mark.slow
def test_two_processes_count_each_image_once(trained):
    directory, _ = trained
    succeed("evaluate.py", f"run={directory}", "split=test", "data.batch_size=2")
    alone = matrices(directory / "evaluation" / "test")
    succeed(
        "evaluate.py",
        f"run={directory}",
        "split=test",
        "data.batch_size=4",
        "trainer=ddp_cpu",
        child=True,
    )
    shared = matrices(directory / "evaluation" / "test")
    assert list(shared) == list(alone)  # seven images on two ranks
    for name, matrix in alone.items():
        np.testing.assert_array_equal(shared[name], matrix)


def test_a_checkpoint_and_a_model_directory_can_be_scored_too(trained, data, tmp_path):
    directory, _ = trained
    expected = metrics(directory)["miou"]
    lone = tmp_path / "mine.ckpt"
    lone.write_bytes((directory / "checkpoints" / "best.ckpt").read_bytes())
    succeed("evaluate.py", f"run={lone}", "split=test")
    assert metrics(tmp_path / "evaluation" / "mine_test")["miou"] == pytest.approx(
        expected, abs=1e-7
    )
    model = tmp_path / "model"
    (directory / "model").rename(model)
    refused = run("evaluate.py", f"run={model}")
    assert refused.returncode == 1
    assert "does not know its data" in refused.stderr
    succeed("evaluate.py", f"run={model}", "data=camvid", f"data.root={data}",
            "data.batch_size=2")  # fmt: skip
    found = metrics(model / "evaluation" / "camvid_test")["miou"]
    model.rename(directory / "model")
    assert found == expected


def test_predict_writes_what_was_scored(trained, data, tmp_path):
    directory, _ = trained
    succeed("predict.py", f"model={directory}", f"input={data / 'test'}", f"output={tmp_path}",
            "overlay=true")  # fmt: skip
    different = total = 0
    for name, matrix in matrices(directory).items():
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.mode == "L"
            predicted = np.array(image)
        truth = LABELS.decode(np.asarray(Image.open(data / "testannot" / f"{name}.png")), name)
        assert predicted.shape == truth.shape == (48, 64)
        again = confusion_matrix(torch.from_numpy(truth), torch.from_numpy(predicted), 11).numpy()
        different += np.abs(again - matrix).sum() / 2
        total += matrix.sum()
        assert Image.open(tmp_path / f"{name}_overlay.png").mode == "RGB"
    # in bfloat16, folded batch norm rounds otherwise, no worse; in float32 labels are the same
    assert different / total < 0.02


@pytest.mark.slow
def test_void_as_a_class_has_twelve_scores(data, tmp_path):
    succeed(
        "train.py", "data=camvid", f"data.root={data}", "data.void=class", *QUICK,
        "data.crop=[32,32]", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    values = metrics(tmp_path / "run")
    assert len(values["iou"]) == 12
    assert "Unlabelled" in values["iou"]
    total = sum(matrix.sum() for matrix in matrices(tmp_path / "run").values())
    assert total == 7 * 48 * 64


@pytest.mark.slow
def test_debug_overfits_one_batch(data, tmp_path):
    succeed(
        "train.py", "experiment=debug", "data=camvid", f"data.root={data}",
        "encoder=resnet18", "encoder.weights=none", "decoder.channels=[32,16,16,8,8]",
        f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    header, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    column = header.split(",").index("train/loss_step")
    losses = [float(value) for row in rows if (value := row.split(",")[column])]
    assert len(losses) == 40
    thirds = [sum(losses[start : start + 10]) for start in (0, 15, 30)]
    assert thirds[2] < 0.8 * thirds[1] < 0.8 * 0.8 * thirds[0]  # and it goes on falling


def test_a_run_that_is_there_is_not_overwritten(trained, data):
    directory, _ = trained
    refused = run(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, f"hydra.run.dir={directory}"
    )
    assert refused.returncode == 1
    assert "already holds a run" in refused.stderr


def test_without_a_test_split_val_is_scored_and_said(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 3})
    result = succeed(
        "train.py", "data=camvid", f"data.root={root}", *QUICK, "trainer.max_epochs=1",
        "callbacks=ema", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    values = metrics(tmp_path / "run")
    assert values["split"] == "val"
    assert values["miou"] == values["val_miou"]
    assert "on val" in result.stdout


@pytest.mark.slow
def test_training_on_two_processes(data, tmp_path):
    succeed(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "trainer=ddp_cpu",
        "trainer.max_epochs=2", "encoder.freeze_epochs=1", f"hydra.run.dir={tmp_path}/run",
        child=True,
    )  # fmt: skip
    assert metrics(tmp_path / "run")["images"] == 7
    refused = run_child(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "trainer=ddp_cpu",
        "data.batch_size=3", f"hydra.run.dir={tmp_path}/odd",
    )  # fmt: skip
    assert refused.returncode == 1
    assert "use a multiple of 2" in refused.stderr


@pytest.mark.slow
def test_accumulation_early_stopping_and_a_limit_of_time(data, tmp_path):
    succeed(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "trainer.accumulate_grad_batches=3",
        "callbacks=[ema,early_stopping]", "callbacks.early_stopping.patience=1",
        "optimizer.lr=1e-9", "trainer.max_epochs=20", f"hydra.run.dir={tmp_path}/early",
    )  # fmt: skip
    last = torch.load(tmp_path / "early" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] < 19  # nothing is learnt at that rate
    assert last["global_step"] == last["epoch"] + 1  # three batches make one step
    succeed(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "trainer.max_epochs=100000",
        "trainer.max_time=00:00:00:03", f"hydra.run.dir={tmp_path}/time",
    )  # fmt: skip
    assert metrics(tmp_path / "time")["epoch"] < 100000


def test_a_run_that_would_never_be_scored_does_not_start(data, tmp_path):
    result = run(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "trainer.max_epochs=1",
        "trainer.check_val_every_n_epoch=5", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert result.returncode == 1
    assert "trainer.max_epochs=1 ends the training before val is scored" in result.stderr


def test_a_nan_loss_stops_the_run(data, tmp_path):
    result = run(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "optimizer=sgd",
        "optimizer.lr=1e30", "trainer.gradient_clip_val=null", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert result.returncode == 1
    assert "is not finite" in result.stderr
    assert "Traceback" not in result.stderr
    for path in tmp_path.glob("run/checkpoints/*.ckpt"):
        weights = torch.load(path, weights_only=True)["state_dict"].values()
        assert all(value.isfinite().all() for value in weights)


def test_a_file_that_breaks_while_training_names_itself(data, tmp_path):
    # The cache says that the file is fine: its size and time have not changed.
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 2})
    arguments = [
        "train.py", "data=camvid", f"data.root={root}", *QUICK, "data.workers=1", "data.cache=off",
    ]  # fmt: skip
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    succeed(*arguments, "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/one", **environment)
    victim = root / "train" / "train_002.png"
    before = victim.stat()
    content = bytearray(victim.read_bytes())
    content[60:] = bytes(len(content) - 60)
    victim.write_bytes(content)
    import os

    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    result = run(*arguments, f"hydra.run.dir={tmp_path}/two", **environment)
    assert result.returncode == 1
    assert "train_002.png cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_fold_is_trained_and_scored_again_on_its_own_val(data, tmp_path):
    succeed(
        "train.py", "data=camvid", f"data.root={data}", *QUICK, "data.folds=3", "data.fold=1",
        "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    succeed("evaluate.py", f"run={tmp_path}/run", "split=val")
    again = tmp_path / "run" / "evaluation" / "val"
    assert metrics(again)["miou"] == metrics(tmp_path / "run")["val_miou"]
    assert len(matrices(again)) in (3, 4)  # of 6 + 5 images
    for wrong, message in (
        (["data.folds=3"], "belong together"),
        (["data.folds=3", "data.fold=3"], "count from 0 to 2"),
        (["data.folds=1", "data.fold=0"], "2 or more"),
    ):
        result = run("train.py", "data=camvid", f"data.root={data}", *QUICK, *wrong,
                     f"hydra.run.dir={tmp_path}/wrong")  # fmt: skip
        assert result.returncode == 1
        assert message in result.stderr


@pytest.mark.slow
def test_deterministic_asks_for_it_and_warns_where_that_cannot_be(data, tmp_path):
    from segmentation.training.module import TrainingModule

    seen = []

    def training_step(self, batch, batch_idx):
        seen.append(torch.is_deterministic_algorithms_warn_only_enabled())
        return original(self, batch, batch_idx)

    original = TrainingModule.training_step
    with mock.patch.object(TrainingModule, "training_step", training_step):
        for chosen in ("true", "false"):
            succeed("train.py", "data=camvid", f"data.root={data}", *QUICK, "trainer.max_epochs=1",
                    f"deterministic={chosen}", f"hydra.run.dir={tmp_path}/{chosen}")  # fmt: skip
    assert seen == [True] * 3 + [False] * 3
