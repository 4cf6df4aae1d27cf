"""The end of a training: its best weights scored, its model saved, and what to type next."""

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
from segmentation.commands.results import report, write_page
from segmentation.commands.wandb_results import track_training
from segmentation.console import argument, typed
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import TrainingError
from segmentation.models import save_model
from segmentation.models.cost import count_parameters, latency_ms
from segmentation.models.saving import LEARNT_SIZE, weights_hash
from segmentation.runs.directory import read_environment, read_metrics
from segmentation.training.checkpoints import LAST, damage
from segmentation.training.module import TrainingModule
from segmentation.training.skipped_files import SkippedFiles

log = logging.getLogger(__name__)


def finish(
    trainer: pl.Trainer,
    module: TrainingModule,
    data: SegmentationData,
    source: ScannedDataset,
    directory: Path,
    skipped: SkippedFiles,
    **facts: Any,
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
    if reason := damage(Path(checkpoint.best_model_path)):
        raise TrainingError(
            f"{checkpoint.best_model_path} is damaged ({reason}). The last weights can be scored: "
            f"{typed('evaluate')} {argument('run', directory / 'checkpoints' / LAST)}"
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
    score = None if isnan(val_score) else val_score
    extra = {LEARNT_SIZE: list(source.typical_size())}
    save_model(module.model, directory / "model", module.classes, data.size, extra)
    results = report(
        directory,
        f"best weights (epoch {epoch}) on {split}",
        module,
        data.datasets[split],
        source.scans[split].pixels.sum(axis=0),
        skipped.scored,
        split=split,
        epoch=epoch,
        weights=weights_hash(module.model),
        encoder_weights=module.model.encoder.source,
        parameters=count_parameters(module.model),
        latency_ms=latency_ms(module.model, _scored_size(data, split), module.device),
        **{f"val_{monitor.name}": score, "score": score, **facts},
    )
    values = {f"best/{split}_{name}": value for name, value in results.flat().items()}
    for logger in trainer.loggers:
        logger.log_metrics(values | {f"best/val_{monitor.name}": val_score})
    write_page(directory, directory)
    track_training(trainer.loggers, directory, split)
    console.show_warnings(facts["warnings"])
    if "rerun_of" in facts:
        earlier = Path(facts["rerun_of"]["run"]).expanduser()
        was = (read_metrics(earlier) or {}).get("score", "not known: it is not finished")
        log.info("rerun: the score on val is %s, and was %s", score, was)
    _show_next(directory, split, module.classes is not None)
    return val_score


def _scored_size(data: SegmentationData, split: str) -> tuple[int, int]:
    """Return the height and width of the first image of a split, as the model sees it."""
    return tuple(data.datasets[split][0]["image"].shape[-2:])


def _show_next(directory: Path, split: str, segments: bool) -> None:
    """Print where the run is, and what may be typed next: other scores, and another model."""
    given = (read_environment(directory) or {}).get("overrides", [])
    # Not the encoder itself, though what goes with it; nor a model that has another encoder.
    other = re.compile(r"[+~]*(encoder=|encoder\.name|model\b|resume|rerun|hydra|sweep|launcher)")
    again = [shlex.quote(one) for one in given if not other.match(one)]
    here = Path.cwd()
    run = directory.relative_to(here) if directory.is_relative_to(here) else directory
    console.show_next(
        f"run directory: {run}  (report.html shows all of it)",
        f"{typed('evaluate')} {argument('run', run)} "
        + (f"split={split} flip=true slices=all" if segments else f"split={split}"),
        f"{typed('predict')} {argument('model', run)} input=<images> output=<folder>"
        + (" overlay=true" if segments else ""),
        " ".join([typed("train"), *again, "encoder=resnet34"]),
        f"{typed('compare')} {argument('runs', [run, 'ANOTHER_RUN'])}",
    )
