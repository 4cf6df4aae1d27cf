"""What an offline W&B run holds, read back from its file."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import wandb
from conftest import ROOT
from PIL import Image
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from segmentation.classes import VOID, ClassTable
from segmentation.loggers import wandb_logger, wandb_media
from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.loggers.wandb_media import WandbMedia
from segmentation.loggers.wandb_tables import class_table, confusion_plot, masked_image
from segmentation.pictures import Example
from segmentation.training.scoring import ScoringModule

CLASSES = ClassTable(("road", "sky", "tram"), ((128, 64, 128), (70, 130, 180), (0, 80, 100)))

CONFIG = {"encoder": {"name": "tiny", "weights": None}, "seed": 3}


class Streets(Dataset[dict[str, Any]]):
    """Random images; masks have twice their size and hold void, road and sky, never a tram."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        mask = rng.integers(0, 2, (16, 24)).astype(np.uint8)
        mask[:2] = VOID
        image = rng.integers(0, 256, (3, 8, 12)).astype(np.uint8)
        return {
            "image": torch.from_numpy(image),
            "mask": torch.from_numpy(mask),
            "name": f"street_{index}",
            "index": index,
        }


class TinyModel(nn.Module):
    """One convolution that never predicts a tram."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        nn.init.constant_(self.conv.bias, -100.0)
        with torch.no_grad():
            self.conv.bias[:2] = 0

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 3, H, W)."""
        return self.conv(images.float() / 255)


class TinyModule(ScoringModule):
    """Trains the model and logs curves, as the real module does."""

    def __init__(self) -> None:
        super().__init__(TinyModel(), CLASSES)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Log the loss."""
        logits = F.interpolate(
            self(batch["image"]).logits, batch["mask"].shape[-2:], mode="bilinear"
        )
        loss = F.cross_entropy(logits, batch["mask"].long(), ignore_index=VOID)
        self.log("train/loss", loss, batch_size=len(batch["name"]))
        return loss

    def on_validation_epoch_end(self) -> None:
        """Log the score."""
        super().on_validation_epoch_end()
        self.log("val/miou", self.scores.miou)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Move slowly."""
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(folder: Path, module: TinyModule, *chosen: WandbLogger, epochs: int = 1) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        log_every_n_steps=1,
        logger=list(chosen),
        callbacks=[
            WandbMedia(count=2),
            *([LearningRateMonitor("step")] if chosen else []),
            ModelCheckpoint(folder, filename="best", monitor="val/miou", mode="max"),
            ModelCheckpoint(folder, filename="last"),
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(Streets(), batch_size=3), DataLoader(Streets(), batch_size=3))
    return trainer


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep W&B offline and away from the home directory."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("WANDB_", "XDG_")):
            del os.environ[name]
    os.environ |= {"HOME": str(tmp_path_factory.mktemp("home")), "WANDB_MODE": "offline"}
    wandb.teardown()  # settings are read once
    yield
    wandb.teardown()
    os.environ.clear()
    os.environ.update(before)


@dataclass
class Kept:
    """What is on disk after a run of five epochs, two steps each."""

    folder: Path
    module: TinyModule
    records: list[dict]

    @property
    def history(self) -> list[dict]:
        """Each point of each curve, flat."""
        return [record["history"]["item"] for record in self.records if "history" in record]

    def logged(self, key: str) -> list:
        """The values of one curve."""
        return [item[key] for item in self.history if key in item]

    def table(self, key: str) -> dict:
        """The table logged last under this key."""
        (path,) = self.logged(f"{key}.path")
        return json.loads((self.folder / "files" / path).read_text())

    def masks(self, kind: str, turn: int) -> list[np.ndarray]:
        """The masks of one kind over all images of one turn."""
        entries = self.logged("val/masks.all_masks")[turn]
        return [np.array(Image.open(self.folder / "files" / e[kind]["path"])) for e in entries]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    logger, module = WandbLogger(run, group="tests"), TinyModule()
    logger.log_hyperparams(CONFIG)
    fit(run / "checkpoints", module, logger, epochs=5)
    logger.finish()
    (folder,) = (run / "wandb").glob("offline-run-*")
    wandb_command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    lines = subprocess.run(wandb_command, capture_output=True, text=True, check=True).stdout
    return Kept(folder, module, [json.loads(line) for line in lines.splitlines()])


