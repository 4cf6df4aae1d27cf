"""Score a trained model on a split."""

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain

from segmentation import console
from segmentation.build.evaluation import EvaluationPlan
from segmentation.commands.evaluate.directory import (
    describe_replaced,
    evaluation_directory,
    evaluation_facts,
    writing,
)
from segmentation.commands.evaluate.slices import plan_slices, write_slices
from segmentation.commands.results import report, training_warnings, write_page
from segmentation.commands.wandb_tracking import track_evaluation, warn_if_untracked
from segmentation.inference.class_map import check_class_map, map_classes
from segmentation.inference.compiled import compile_model
from segmentation.inference.exported import ExportedModel, check_views
from segmentation.inference.opening import open_model
from segmentation.inference.test_time import averaged
from segmentation.models import LoadedModel
from segmentation.runs.directory import REPORT
from segmentation.runs.results import Results, add_facts
from segmentation.runs.trained_config import trained_config
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
    of_training = training_warnings(plan.run)
    if plan.tracked:
        warn_if_untracked(plan.run)
    loaded = _load(plan)
    class_map = check_class_map(plan.class_map, loaded.classes, plan.model)
    trained, skipped = trained_config(plan.source), SkippedFiles()
    trainer = plan.build_trainer(trained, [RunProgressBar(), skipped])
    if plan.compile:
        compile_model(loaded.model, trainer.strategy.root_device.type)
    split = plan.find_split(loaded, trained)
    model = averaged(loaded.model, plan.inference)
    model, class_map = map_classes(model, class_map, loaded.classes, split.classes)
    slices = plan_slices(plan.slices, plan.targets_required, split)
    loaders = split.build_loaders()
    loaders.trainer = trainer  # the loaders follow its device and processes
    module = ScoringModule(model, split.classes)
    facts = evaluation_facts(plan, loaded, split, loaders.size, str(trainer.precision), class_map)
    mapped = plan.class_map is not None
    directory = evaluation_directory(plan.source, plan.data_name, plan.inference, mapped, facts)

    # Score on all processes; the first one writes. Slices come last, as they may fail.
    with writing(directory) if trainer.is_global_zero else nullcontext():
        trainer.test(module, loaders.scoring_dataloader(split.name), verbose=False)
        results = None
        if trainer.is_global_zero:
            replaced = describe_replaced(directory, keeps_slices=slices is not None)
            facts["warnings"] = _distinct(of_training, warnings)
            pixels = split.source.scans[split.name].pixels.sum(axis=0)
            dataset, title = loaders.datasets[split.name], f"{plan.model} on {split.name}"
            results = report(directory, title, module, dataset, pixels, skipped.scored, **facts)
            write_page(directory, plan.run)
        if slices is not None:
            write_slices(slices, directory, trainer, module, loaders)
        if results is None:
            return None
        messages = _distinct(of_training, warnings)
        if slices is not None:
            add_facts(directory, warnings=messages)
            write_page(directory, plan.run)

    console.show_warnings(messages)
    console.console.print(f"written to {directory}{replaced}: {REPORT} shows it", soft_wrap=True)
    if plan.tracked:
        track_evaluation(plan.run, directory, plan.any_project)
    return results


def _load(plan: EvaluationPlan) -> LoadedModel:
    """Load the model.

    Raises:
        ModelError: it is none.
        ConfigError: it is an exported file, which cannot be used as `plan.inference` says.
    """
    loaded = open_model(plan.source)
    if isinstance(loaded, ExportedModel):
        check_views(loaded.export, plan.inference)
    return loaded


def _distinct(*warnings: Sequence[str]) -> list[str]:
    """Return all warnings in their order, each once."""
    return list(dict.fromkeys(chain(*warnings)))
