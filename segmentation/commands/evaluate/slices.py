"""Score slices of a split: images that have something in common, and corrupted images."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl

from segmentation.build.scored_split import ScoredSplit
from segmentation.commands.evaluate.corruptions import Corrupted, same_images, score_corrupted
from segmentation.config import user_path
from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import SegmentationDataset
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.targets.columns import read_target_columns
from segmentation.data.targets.files import TARGETS_FILE, find_target_files
from segmentation.errors import ConfigError, DataError
from segmentation.evaluation.comparison.tables import to_csv
from segmentation.evaluation.slices.attributes import image_attributes, sizes_of
from segmentation.evaluation.slices.robustness import score_corruptions
from segmentation.evaluation.slices.scores import score_slices
from segmentation.evaluation.slices.slices import find_slices
from segmentation.report.terminal.slices import show_slices
from segmentation.runs.directory import SLICES_FILE
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.results import add_facts
from segmentation.runs.scored_images import ScoredImages
from segmentation.system.files import write_atomic
from segmentation.training.scoring import ScoringModule

log = logging.getLogger(__name__)

NOTES = (
    "mIoU is over the classes that the truth of a slice holds, a difference over those that the "
    "truth of both sides holds: it need not be the difference of two mIoU.",
    "For size it is the IoU of the class alone, against the other images that hold the class.",
)


@dataclass(frozen=True, eq=False)
class SlicePlan:
    """The slices to score, once the data are known to allow them.

    Attributes:
        wanted: names of slices, see `wanted_slices`.
        source, split: what is scored.
        targets: the text of each image by column of `targets.csv`.
        notes: which slices the data do not allow.
    """

    wanted: tuple[str, ...]
    source: ScannedDataset
    split: str
    targets: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()


def plan_slices(
    wanted: tuple[str, ...], targets_required: bool, data: ScoredSplit
) -> SlicePlan | None:
    """Check that the data allow the slices, before the expensive part; None where none are wanted.

    Args:
        wanted: names of slices.
        targets_required: else data without image-level targets are noted.
        data: what is scored.

    Raises:
        ConfigError: the model does not segment.
        DataError: required targets are missing, or they can't be read.
    """
    if not wanted:
        return None
    if data.classes is None:
        raise ConfigError("slices are of masks, and this model predicts none. Type slices=null.")
    channels = data.source.reader.channels
    if "corruptions" in wanted and not channels.is_rgb:
        raise ConfigError(
            f"slices=[corruptions] is for 8-bit RGB images, and these have {channels}. Omit it, "
            "as in slices=[sequence,presence,size]"
        )
    if "targets" not in wanted:
        return SlicePlan(wanted, data.source, data.name, {})
    root, file = user_path(data.root), data.targets_file
    everything = {**data.source.splits.unselected, **data.source.samples}
    try:
        if file is None:
            find_target_files(root, [row for rows in everything.values() for row in rows])
    except DataError as error:
        if targets_required:
            raise DataError(
                f"slices=[targets] needs a {TARGETS_FILE}, and there is none in {root} nor beside "
                "its images. Put it there, or pass targets=<csv>."
            ) from error
        notes = (f"targets: the data have no {TARGETS_FILE}.",)
        return SlicePlan(wanted, data.source, data.name, {}, notes)
    targets = read_target_columns(root, everything, data.name, file)
    return SlicePlan(wanted, data.source, data.name, targets)


def write_slices(
    plan: SlicePlan,
    directory: Path,
    trainer: pl.Trainer,
    module: ScoringModule,
    data: SegmentationData,
) -> None:
    """Write ``slices.csv``, a summary into ``metrics.json``, and print tables.

    All ranks must call it: all score the corrupted images, rank zero does the rest.

    Args:
        plan: the slices to score.
        directory: the evaluation of the split, which is written.
        trainer, module, data: what the split was scored with.
    """
    corrupted: Corrupted = {}
    if "corruptions" in plan.wanted:
        corrupted = score_corrupted(plan.split, trainer, module, data)
    if not trainer.is_global_zero:
        return

    # Slices of the images as they are.
    run = read_scored(directory)
    dataset = data.datasets[plan.split]
    place = {name: index for index, name in enumerate(dataset.names)}
    rows = np.array([place[name] for name in run.names])
    tables, facts, notes = _sliced(plan, run, _attributes(plan, dataset, run, rows))

    # The corrupted images.
    words = []
    if corrupted:
        same = same_images(run, {key: counts.rows(rows) for key, counts in corrupted.items()})
        table, summary, resampling = score_corruptions(*same)
        tables.append(table)
        facts["robustness"] = summary.to_dict() | {"resampling": resampling.describe()}
        notes += [f"corruptions: {note}" for note in resampling.notes if note not in notes]
        words.append(summary.describe())

    if not tables:
        log.warning("slices: nothing divides the %s split. %s", plan.split, " ".join(notes))
        return
    everything = pd.concat(tables, ignore_index=True)
    write_atomic(directory / SLICES_FILE, to_csv(everything))
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