def final_confusion(module: TinyModule) -> np.ndarray:
    """Count with NumPy what the trained model gets right over the whole split."""
    counts = np.zeros((3, 3), dtype=np.int64)
    for index in range(5):
        sample = Streets()[index]
        truth = sample["mask"].numpy()
        with torch.no_grad():
            logits = module.model(sample["image"][None])
        large = F.interpolate(logits, truth.shape, mode="bilinear")
        np.add.at(counts, (truth[truth != VOID], large[0].argmax(0).numpy()[truth != VOID]), 1)
    return counts


def test_curves_and_learning_rate(kept: Kept) -> None:
    assert len(kept.logged("train/loss")) == 10
    assert len(kept.logged("val/miou")) == 5
    assert kept.logged("lr-SGD") == [0.01] * 10
    final = [item for item in kept.history if "val/miou" in item or "iou/road" in item][-2:]
    assert final[0]["trainer/global_step"] == final[1]["trainer/global_step"] == 9


def test_each_class_has_a_curve_of_its_iou(kept: Kept) -> None:
    confusion = final_confusion(kept.module)
    for index, name in enumerate(("road", "sky")):
        right = confusion[index, index]
        union = confusion[index].sum() + confusion[:, index].sum() - right
        assert len(kept.logged(f"iou/{name}")) == 5
        assert kept.logged(f"iou/{name}")[-1] == pytest.approx(right / union)
    assert kept.logged("iou/tram") == []  # it does not occur


def test_the_table_of_classes_has_a_row_for_each_class(kept: Kept) -> None:
    table = kept.table("val/classes")
    assert table["columns"] == ["class", "share of pixels", "IoU", "accuracy"]
    road, sky, tram = table["data"]
    confusion = final_confusion(kept.module)
    assert road[0] == "road"
    assert road[1] + sky[1] == pytest.approx(1)
    assert road[2] == pytest.approx(kept.logged("iou/road")[-1])
    assert road[3] == pytest.approx(confusion[0, 0] / confusion[0].sum())
    assert tram == ["tram", 0, None, None]


def test_the_confusion_matrix_holds_shares_of_each_row(kept: Kept) -> None:
    table = kept.table("val/confusion_table")
    assert table["columns"] == ["Actual", "Predicted", "nPredictions"]
    assert [row[:2] for row in table["data"][:4]] == [
        ["road", "road"], ["road", "sky"], ["road", "tram"], ["sky", "road"],
    ]  # fmt: skip
    confusion = final_confusion(kept.module)
    shares = np.array([row[2] for row in table["data"]]).reshape(3, 3)
    np.testing.assert_allclose(shares[:2], confusion[:2] / confusion[:2].sum(1)[:, None], atol=1e-4)
    assert not shares[2].any()


def test_masks_lie_over_the_same_images_each_time(kept: Kept) -> None:
    images = kept.logged("val/masks.filenames")
    assert len(images) == 4  # after validations 1, 2, 4, and 5, which is the last
    hashes = [[name.rsplit("_", 1)[1] for name in names] for names in images]
    assert hashes == [hashes[0]] * 4
    assert kept.logged("val/masks.captions") == [["street_1", "street_3"]] * 4


def test_masks_hold_the_labels(kept: Kept) -> None:
    for turn in range(4):
        for index, truth in zip((1, 3), kept.masks("truth", turn), strict=True):
            np.testing.assert_array_equal(truth, Streets()[index]["mask"])
    confusion = np.zeros((3, 3), dtype=np.int64)
    for truth, prediction in zip(kept.masks("truth", 3), kept.masks("prediction", 3), strict=True):
        assert set(np.unique(prediction)) <= {0, 1}
        np.add.at(confusion, (truth[truth != VOID], prediction[truth != VOID]), 1)
    matrices = kept.module.confusion
    assert matrices is not None
    np.testing.assert_array_equal(confusion, matrices[1] + matrices[3])


def test_masks_carry_the_names_of_the_classes(kept: Kept) -> None:
    configs = [record["config"]["update"] for record in kept.records if "config" in record]
    labels = [update["_wandb"]["mask/class_labels"] for update in configs if "_wandb" in update]
    assert {entry["key"].rsplit("_", 1)[1] for entry in labels[-1].values()} == {
        "truth", "prediction",
    }  # fmt: skip
    for entry in labels[-1].values():
        assert entry["value"] == {"0": "road", "1": "sky", "2": "tram", "255": "void"}


