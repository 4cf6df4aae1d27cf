"""What a run directory keeps of a start: its configuration, its environment, its loggers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from segmentation.build.training import TrainingPlan
from segmentation.build.training_data import TrainingData
from segmentation.config import user_path
from segmentation.data.discovery.class_table import TABLE_FILE
from segmentation.data.masks.labels import write_table
from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.runs.directory import read_environment, write_config
from segmentation.runs.environment import differences, write_environment
from segmentation.system.hardware import device_name
from segmentation.training.module import TrainingModule

log = logging.getLogger(__name__)


def record_start(
    plan: TrainingPlan,
    data: TrainingData,
    module: TrainingModule,
    trainer: pl.Trainer,
    options: dict[str, Any],
    parts: int,
) -> dict[str, Any]:
    """Write the configuration, the class table and the environment; return facts of a rerun.

    Args:
        options: of the trainer, with the device and the precision chosen.
        parts: that a training batch comes in.
    """
    write_config(plan.directory, plan.settings)
    if plan.segments:
        write_table(plan.directory / TABLE_FILE, data.source.labels.table)
    changes = _write_environment(
        plan.directory,
        plan.rerun,
        data=data.source.fingerprints(),
        encoder_weights=module.model.encoder.source,
        device=device_name(options["accelerator"]),
        precision=options["precision"],
        processes=trainer.world_size,
        seed=plan.seed,
        parts=parts,
    )
    return {"rerun_of": {"run": plan.rerun, "differs_in": changes}} if plan.rerun else {}


def _write_environment(directory: Path, rerun: str | None, **facts: Any) -> list[str]:
    """Write environment.json; log and return what differs from the earlier start or run."""
    earlier = user_path(rerun) if rerun else directory
    before = read_environment(earlier)

    # The overrides that determine the run were typed at its first start.
    if before is not None:
        facts["overrides"] = before.get("overrides", [])
    if rerun:
        facts["rerun_of"] = str(earlier)
    elif before is not None and "rerun_of" in before:
        facts["rerun_of"] = before["rerun_of"]
    attempts = 1 if rerun or before is None else before.get("attempts", 1) + 1
    now = write_environment(directory, attempts=attempts, **facts)

    changes = differences(before, now) if before else []
    for change in changes:
        log.warning("%s: %s", "rerun" if rerun else "resume", change)
    if rerun and not changes:
        log.info("rerun: code, versions, machine and data are those of %s", rerun)
    return changes


@contextmanager
def closing(loggers: list[Logger], settings: dict[str, Any]) -> Iterator[None]:
    """Log the settings at the start, and close the loggers however the block ends."""
    failed = True
    try:
        for logger in loggers[1:]:  # the CSV's would repeat config.yaml
            logger.log_hyperparams(settings)
        yield
        failed = False
    finally:
        for logger in loggers:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandbLogger):
                logger.finish(exit_code=int(failed))
