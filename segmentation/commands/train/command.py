"""Train a model, score its best weights, and leave a run directory."""

import logging
from collections.abc import Sequence
from contextlib import suppress

import pytorch_lightning as pl
import torch

from segmentation import console
from segmentation.build.training import TrainingPlan
from segmentation.commands.train.finalize import finalize, show_finished
from segmentation.commands.train.out_of_memory import known_parts, more_parts
from segmentation.commands.train.start import closing, record_start
from segmentation.commands.train.summary import summary
from segmentation.runs.directory import finished
from segmentation.sweep.search.pruning import Pruning
from segmentation.system.packages import explain_missing
from segmentation.training.callbacks import Elapsed
from segmentation.training.checkpoints import newest_checkpoint
from segmentation.training.compiling import compiles
from segmentation.training.distributed import SameConfiguration
from segmentation.training.dry_run import try_parts
from segmentation.training.limits import count_steps
from segmentation.training.skipped_files import SkippedFiles

log = logging.getLogger(__name__)


def train(plan: TrainingPlan, warnings: Sequence[str]) -> float:
    """Train as planned and return the val score of the best weights (mIoU, or see `monitor_of`).

    Args:
        plan: see `read_training`.
        warnings: what is logged until the end is added to them; `metrics.json` keeps them.

    Raises:
        SegmentationError: on invalid user input.
    """
    if problem := explain_missing("report", "the run gets no report.html and no intervals: that"):
        log.warning(problem)
    if finished(plan.directory):
        return show_finished(plan.directory)
    parts = known_parts(plan.directory)
    while True:
        with suppress(torch.OutOfMemoryError):
            return _train(plan, parts, warnings)
        # Not inside an except clause, which would hold the failed attempt's memory.
        parts = more_parts(plan.splits_batches, plan.directory, parts)


def _train(plan: TrainingPlan, parts: int, warnings: Sequence[str]) -> float:
    """Train from the newest checkpoint if there is one, else from the start; then score."""
    # Build. The loggers come first, as one may lack its package; they open nothing yet.
    loggers = plan.build_loggers()
    # The data are found before the model is built, which depends on their classes.
    pl.seed_everything(plan.seed, workers=True, verbose=False)
    options = plan.trainer_options(parts)
    checkpoint = newest_checkpoint(plan.directory / "checkpoints") if plan.resume else None
    data = plan.find_data(options, parts)
    module = plan.build_module(data)
    skipped, elapsed = SkippedFiles(), Elapsed()
    pruning = Pruning.of_run(plan.directory, module.monitor.key)
    same = SameConfiguration({**plan.settings, "hydra.run.dir": str(plan.directory)})
    callbacks = [same, skipped, elapsed, *([pruning] if pruning else [])]

    with closing(loggers, plan.settings):
        trainer = plan.build_trainer(options, module, loggers, callbacks)
        steps = count_steps(options, data.step.batch.per_epoch * parts)
        try_parts(module, trainer.callbacks, steps)  # type: ignore[attr-defined]
        if compiles(options["compile"], options["accelerator"], steps):
            module.compile_step()
        loaders = data.loaders  # only now, as it may take minutes

        # Say and keep what is trained, then train.
        rerun = {}
        if trainer.is_global_zero:
            rerun = record_start(plan, data, module, trainer, options, parts)
            console.show_summary(summary(plan, data, module.model, trainer, checkpoint))
        trainer.fit(module, datamodule=loaders, ckpt_path=checkpoint)

        # Score the best weights and write the results.
        pruned = {"pruned": pruning.pruned} if pruning and pruning.pruned else {}
        facts = {"seconds": round(elapsed.seconds, 1), "warnings": warnings, **pruned, **rerun}
        return finalize(trainer, module, data, plan.directory, skipped, facts)


def build_once(plan: TrainingPlan) -> None:
    """Build everything of a training except the cache of its images, to find what is refused.

    Raises:
        SegmentationError: on invalid user input.
    """
    loggers, options = plan.build_loggers(), plan.trainer_options(1)
    data = plan.find_data(options, 1)
    module = plan.build_module(data)
    trainer = plan.build_trainer(options, module, loggers, [])
    steps = count_steps(options, data.step.batch.per_epoch)
    try_parts(module, trainer.callbacks, steps)  # type: ignore[attr-defined]
