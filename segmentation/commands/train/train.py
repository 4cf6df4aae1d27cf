"""Train a model, score its best weights, and leave a run directory."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from segmentation import console
from segmentation.build.model import build_model
from segmentation.build.module import build_module
from segmentation.build.targets import check_task
from segmentation.build.trainer import (
    build_callbacks,
    build_loggers,
    build_trainer,
    trainer_options,
)
from segmentation.build.training import find_training_data
from segmentation.commands.results import write_page
from segmentation.commands.train.finish import finish
from segmentation.commands.train.out_of_memory import known_parts, more_parts
from segmentation.commands.train.resume import configured
from segmentation.commands.train.summary import summary
from segmentation.config import plain, settings
from segmentation.console import argument, typed
from segmentation.data.discovery.labels import write_table
from segmentation.data.discovery.scanned_dataset import TABLE_FILE
from segmentation.errors import ConfigError, check_count
from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.models import describe_model
from segmentation.models.saving import LEARNT_SIZE
from segmentation.runs.directory import (
    REPORT,
    at_work,
    finished,
    read_environment,
    read_metrics,
    read_settings,
    write_config,
)
from segmentation.runs.environment import differences, write_environment
from segmentation.sweep.search.pruning import Pruning
from segmentation.system.hardware import device_name
from segmentation.system.logs import collected_warnings, quiet_libraries
from segmentation.system.ranks import rank
from segmentation.training.callbacks import Elapsed
from segmentation.training.checkpoints import newest_checkpoint
from segmentation.training.distributed import SameConfiguration
from segmentation.training.skipped_files import SkippedFiles

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float:
    """Train as configured; return the best weights' score on val: mIoU, or see `monitor_of`.

    With `resume` a run goes on in its directory, from its newest checkpoint; with `rerun` an
    earlier one is repeated in a new directory.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    quiet_libraries()
    directory = Path(HydraConfig.get().runtime.output_dir)
    first = rank() == 0
    with collected_warnings() as warnings, at_work(directory) if first else nullcontext():
        cfg = configured(cfg, directory, first)
        if finished(directory):
            if cfg.resume and cfg.trainer != read_settings(directory)["trainer"]:
                raise ConfigError(
                    f"{directory} is finished, and its learning rate has come to its end: it "
                    f"cannot be lengthened. Repeat it with more: {argument('rerun', directory)} "
                    "trainer.max_epochs=<epochs>"
                )
            return _recorded(directory)
        check_count("seed", cfg.seed, 0)
        parts = known_parts(directory)
        while True:
            with suppress(torch.OutOfMemoryError):
                return _run(cfg, directory, parts, warnings)
            parts = more_parts(cfg, directory, parts)  # what has failed is no longer held here


def _run(cfg: DictConfig, directory: Path, parts: int, warnings: list[str]) -> float:
    """Train from the newest checkpoint there is, else from the start, and score."""
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    options = trainer_options(cfg.trainer, freezes=bool(cfg.encoder.freeze_epochs))
    options["deterministic"] = "warn" if cfg.deterministic else False
    options["accumulate_grad_batches"] *= parts
    checkpoint = newest_checkpoint(directory / "checkpoints") if cfg.resume else None
    kept = settings(cfg)
    check_task(cfg.task)
    data, source, columns = find_training_data(cfg, directory, parts)
    classes = source.labels.classes if cfg.task.segmentation else None
    model = build_model(cfg, len(source.labels.classes), columns, classes)
    extra = {LEARNT_SIZE: list(source.typical_size())}
    module = build_module(
        cfg, model, classes, source.scans["train"].pixels,
        checkpoint_extra={
            "model": describe_model(model, classes, data.size, extra), "config": kept,
        },
    )  # fmt: skip
    loggers = build_loggers(cfg.logger, directory)
    skipped, elapsed = SkippedFiles(), Elapsed()
    pruning = Pruning.of_run(directory, module.monitor.key)
    with _closing(loggers):
        for logger in loggers[1:]:  # the CSV's would repeat config.yaml
            logger.log_hyperparams(kept)
        trainer = build_trainer(
            options,
            default_root_dir=directory,
            logger=loggers,
            callbacks=[
                SameConfiguration({**kept, "hydra.run.dir": str(directory)}),
                skipped,
                elapsed,
                *([pruning] if pruning else []),
                *build_callbacks(
                    cfg.callbacks,
                    directory,
                    loggers,
                    module.monitor,
                    cfg.checkpoint_minutes,
                    plain(cfg.signals),
                ),
            ],
        )
        differing: list[str] = []
        if trainer.is_global_zero:
            write_config(directory, kept)
            if cfg.task.segmentation:
                write_table(directory / TABLE_FILE, source.labels.table)
            differing = _keep_environment(
                cfg,
                directory,
                data=source.fingerprints(),
                encoder_weights=model.encoder.source,
                device=device_name(options["accelerator"]),
                precision=options["precision"],
                processes=trainer.world_size,
                seed=cfg.seed,
                parts=parts,
            )
            console.show_summary(summary(cfg, data, source, model, trainer, directory, checkpoint))
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
        return finish(
            trainer, module, data, source, directory, skipped,
            seconds=round(elapsed.seconds, 1), warnings=warnings,
            **({"pruned": pruning.pruned} if pruning and pruning.pruned else {}),
            **_repeated(cfg, differing),
        )  # fmt: skip


def _recorded(directory: Path) -> float:
    """Return the score of a run that is finished, and say so."""
    score = (read_metrics(directory) or {}).get("score")
    if not (directory / REPORT).is_file():  # killed between its last score and its page
        write_page(directory, directory)
    console.show_next(
        f"{directory} is finished already: its score on val is "
        f"{'none' if score is None else f'{score:.4f}'}.",
        f"{typed('evaluate')} {argument('run', directory)}",
    )
    return float("nan") if score is None else score


def _keep_environment(cfg: DictConfig, directory: Path, **facts: Any) -> list[str]:
    """Write environment.json; say and return what differs from the run before."""
    earlier = Path(cfg.rerun).expanduser() if cfg.rerun else directory
    before = read_environment(earlier)
    if before is not None:  # what the run is was typed then
        facts["overrides"] = before.get("overrides", [])
    if cfg.rerun:
        facts["rerun_of"] = str(earlier)
    elif before is not None and "rerun_of" in before:
        facts["rerun_of"] = before["rerun_of"]
    attempts = 1 if cfg.rerun or before is None else before.get("attempts", 1) + 1
    now = write_environment(directory, attempts=attempts, **facts)
    found = differences(before, now) if before else []
    for difference in found:
        log.warning("%s: %s", "rerun" if cfg.rerun else "resume", difference)
    if cfg.rerun and not found:
        log.info("rerun: code, versions, machine and data are those of %s", cfg.rerun)
    return found


def _repeated(cfg: DictConfig, differing: list[str]) -> dict[str, Any]:
    """Return what metrics.json says of the run that was repeated."""
    if not cfg.rerun:
        return {}
    return {"rerun_of": {"run": str(cfg.rerun), "differs_in": differing}}


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
