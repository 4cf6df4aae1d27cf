"""The end of a training: score its best weights, save its model, show what to type next."""

import logging
import re
import shlex
from math import isnan
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from segmentation import console
from segmentation.build.training_data import TrainingData
from segmentation.commands.results import report, write_page
from segmentation.commands.wandb_tracking import track_training
from segmentation.config import user_path
from segmentation.console import argument, typed
from segmentation.data.datamodule import SegmentationData
from segmentation.errors import TrainingError
from segmentation.models import save_model
from segmentation.models.cost import count_parameters, latency_ms
from segmentation.models.saving import extra_of, weights_hash
from segmentation.runs.directory import REPORT, read_environment, read_metrics
from segmentation.training.checkpoints import LAST, damage
from segmentation.training.module import TrainingModule
from segmentation.training.skipped_files import SkippedFiles

log = logging.getLogger(__name__)


def finalize(
    trainer: pl.Trainer,
    module: TrainingModule,
    data: TrainingData,
    directory: Path,
    skipped: SkippedFiles,
    facts: dict[str, Any],
) -> float:
    """Score the best weights on test, or on val where there is no test; return their val score.

    Args:
        trainer, module, data, skipped: of the training, which has ended.
        directory: of the run.
        facts: that `metrics.json` keeps besides the scores.

    Raises:
        TrainingError: there are no best weights, or their checkpoint is damaged.
    """
    # Load the best weights.
    best = _best_checkpoint(trainer, directory)
    val_score = module.monitor.of(best["scores"])
    module.load_state_dict(best["state_dict"])

    # Score them. Also val is run as a test: in validation an average of weights would step in.
    split = "test" if "test" in data.source.scans else "val"
    trainer.test(module, dataloaders=data.loaders.scoring_dataloader(split), verbose=False)
    if not trainer.is_global_zero:
        return val_score

    # Write the model, then its scores.
    extra = extra_of(data.source.typical_size(), data.source.reader.channels)
    save_model(module.model, directory / "model", module.classes, data.loaders.size, extra)
    score, epoch = None if isnan(val_score) else val_score, int(best["epoch"]) + 1
    results = report(
        directory,
        f"best weights (epoch {epoch}) on {split}",
        module,
        data.loaders.datasets[split],
        data.source.scans[split].pixels.sum(axis=0),
        skipped.scored,
        split=split,
        epoch=epoch,
        weights=weights_hash(module.model),
        encoder_weights=module.model.encoder.source,
        parameters=count_parameters(module.model),
        latency_ms=latency_ms(module.model, _scored_size(data.loaders, split), module.device),
        **{f"val_{module.monitor.name}": score, "score": score, **facts},
    )
    values = {f"best/{split}_{name}": value for name, value in results.flat().items()}
    for logger in trainer.loggers:
        logger.log_metrics(values | {f"best/val_{module.monitor.name}": val_score})
    write_page(directory, directory)
    track_training(trainer.loggers, directory, split)

    # Tell the user.
    console.show_warnings(facts["warnings"])
    if "rerun_of" in facts:
        _show_earlier_score(facts["rerun_of"]["run"], score)
    _show_next(directory, split, module.classes is not None)
    return val_score


def _show_earlier_score(run: str, score: float | None) -> None:
    earlier = read_metrics(user_path(run)) or {}
    before = earlier.get("score", "unknown (it is not finished)")
    log.info("rerun: the score on val is %s, and was %s", score, before)


def show_finished(directory: Path) -> float:
    """Show the score of a run that is complete already, and return it."""
    score = (read_metrics(directory) or {}).get("score")
    if not (directory / REPORT).is_file():  # killed between its last score and its page
        write_page(directory, directory)
    console.show_next(
        f"{directory} is finished already: its score on val is "
        f"{'none' if score is None else f'{score:.4f}'}.",
        f"{typed('evaluate')} {argument('run', directory)}",
    )
    return float("nan") if score is None else score


def _best_checkpoint(trainer: pl.Trainer, directory: Path) -> dict[str, Any]:
    checkpoint = trainer.checkpoint_callbacks[0]
    assert isinstance(checkpoint, ModelCheckpoint)
    path = checkpoint.best_model_path
    if not path:
        raise TrainingError(
            "training ended before val was scored once, so there is no best checkpoint; "
            f"{directory / 'checkpoints'} holds the last. Train for longer, or change "
            "trainer.check_val_every_n_epoch or trainer.limit_val_batches."
        )
    if reason := damage(Path(path)):
        raise TrainingError(
            f"{path} is damaged ({reason}). Score the last weights instead: "
            f"{typed('evaluate')} {argument('run', directory / 'checkpoints' / LAST)}"
        )
    return torch.load(path, weights_only=True, map_location="cpu")


def _scored_size(data: SegmentationData, split: str) -> tuple[int, int]:
    """Return the height and width of the first image of a split, as the model sees it."""
    return tuple(data.datasets[split][0]["image"].shape[-2:])


OTHER_MODEL = re.compile(r"[+~]*(encoder=|encoder\.name|model\b|resume|rerun|hydra|sweep|launcher)")
"""Overrides that a training with another encoder does not share."""


def _show_next(directory: Path, split: str, segments: bool) -> None:
    """Print where the run is and what to type next: other scores, and another model."""
    overrides = (read_environment(directory) or {}).get("overrides", [])
    again = [shlex.quote(override) for override in overrides if not OTHER_MODEL.match(override)]
    here = Path.cwd()
    run = directory.relative_to(here) if directory.is_relative_to(here) else directory
    shows = f"  ({REPORT} shows all of it)" if (directory / REPORT).is_file() else ""
    evaluate, overlay = f"split={split}", ""
    if segments:
        evaluate, overlay = f"{evaluate} flip=true slices=all", " overlay=true"
    console.show_next(
        f"run directory: {run}{shows}",
        f"{typed('evaluate')} {argument('run', run)} {evaluate}",
        f"{typed('predict')} {argument('model', run)} input=<images> output=<folder>{overlay}",
        " ".join([typed("train"), *again, "encoder=resnet34"]),
        f"{typed('compare')} {argument('runs', [run, 'ANOTHER_RUN'])}",
    )
