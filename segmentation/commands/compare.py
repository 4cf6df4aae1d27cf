"""Compare trained models on the images that all of them were scored on."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation import console
from segmentation.checks import check_count
from segmentation.commands.compare_files import write_tables
from segmentation.commands.compare_tables import show_comparison
from segmentation.commands.contending import Taking, contenders, named_runs, take_part
from segmentation.errors import ConfigError
from segmentation.evaluation.comparison import compare
from segmentation.evaluation.contenders import Contender
from segmentation.evaluation.frames import class_frame, comparison_frame
from segmentation.evaluation.naming import differing, repeats
from segmentation.hardware import pick_accelerator
from segmentation.quiet import quiet_libraries

WAYS = ("auto", "image", "block")


def compare_runs(cfg: DictConfig) -> dict[str, Any]:
    """Compare what `cfg.runs` or `cfg.sweep` names; write tables and a page, print the tables.

    Returns:
        What comparison.json holds, as plain values.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    quiet_libraries()
    if cfg.by not in WAYS:
        raise ConfigError(f"by={cfg.by}: use {', '.join(WAYS)}.")
    check_count("resamples", cfg.resamples, 1)
    check_count("seed", cfg.seed, 0)
    size = _size(cfg.size)
    named, left_out = named_runs(_plain(cfg.runs), cfg.sweep)
    split, taking = take_part(named, cfg.split, _plain(cfg.names))
    together = contenders(taking)
    output = _output(cfg)
    comparison = compare(
        {name: [run.images for run in runs] for name, runs in together.items()},
        cfg.by, resamples=cfg.resamples, seed=cfg.seed,
    )  # fmt: skip
    from segmentation.commands.costing import costs  # brings torch; mistakes are found by now

    device = pick_accelerator(cfg.device, "device") if cfg.speed else "cpu"
    known, of_cost = costs(together, split, size, device, cfg.speed)
    entries = [
        Contender(
            entry.name,
            tuple(run.images for run in together[entry.name]),
            tuple(run.scoring.run for run in together[entry.name]),
            known[entry.name],
        )
        for entry in comparison.entries
    ]
    notes = [*comparison.notes, *_notes(together, split), *of_cost]
    if left_out:
        notes.append(f"Left out: {', '.join(left_out)}.")
    table, classes = comparison_frame(comparison, entries), class_frame(comparison)
    warnings = _warnings(together)
    result = write_tables(output, split, comparison, entries, table, classes, [*notes, *warnings])
    show_comparison(split, comparison, table, classes, known, notes, warnings)
    from segmentation.report.comparison import write_comparison_report  # brings Plotly

    # The page finds the warnings itself.
    write_comparison_report(output / "report.html", comparison, entries, table, classes, notes)
    console.console.print(f"written to {output}", soft_wrap=True, highlight=False, markup=False)
    return result


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _size(value: Any) -> tuple[int, int] | None:
    sides = _plain(value)
    if sides is None:
        return None
    if not (
        isinstance(sides, list) and len(sides) == 2 and all(type(s) is int and s > 0 for s in sides)
    ):
        raise ConfigError(f"size={sides}: expected [height,width] in pixels, or null.")
    return sides[0], sides[1]


def _output(cfg: DictConfig) -> Path:
    """Return the directory that the files go to, made if it is not there."""
    if cfg.output:
        directory = Path(cfg.output).expanduser()
    elif cfg.sweep:
        directory = Path(cfg.sweep).expanduser() / "comparison"
    else:
        directory = Path("runs") / f"compare_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{directory} cannot be written to ({error.strerror}). Type output=<another folder>."
        ) from error
    return directory


def _notes(together: Mapping[str, Sequence[Taking]], split: str) -> list[str]:
    """Say what a reader must know of how the runs came about."""
    notes = []
    if split == "val":
        notes.append(
            "Scored on val, which also chose the epoch of each run: scores are a little too high. "
            "Decide on test where there is one."
        )
    for name, runs in together.items():
        if others := differing([run.settings or {} for run in runs]):
            notes.append(
                f"The runs named {name} differ in more than their seed: {', '.join(others)}."
            )
        if any("data.fold" in repeats(run.settings or {}) for run in runs) and len(runs) > 1:
            notes.append(f"The runs of {name} are of several folds: each learnt other images.")
        told = [repr(repeats(run.settings or {})) for run in runs if run.settings is not None]
        if len(set(told)) < len(told):
            notes.append(
                f"Runs of {name} have the same seed: what they differ by is less than what other "
                "seeds would."
            )
    starts: dict[str, list[str]] = {}
    for name, runs in together.items():
        for start in {_start(run) for run in runs}:
            starts.setdefault(start, []).append(name)
    if "random weights" in starts and len(starts) > 1:
        notes.append(
            f"The encoders of {', '.join(starts['random weights'])} began from random weights, "
            "others from trained ones."
        )
    return notes


def _start(run: Taking) -> str:
    """Return what the encoder's weights were at first, as far as it matters."""
    source = run.metrics.get("encoder_weights")
    return "random weights" if source == "random" else "not random"


def _warnings(together: Mapping[str, Sequence[Taking]]) -> list[str]:
    """Return the warnings of the runs, with whose they are unless they are everyone's."""
    whose: dict[str, dict[str, None]] = {}
    for name, runs in together.items():
        for run in runs:
            for warning in run.metrics.get("warnings", []):
                whose.setdefault(warning, {})[name] = None
    return [
        warning if len(names) == len(together) else f"{', '.join(names)}: {warning}"
        for warning, names in whose.items()
    ]
