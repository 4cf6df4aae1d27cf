"""Train a model, score its best weights, and leave a run directory."""

import os
import re
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from segmentation import build, build_targets, console, runs
from segmentation.checks import check_count
from segmentation.commands.results import report
from segmentation.commands.summary import summary
from segmentation.console import argument
from segmentation.data.check import quick_check
from segmentation.data.datamodule import SegmentationData
from segmentation.data.labels import write_table
from segmentation.data.source import TABLE_FILE, Source, usable
from segmentation.errors import ConfigError, DataError, TrainingError
from segmentation.hardware import device_name
from segmentation.models import describe_model, save_model
from segmentation.quiet import quiet_libraries
from segmentation.targets import TargetColumns
from segmentation.training.loggers import WandbLogger
from segmentation.training.module import TrainingModule
from segmentation.training.skipped import SkippedFiles


def train(cfg: DictConfig) -> float:
    """Train as configured; return the best weights' score on val: mIoU, or see `monitor_of`.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    started = time.perf_counter()
    quiet_libraries()
    directory = _new_directory()
    check_count("seed", cfg.seed, 0)
    with runs.collected_warnings() as warnings:
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        options = build.trainer_options(cfg.trainer, freezes=bool(cfg.encoder.freeze_epochs))
        _refuse_processes_in_a_sweep(options)
        plain = build.plain(cfg)
        build_targets.check_task(cfg.task)
        data, source, columns = _data(cfg, directory)
        model = build.build_model(cfg, len(source.labels.classes), columns)
        classes = source.labels.classes if cfg.task.segmentation else None
        module = build.build_module(
            cfg, model, classes, source.scans["train"].pixels,
            checkpoint_extra={
                "model": describe_model(model, classes, data.size), "config": plain,
            },
        )  # fmt: skip
        loggers = build.build_loggers(cfg.logger, directory)
        skipped = SkippedFiles()
        with _closing(loggers):
            for logger in loggers[1:]:  # the CSV's would repeat config.yaml
                logger.log_hyperparams(plain)
            trainer = build.build_trainer(
                options,
                default_root_dir=directory,
                logger=loggers,
                callbacks=[
                    skipped,
                    *build.build_callbacks(cfg.callbacks, directory, loggers, module.monitor),
                ],
            )
            if trainer.is_global_zero:
                runs.write_config(directory, cfg)
                if cfg.task.segmentation:
                    write_table(directory / TABLE_FILE, source.labels.table)
                runs.write_environment(
                    directory,
                    data=source.fingerprints(),
                    encoder_weights=model.encoder.source,
                    device=device_name(options["accelerator"]),
                    precision=options["precision"],
                    processes=trainer.world_size,
                    seed=cfg.seed,
                )
                console.show_summary(summary(cfg, data, source, model, trainer, directory))
            trainer.fit(module, datamodule=data)
            return _score(trainer, module, data, source, directory, skipped, warnings, started)


def _new_directory() -> Path:
    """Return the run directory; it must not hold a run yet."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    if os.environ.get("LOCAL_RANK", "0") == "0" and (directory / "checkpoints").exists():
        raise ConfigError(
            f"{directory} already holds a run. Choose another hydra.run.dir, or remove that one."
        )
    return directory


def _refuse_processes_in_a_sweep(options: dict[str, Any]) -> None:
    if "strategy" in options and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigError(
            "several processes (trainer=ddp, trainer.devices) cannot run inside a sweep (-m): each "
            "would start the sweep again. Run the jobs one by one, or with one device each."
        )


def _data(
    cfg: DictConfig, directory: Path
) -> tuple[SegmentationData, Source, TargetColumns | None]:
    """Return the data, after a look at every file, and the image-level targets to be learnt."""
    if not cfg.data.name:
        raise ConfigError("data=as_trained is for evaluate.py. Train with data=folder or another.")
    source = usable(
        build.find_source(cfg.data, directory=directory, masks=cfg.task.segmentation),
        cfg.data.on_error,
        cfg.task.segmentation,
    )
    for split in ("train", "val"):
        if split not in source.samples:
            raise DataError(
                f"no {split} split in {cfg.data.root} (splits there: {', '.join(source.samples)}). "
                "Training needs train and val."
            )
    quick_check(source, cfg.task.segmentation)
    columns, targets = build_targets.find_targets(
        cfg.task, Path(cfg.data.root).expanduser(), source
    )
    data = build.build_data(cfg.data, source, cfg.augment, cfg.seed, targets=targets)
    data.check_sizes(source.scans["train"].sizes)
    return data, source, columns


@contextmanager
def _closing(loggers: Sequence[Logger]) -> Iterator[None]:
    """Close the loggers at the end, whatever the end is."""
    failed = True
    try:
        yield
        failed = False
    finally:
        for logger in loggers:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandbLogger):
                logger.finish(exit_code=int(failed))


def _score(
    trainer: pl.Trainer,
    module: TrainingModule,
    data: SegmentationData,
    source: Source,
    directory: Path,
    skipped: SkippedFiles,
    warnings: list[str],
    started: float,
) -> float:
    """Score the best weights on test, or on val where there is no test; return their val score."""
    checkpoint = trainer.checkpoint_callbacks[0]
    assert isinstance(checkpoint, ModelCheckpoint)
    if not checkpoint.best_model_path:
        raise TrainingError(
            "training ended before val was scored once, so there is no best checkpoint; "
            f"{directory / 'checkpoints'} holds the last. Train for longer, or look at "
            "trainer.check_val_every_n_epoch and trainer.limit_val_batches."
        )
    best = torch.load(checkpoint.best_model_path, weights_only=True, map_location="cpu")
    monitor = module.monitor
    val_score = monitor.of(best["scores"])
    module.load_state_dict(best["state_dict"])
    split = "test" if "test" in source.scans else "val"
    # As test whichever the split: in Lightning's validation an average of weights would step in.
    trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
    if not trainer.is_global_zero:
        return val_score
    epoch = int(best["epoch"]) + 1
    results = report(
        directory,
        f"best weights (epoch {epoch}) on {split}",
        module,
        data.datasets[split],
        source.scans[split].pixels.sum(axis=0),
        skipped.scored,
        split=split,
        epoch=epoch,
        encoder_weights=module.model.encoder.source,
        seconds=round(time.perf_counter() - started, 1),
        warnings=warnings,
        **{f"val_{monitor.name}": None if isnan(val_score) else val_score},
    )
    values = {f"best/{split}_{name}": value for name, value in results.flat().items()}
    for logger in trainer.loggers:
        logger.log_metrics(values | {f"best/val_{monitor.name}": val_score})
    save_model(module.model, directory / "model", module.classes, data.size)
    console.show_warnings(warnings)
    _show_next(directory, module.classes is not None)
    return val_score


def _show_next(directory: Path, segments: bool) -> None:
    """Print where the run is, and what may be typed next."""
    given = HydraConfig.get().overrides.task
    again = [shlex.quote(one) for one in given if re.match(r"[+~]*(data|task)\b", one)]
    here = Path.cwd()
    run = directory.relative_to(here) if directory.is_relative_to(here) else directory
    console.show_next(
        f"run directory: {run}" + ("  (pictures.png shows what it sees)" if segments else ""),
        f"python evaluate.py {argument('run', run)} split=val",
        f"python predict.py {argument('model', run)} input=<images> output=<folder>"
        + (" overlay=true" if segments else ""),
        " ".join(["python train.py", *again, "encoder=resnet34"]),
    )
