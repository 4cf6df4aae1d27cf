"""What tests of loggers share: a short training that logs, and W&B runs made and read back."""

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.demos.boring_classes import BoringModel
from torch import Tensor
from wandb_server import ImitationServer

from segmentation.loggers.wandb_logger import WandbLogger

LOGGERS = ROOT / "conf" / "logger"
KEY = "0" * 40


class LoggingModel(BoringModel):
    """Lightning's smallest model, with a curve."""

    def training_step(self, batch: Tensor, batch_idx: int) -> dict:
        """Log the loss."""
        result = super().training_step(batch, batch_idx)
        self.log("train/loss", result["loss"])
        return result


def fit(*chosen: pl.loggers.Logger, at_step: Callable[[int], None] | None = None) -> pl.Trainer:
    """Train four steps; `at_step` is called before each."""

    class AtStep(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if at_step is not None:
                at_step(trainer.global_step)

    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=4,
        callbacks=[AtStep()],
        limit_val_batches=0,
        log_every_n_steps=1,
        logger=list(chosen),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(LoggingModel())
    return trainer


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of this package."""
    records = [record for record in caplog.records if record.name.startswith("segmentation")]
    return [record.getMessage() for record in records if record.levelno >= logging.WARNING]


def group(tmp_path: Path, *overrides: str) -> DictConfig:
    """Compose the option files as train.py does."""
    root = tmp_path / "conf"
    root.mkdir(exist_ok=True)
    if not (root / "logger").exists():
        (root / "logger").symlink_to(LOGGERS)
    (root / "root.yaml").write_text("defaults:\n  - logger: wandb\n")
    with initialize_config_dir(str(root), version_base="1.3"):
        chosen = compose("root", list(overrides)).logger
    assert OmegaConf.is_dict(chosen)
    return chosen


def configured(tmp_path: Path, *overrides: str) -> list[pl.loggers.Logger]:
    """Build what the option files name."""
    chosen = group(tmp_path, *overrides).values()
    return [instantiate(node, save_dir=tmp_path / "run") for node in chosen]


def sync(command: str, server: ImitationServer) -> str:
    """Do what a message says to type; return what that prints."""
    words = shlex.split(command)
    assert words[0] == "wandb"
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY},
        cwd=os.environ["HOME"], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stderr


def run_in(folder: Path, steps: range) -> WandbLogger:
    """Log some steps as a start of the run in that folder does, and end."""
    logger = WandbLogger(folder)
    for step in steps:
        logger.log_metrics({"loss": float(step)}, step)
    logger.finish()
    return logger


def online(monkeypatch: pytest.MonkeyPatch, server: ImitationServer) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)


def records(part: Path) -> list[dict]:
    """Return what a part of an offline run holds."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(part)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in lines.splitlines()]
