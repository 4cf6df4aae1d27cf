"""Compare trained models on the images that all of them were scored on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmentation import console
from segmentation.build.comparison import ComparisonPlan
from segmentation.commands.compare.compared_run import ComparedRun
from segmentation.commands.compare.encoder_weights import encoder_weights
from segmentation.commands.compare.notes import run_notes
from segmentation.commands.compare.resolve_runs import resolve_runs
from segmentation.commands.compare.select_runs import group_contenders, select_runs
from segmentation.console import typed
from segmentation.errors import ConfigError
from segmentation.evaluation.comparison.naming import repeats
from segmentation.runs.directory import REPORT
from segmentation.system.files import jsonable
from segmentation.system.hardware import pick_accelerator

if TYPE_CHECKING:  # a wrong path is told before SciPy and torch are imported
    from segmentation.evaluation.comparison.result import Comparison, Contender, Cost


def compare_runs(plan: ComparisonPlan) -> dict[str, Any]:
    """Compare runs; write tables and a page, and print the tables.

    Returns:
        The content of comparison.json, as plain values; with `plan.seeds_only` the plan alone.

    Raises:
        SegmentationError: on invalid user input.
    """
    # Select the runs; all mistakes are noticed here, before anything is computed.
    directories, skipped = resolve_runs(plan.runs, plan.sweep)
    split, runs, selection_notes = select_runs(directories, plan.split, plan.names)
    contenders = group_contenders(runs)
    if plan.seeds_only:
        return _plan_seeds(plan, contenders)
    _make_directory(plan.output)

    # Compare their scores, then measure what their models cost.
    comparison = _compare(plan, contenders)
    from segmentation.commands.compare.cost import costs  # brings torch

    device = pick_accelerator(plan.device, "device") if plan.speed else "cpu"
    cost, cost_notes = costs(contenders, split, plan.size, device, plan.speed)

    # Write and show.
    from segmentation.evaluation.comparison.tables import Compared  # brings pandas
    from segmentation.report.comparison_files import write_tables
    from segmentation.report.comparison_page import write_comparison_page  # brings Plotly
    from segmentation.report.terminal.comparison import show_comparison

    entries = [_contender(entry.name, contenders, cost) for entry in comparison.entries]
    notes = [*comparison.notes, *run_notes(contenders, split), *selection_notes, *cost_notes]
    if skipped:
        notes.append(f"Left out: {', '.join(skipped)}.")
    compared = Compared(split, comparison, entries, notes)
    result = write_tables(plan.output, compared)
    show_comparison(compared)
    write_comparison_page(plan.output / REPORT, compared)
    console.console.print(f"written to {plan.output}", soft_wrap=True)
    return result


def _compare(plan: ComparisonPlan, contenders: Mapping[str, Sequence[ComparedRun]]) -> "Comparison":
    from segmentation.evaluation.comparison.compare import compare

    return compare(
        {name: [run.images for run in runs] for name, runs in contenders.items()},
        plan.by,
        resamples=plan.resamples,
        seed=plan.seed,
        correction=plan.correction,
        repeats={
            name: [repr(repeats(run.settings or {})) for run in runs]
            for name, runs in contenders.items()
        },
    )


def _plan_seeds(
    plan: ComparisonPlan, contenders: Mapping[str, Sequence[ComparedRun]]
) -> dict[str, Any]:
    """Print the power of numbers of seeds, and return it as plain values."""
    if len(contenders) < 2:
        raise ConfigError("plan=true: name at least two contenders, whose difference is planned.")
    if all(len(runs) == 1 for runs in contenders.values()):
        raise ConfigError(
            "plan=true: every contender has one seed, so the spread between seeds is unknown. "
            f"Train one of them with another seed: {typed('train')} ... seed=1"
        )
    from segmentation.evaluation.statistics.seeds import COUNTS, EFFECTS
    from segmentation.report.terminal.comparison import show_plan

    comparison = _compare(plan, contenders)
    if comparison.plan is None:
        raise ConfigError("plan=true needs at least two images.")
    show_plan(comparison)
    return jsonable(asdict(comparison.plan) | {"seeds": [*COUNTS, None], "effects": EFFECTS})


def _contender(
    name: str, contenders: Mapping[str, Sequence[ComparedRun]], known: Mapping[str, "Cost"]
) -> "Contender":
    from segmentation.evaluation.comparison.result import Contender

    runs = contenders[name]
    images = tuple(run.images for run in runs)
    directories = tuple(run.evaluation.run for run in runs)
    return Contender(name, images, directories, known[name], encoder_weights(runs))


def _make_directory(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written to ({error.strerror}). Type output=<another folder>."
        ) from error
