"""Compare trained models on the images that all of them were scored on."""

import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation import console
from segmentation.commands.compare.select_runs import contenders, named_runs, on_runs, take_part
from segmentation.errors import ConfigError, check_count
from segmentation.evaluation.comparison.compare import compare
from segmentation.evaluation.comparison.result import Contender
from segmentation.evaluation.comparison.tables import Compared
from segmentation.report.comparison_files import write_tables
from segmentation.report.terminal.comparison import show_comparison
from segmentation.runs.directory import REPORT
from segmentation.system.hardware import pick_accelerator
from segmentation.system.logs import quiet_libraries

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
    split, taking, on_choice = take_part(named, cfg.split, _plain(cfg.names))
    together = contenders(taking)
    output = _output(cfg)
    comparison = compare(
        {name: [run.images for run in runs] for name, runs in together.items()},
        cfg.by, resamples=cfg.resamples, seed=cfg.seed,
    )  # fmt: skip
    from segmentation.commands.compare.cost import costs  # brings torch; mistakes are found by now

    device = pick_accelerator(cfg.device, "device") if cfg.speed else "cpu"
    known, of_cost = costs(together, split, size, device, cfg.speed)
    entries = [
        Contender(
            entry.name,
            tuple(run.images for run in together[entry.name]),
            tuple(run.evaluation.run for run in together[entry.name]),
            known[entry.name],
        )
        for entry in comparison.entries
    ]
    notes = [*comparison.notes, *on_runs(together, split), *on_choice, *of_cost]
    if left_out:
        notes.append(f"Left out: {', '.join(left_out)}.")
    compared = Compared(split, comparison, entries, notes)
    result = write_tables(output, compared)
    show_comparison(compared)
    from segmentation.report.comparison_page import write_comparison_page  # brings Plotly

    write_comparison_page(output / REPORT, compared)
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
