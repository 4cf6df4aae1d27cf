"""Where a model fails: its scores by what images have in common, and on corrupted images."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl

from segmentation.commands.evaluate.corruptions import Corrupted, same_images, score_corrupted
from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import SegmentationDataset
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.targets.columns import read_target_columns
from segmentation.data.targets.files import TARGETS_FILE, find_target_files
from segmentation.errors import ConfigError, DataError, did_you_mean
from segmentation.evaluation.slices.attributes import image_attributes, sizes_of
from segmentation.evaluation.slices.robustness import score_corruptions
from segmentation.evaluation.slices.scores import SLICES_FILE, score_slices
from segmentation.evaluation.slices.slices import find_slices
from segmentation.report.terminal.slices import show_slices
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.results import add_facts
from segmentation.runs.scored_images import ScoredImages
from segmentation.system.files import write_atomic
from segmentation.training.scoring import ScoringModule

log = logging.getLogger(__name__)

ALL = "all"

SLICES = ("targets", "brightness", "sequence", "presence", "size", "corruptions")
"""What a split can be sliced by."""

NOTES = (
    "mIoU is over the classes that the truth of a slice holds, a difference over those that the "
    "truth of both sides holds: it need not be the difference of two mIoU.",
    "For size it is the IoU of the class alone, against the other images that hold the class.",
)


@dataclass(frozen=True, eq=False)
class SlicePlan:
    """What is asked for, once it is known that it can be had.

    Attributes:
        wanted: some of `SLICES`.
        source, split: what is scored.
        targets: the text of each image by column of `targets.csv`.
        notes: what cannot be had.
    """

    wanted: tuple[str, ...]
    source: ScannedDataset
    split: str
    targets: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()


def wanted_slices(given: object) -> tuple[str, ...]:
    """Return some of `SLICES`, in their order.

    Args:
        given: a list of them, one of them, or ``all``; None: none.

    Raises:
        ConfigError: an unknown name, or no list.
    """
    if given is None:
        return ()
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names:
        raise ConfigError(f"slices={given!r}: expected a list, as slices=[brightness,size].")
    for name in names:
        if name not in (*SLICES, ALL):
            hint = did_you_mean(str(name), (*SLICES, ALL))
            raise ConfigError(
                f"slices: there is no {name!r}.{hint} There are {', '.join(SLICES)}, and {ALL}."
            )
    return tuple(name for name in SLICES if name in names or ALL in names)


def plan_slices(
    given: object, segments: bool, source: ScannedDataset, split: str, root: Path, file: Path | None
) -> SlicePlan | None:
    """Return what is asked for, before the expensive part starts; None where nothing is.

    Args:
        given: see `wanted_slices`. ``all`` goes without targets where the data have none.
        segments: the model predicts masks.
        source, split: what is scored.
        root: the data set's folder.
        file: the file of image-level targets; None: every `targets.csv` of the data set.

    Raises:
        ConfigError: see `wanted_slices`, or the model does not segment.
        DataError: targets are asked for by name and there are none, or they cannot be read.
    """
    wanted = wanted_slices(given)
    targets: dict[str, list[str]] = {}
    notes: list[str] = []
    if not wanted:
        return None
    if not segments:
        raise ConfigError("slices are of masks, and this model predicts none. Type slices=null.")
    if "targets" in wanted:
        everything = {**source.splits.unselected, **source.samples}
        try:
            if file is None:
                find_target_files(root, [row for rows in everything.values() for row in rows])
        except DataError as error:
            if "targets" in given:  # type: ignore[operator]  # and not just all
                raise DataError(
                    f"slices=[targets] needs a {TARGETS_FILE}, and there is none in {root} nor "
                    f"beside its images. Put it there, or say where it is: targets=<csv>."
                ) from error
            notes.append(f"targets: the data have no {TARGETS_FILE}.")
        else:
            targets = read_target_columns(root, everything, split, file)
    return SlicePlan(wanted, source, split, targets, tuple(notes))


def write_slices(
    plan: SlicePlan | None,
    directory: Path | None,
    trainer: pl.Trainer,
    module: ScoringModule,
    data: SegmentationData,
) -> None:
    """Write ``slices.csv``, a summary into ``metrics.json``, and print tables.

    All ranks have to call it: corrupted images are scored by all, the rest is done by rank zero.

    Args:
        plan: what is asked for.
        directory: the scoring of the split, written by now; None on every rank but zero.
        trainer, module, data: what it was scored with.
    """
    if plan is None:
        return
    corrupted: Corrupted = {}
    if "corruptions" in plan.wanted:
        corrupted = score_corrupted(plan.split, trainer, module, data)
    if directory is None:
        return
    run = read_scored(directory)
    dataset = data.datasets[plan.split]
    place = {name: index for index, name in enumerate(dataset.names)}
    rows = np.array([place[name] for name in run.names])
    tables, facts, notes = _sliced(plan, run, _attributes(plan, dataset, run, rows))
    words = []
    if corrupted:
        table, summary, resampling = score_corruptions(
            *same_images(run, {key: one.rows(rows) for key, one in corrupted.items()})
        )
        tables.append(table)
        facts["robustness"] = summary.to_dict() | {"resampling": resampling.describe()}
        notes += [f"corruptions: {note}" for note in resampling.notes if note not in notes]
        words.append(summary.describe())
    if not tables:
        log.warning("slices: nothing divides the %s split. %s", plan.split, " ".join(notes))
        return
    everything = pd.concat(tables, ignore_index=True)
    write_atomic(directory / SLICES_FILE, everything.to_csv(index=False))
    add_facts(directory, slices=facts | {"notes": notes})
    show_slices(everything, [*words, *notes], SLICES_FILE)


def _sliced(
    plan: SlicePlan, run: ScoredImages, attributes: pd.DataFrame
) -> tuple[list[pd.DataFrame], dict[str, Any], list[str]]:
    """Return the table of slices if there are any, what metrics.json says of it, and notes."""
    slices, left_out = find_slices(run, attributes, presence="presence" in plan.wanted)
    notes = [*plan.notes, *left_out]
    if not slices:
        return [], {}, notes
    table, resampling = score_slices(run, slices)
    return [table], {"resampling": resampling.describe()}, [*notes, *NOTES, *resampling.notes]


def _attributes(
    plan: SlicePlan, dataset: SegmentationDataset, run: ScoredImages, rows: np.ndarray
) -> pd.DataFrame:
    brightness = plan.source.scans[plan.split].brightness[rows, 0]
    return image_attributes(
        run.names,
        brightness if "brightness" in plan.wanted else None,
        "sequence" in plan.wanted,
        {column: [cells[row] for row in rows] for column, cells in plan.targets.items()},
        sizes_of(dataset.pairs, rows.tolist(), run.classes) if "size" in plan.wanted else None,
    )


log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EarlierSlices:
    """What is known of the slices of a scoring.

    Attributes:
        scored: the scoring.
        table: `slices.csv` as it is.
    """

    scored: ScoredImages
    table: bytes


def earlier_slices(directory: Path) -> EarlierSlices | None:
    """Return the slices of the scoring that a directory holds; None where there are none."""
    if not (directory / SLICES_FILE).is_file():
        return None
    try:
        scored = read_scored(directory)
    except DataError:  # a scoring that is damaged is none
        return None
    return EarlierSlices(scored, (directory / SLICES_FILE).read_bytes())


def keep_slices(earlier: EarlierSlices | None, directory: Path) -> bool:
    """Put slices back if the new scoring counted the same in every image; return whether it did.

    Args:
        earlier: what the directory held before.
        directory: the new scoring, which is complete.
    """
    if earlier is None or "slices" not in earlier.scored.metrics:
        return False
    was, now = earlier.scored, read_scored(directory)
    if was.names != now.names or not np.array_equal(was.confusion, now.confusion):
        log.info("the slices of the earlier scoring are gone: other pixels are counted now")
        return False
    write_atomic(directory / SLICES_FILE, earlier.table)
    add_facts(directory, slices=was.metrics["slices"])
    return True
