"""`train`: from the configuration to a plan, whose methods build the parts of a training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from segmentation.build.data import build_data, find_dataset
from segmentation.build.model import build_model
from segmentation.build.module import build_module, describe_optimizer
from segmentation.build.resume import resolve_resume
from segmentation.build.targets import check_task, find_targets
from segmentation.build.trainer import (
    build_callbacks,
    build_loggers,
    build_trainer,
    trainer_options,
)
from segmentation.classes import ClassTable
from segmentation.config import plain, settings
from segmentation.console import argument
from segmentation.data.check import quick_check
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset, select_usable
from segmentation.errors import ConfigError, DataError, check_count
from segmentation.models import describe_model
from segmentation.models.saving import extra_of
from segmentation.runs.directory import finished, read_settings
from segmentation.system.ranks import rank
from segmentation.targets import TargetColumns
from segmentation.training.module import TrainingModule


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a training.

    Attributes:
        source: the files, after a look at each.
        loaders: Lightning's datamodule.
        classes: of the segmentation; None where nothing is segmented.
        columns: the image-level targets; None for none.
    """

    source: ScannedDataset
    loaders: SegmentationData
    classes: ClassTable | None
    columns: TargetColumns | None


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """A training as configured; its methods build the parts, in the order of the page that calls.

    Attributes:
        directory: of the run.
        settings: the configuration that `config.yaml` keeps.
        resume: continue from the newest checkpoint, if there is one.
        rerun: the run directory that is repeated, as it was typed; None for none.
        segments: whether the model predicts masks.
    """

    directory: Path
    settings: dict[str, Any]
    resume: bool
    rerun: str | None
    segments: bool
    _cfg: DictConfig = field(repr=False)

    @property
    def seed(self) -> int:
        """Seed of the weights, the order of the images and their augmentation."""
        return self._cfg.seed

    @property
    def splits_batches(self) -> bool:
        """Whether a batch may go through the model in parts (`data.batch_size=auto`)."""
        return self._cfg.data.batch_size == "auto"

    def trainer_options(self, parts: int) -> dict[str, Any]:
        """Return the options of Lightning's trainer, with the device and the precision chosen."""
        options = trainer_options(self._cfg.trainer, bool(self._cfg.encoder.freeze_epochs))
        options["deterministic"] = "warn" if self._cfg.deterministic else False
        options["accumulate_grad_batches"] *= parts
        return options

    def find_data(self, parts: int) -> TrainingData:
        """Find and check the data; a training batch comes in so many parts.

        Raises:
            ConfigError, DataError: the data can't be trained on as configured.
        """
        data = self._cfg.data
        source = select_usable(
            find_dataset(data, directory=self.directory, masks=self.segments),
            data.on_error,
            self.segments,
        )
        for split in ("train", "val"):
            if split not in source.samples:
                raise DataError(
                    f"no {split} split in {data.root} (splits there: {', '.join(source.samples)}). "
                    "Training needs train and val."
                )
        quick_check(source, self.segments)
        columns, targets = find_targets(self._cfg.task, Path(data.root).expanduser(), source)
        loaders = build_data(
            data, source, self._cfg.augment, self.seed, targets=targets, parts=parts
        )
        loaders.check_sizes(source.scans["train"].sizes)
        classes = source.labels.classes if self.segments else None
        return TrainingData(source, loaders, classes, columns)

    def build_module(self, data: TrainingData) -> TrainingModule:
        """Return the module that trains the configured model."""
        source, classes = data.source, data.classes
        channels = source.reader.channels
        model = build_model(self._cfg, len(source.labels.classes), data.columns, classes, channels)
        extra = extra_of(source.typical_size(), channels)
        checkpoint_extra = {
            "model": describe_model(model, classes, data.loaders.size, extra),
            "config": self.settings,
        }
        pixels = source.scans["train"].pixels
        return build_module(self._cfg, model, classes, pixels, checkpoint_extra)

    def build_loggers(self) -> list[Logger]:
        """Return the loggers of the run, that of `metrics.csv` first."""
        return build_loggers(self._cfg.logger, self.directory)

    def build_trainer(
        self,
        options: dict[str, Any],
        module: TrainingModule,
        loggers: list[Logger],
        callbacks: Sequence[pl.Callback],
    ) -> pl.Trainer:
        """Return Lightning's trainer, with these callbacks before the configured ones."""
        configured = build_callbacks(
            self._cfg.callbacks,
            self.directory,
            loggers,
            module.monitor,
            self._cfg.checkpoint_minutes,
            plain(self._cfg.signals),
        )
        return build_trainer(
            options,
            default_root_dir=self.directory,
            logger=loggers,
            callbacks=[*callbacks, *configured],
        )

    def describe_optimizer(self) -> str:
        """Return the optimizer, its learning rate, and how that follows from the batch."""
        return describe_optimizer(self._cfg)


def read_training(cfg: DictConfig, directory: Path) -> TrainingPlan:
    """Return the plan of a training: as typed, or as the run to resume or repeat has it.

    Args:
        cfg: see conf/train.yaml.
        directory: the run directory that Hydra has made.

    Raises:
        ConfigError: an invalid option.
    """
    cfg = resolve_resume(cfg, directory, first=rank() == 0)
    if not finished(directory):
        check_count("seed", cfg.seed, 0)
        check_task(cfg.task)
        if not cfg.data.name:
            raise ConfigError("data=as_trained is for evaluate. Train with data=folder or another.")
    elif cfg.resume and cfg.trainer != read_settings(directory)["trainer"]:
        raise ConfigError(
            f"{directory} is complete, and its learning rate schedule has ended: it can't be "
            f"extended. Repeat it for longer: {argument('rerun', directory)} "
            "trainer.max_epochs=<epochs>"
        )
    rerun = str(cfg.rerun) if cfg.rerun else None
    segments = cfg.task.segmentation
    return TrainingPlan(directory, settings(cfg), bool(cfg.resume), rerun, segments, cfg)