def test_the_configuration_is_there(kept: Kept) -> None:
    configs = [record["config"]["update"] for record in kept.records if "config" in record]
    assert {**CONFIG} in configs


def test_the_git_commit_is_there(kept: Kept) -> None:
    git = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a git checkout")
    (run,) = [record["run"] for record in kept.records if record["type"] == "run"]
    assert run["git"]["commit"] == found.stdout.strip()


def test_the_best_checkpoint_goes_up_when_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = WandbLogger(tmp_path)
    sent: list[tuple[wandb.Artifact, Any]] = []

    def log_artifact(run: Any, artifact: wandb.Artifact, aliases: Any = None) -> None:
        sent.append((artifact, aliases))

    asked: list[str] = []
    monkeypatch.setattr(WandbLogger, "online", True)
    monkeypatch.setattr(wandb_logger, "server_answers", lambda url: not asked.append(url))
    with monkeypatch.context() as patch:
        patch.setattr(type(logger.experiment), "log_artifact", log_artifact)
        trainer = fit(tmp_path / "checkpoints", TinyModule(), logger)
    # The best, not the last; W&B sends tables by the same way.
    ((artifact, aliases),) = [entry for entry in sent if entry[0].type == "model"]
    assert aliases == ["best"]
    (entry,) = artifact.manifest.entries.values()
    assert entry.path == "best.ckpt"
    assert entry.size == (tmp_path / "checkpoints" / "best.ckpt").stat().st_size
    assert artifact.metadata["val/miou"] == pytest.approx(
        float(trainer.callback_metrics["val/miou"])
    )
    assert len(asked) == 1


def test_a_server_that_has_gone_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = WandbLogger(tmp_path)
    monkeypatch.setattr(WandbLogger, "online", True)
    monkeypatch.setattr(wandb_logger, "server_answers", lambda url: False)
    monkeypatch.setattr(wandb, "Table", lambda **options: pytest.fail("waits for the server"))
    trainer = fit(tmp_path / "checkpoints", TinyModule(), logger)
    assert trainer.global_step == 2
    assert "does not answer" in caplog.text


def test_training_goes_on_when_wandb_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = WandbLogger(tmp_path)

    def broken(*args: Any, **options: Any) -> None:
        raise wandb.errors.CommError("gone")

    monkeypatch.setattr(type(logger.experiment), "log", broken)
    assert fit(tmp_path / "checkpoints", TinyModule(), logger, epochs=2).global_step == 4
    warnings = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert warnings == ["W&B failed, the run goes on: CommError: gone"]


def test_without_wandb_it_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WandbMedia, "_log_masks", lambda *args: pytest.fail("draws"))
    assert fit(tmp_path, TinyModule()).global_step == 2


def test_without_pictures_no_image_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = WandbLogger(tmp_path, pictures=False)
    monkeypatch.setattr(wandb_media, "masked_image", lambda *_: pytest.fail("draws"))
    fit(tmp_path / "checkpoints", TinyModule(), logger)
    logger.finish()
    (media,) = tmp_path.glob("wandb/offline-run-*/files/media")
    assert [path.name for path in media.iterdir()] == ["table"]


def test_a_class_that_never_occurs_has_no_iou() -> None:
    confusion = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    table = class_table(confusion, CLASSES.names, {"ECE": {"road": 0.25, "tram": None}})
    assert table.columns == ["class", "share of pixels", "IoU", "accuracy", "ECE"]
    assert table.data == [
        ["road", 4 / 8, 3 / 4, 3 / 4, 0.25],
        ["sky", 4 / 8, 4 / 5, 1.0, None],
        ["tram", 0.0, None, None, None],
    ]


def test_the_confusion_matrix_of_nothing_is_zero() -> None:
    plot = confusion_plot(np.zeros((3, 3), dtype=np.int64), CLASSES.names, "nothing")
    assert [row[2] for row in plot.table.data] == [0.0] * 9


def test_large_images_are_sent_smaller() -> None:
    labels = np.zeros((1024, 2048), dtype=np.uint8)
    shown = Example("big", np.zeros((512, 1024, 3), dtype=np.uint8), labels, labels)
    image = masked_image(shown, CLASSES.names)
    assert image.image is not None
    assert image.image.size == (640, 320)
