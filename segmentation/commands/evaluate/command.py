"""Score a trained model on a split."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import nn

from segmentation import console
from segmentation.build.evaluation import EvaluationData, EvaluationPlan
from segmentation.classes import ClassTable
from segmentation.commands.evaluate.directory import scoring_directory, writing
from segmentation.commands.evaluate.slices import plan_slices, write_slices
from segmentation.commands.results import report, write_page
from segmentation.commands.wandb_tracking import track_evaluation, warn_if_untracked
from segmentation.data.datamodule import SegmentationData
from segmentation.inference.class_map import ClassMap, MappedModel, fit_class_map
from segmentation.inference.test_time import averaged
from segmentation.models import load_model
from segmentation.models.saving import weights_hash
from segmentation.models.shipped import shipped_name
from segmentation.runs.directory import METRICS, REPORT, SLICES_FILE, read_metrics
from segmentation.runs.results import Results, add_facts
from segmentation.training.progress_bar import RunProgressBar
from segmentation.training.scoring import ScoringModule
from segmentation.training.skipped_files import SkippedFiles


def evaluate(plan: EvaluationPlan, warnings: Sequence[str]) -> Results | None:
    """Score a model; write metrics, predictions and pictures below its run directory.

    Args:
        plan: see `read_evaluation`.
        warnings: what is logged until the end is added to them; `metrics.json` keeps them.

    Returns:
        The scores; None on every process but the first.

    Raises:
        SegmentationError: on invalid user input.
    """
    # Build the model, the trainer and the data.
    if plan.tracked:
        warn_if_untracked(plan.run)
    loaded = load_model(plan.source)
    class_map = plan.read_class_map(loaded.classes)
    skipped = SkippedFiles()
    trainer = plan.build_trainer([RunProgressBar(), skipped])
    data = plan.find_data(loaded)
    model = averaged(loaded.model, plan.inference)
    model, class_map = _map_classes(model, class_map, loaded.classes, data.classes)
    slices = plan_slices(plan.slices, plan.targets_required, data)
    loaders = data.build_loaders()
    loaders.trainer = trainer  # the loaders follow its device and processes
    module = ScoringModule(model, data.classes)

    facts = _facts(plan, data, loaders, trainer) | {
        "weights": weights_hash(loaded.model),
        "class_map": class_map,
    }
    directory = scoring_directory(plan.source, plan.data_name, plan.inference, plan.mapped, facts)

    with writing(directory) if trainer.is_global_zero else nullcontext():
        # Score on all processes; the first one writes.
        loader = loaders.scoring_dataloader(data.split)
        trainer.test(module, dataloaders=loader, verbose=False)
        results, replaced = None, ""
        if trainer.is_global_zero:
            replaced = _replaced(directory, keeps_slices=slices is not None)
            facts["warnings"] = _all_warnings(plan.run, warnings)
            pixels = data.source.scans[data.split].pixels.sum(axis=0)
            dataset, title = loaders.datasets[data.split], f"{plan.model} on {data.split}"
            results = report(directory, title, module, dataset, pixels, skipped.scored, **facts)
            write_page(directory, plan.run)  # before the slices, which may fail
        if slices is not None:
            write_slices(slices, directory, trainer, module, loaders)
        if results is None:
            return None
        messages = _all_warnings(plan.run, warnings)
        if slices is not None:
            add_facts(directory, warnings=messages)
            write_page(directory, plan.run)

    # Tell the user, and W&B.
    console.show_warnings(messages)
    console.console.print(f"written to {directory}{replaced}: {REPORT} shows it", soft_wrap=True)
    if plan.tracked:
        track_evaluation(plan.run, directory)
    return results


def _map_classes(
    model: nn.Module, given: ClassMap | None, known: ClassTable | None, data: ClassTable | None
) -> tuple[nn.Module, ClassMap | None]:
    """Return the model with its classes mapped to those of the data, and the map where they differ.

    Args:
        given: the class map that was typed.
        known, data: the classes of the model and of the data; None where nothing is segmented.
    """
    if known is None or data is None:
        return model, None
    class_map = fit_class_map(given, known, data)
    if class_map is None:
        return model, None
    return MappedModel(model, class_map, known, data), class_map


def _facts(
    plan: EvaluationPlan, data: EvaluationData, loaders: SegmentationData, trainer: pl.Trainer
) -> dict[str, Any]:
    """Return what `metrics.json` says of how the split was scored."""
    return {
        "split": data.split,
        **data.fingerprints(),
        "precision": str(trainer.precision),
        "inference": plan.inference.to_dict(),
        "size": loaders.size and list(loaders.size),
        "classes": None if data.classes is None else list(data.classes.names),
        "model": shipped_name(plan.source) or str(plan.source),
        "data": data.root,
    }


def _replaced(directory: Path, keeps_slices: bool) -> str:
    """Return in words what a new evaluation replaces in its directory."""
    if not (directory / METRICS).is_file():
        return ""
    lost = (directory / SLICES_FILE).is_file() and not keeps_slices
    return " in place of an earlier scoring" + (" and its slices" if lost else "")


def _all_warnings(run: Path | None, new: Sequence[str]) -> list[str]:
    """Return the warnings of the training, such as random encoder weights, then the new ones."""
    metrics = None if run is None else read_metrics(run)
    return list(dict.fromkeys([*(metrics or {}).get("warnings", []), *new]))
