"""Find the data of a training, and build their loaders."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from segmentation.build.data import build_data, find_dataset
from segmentation.build.targets import find_targets
from segmentation.classes import ClassTable
from segmentation.data.check import quick_check
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset, select_usable
from segmentation.errors import DataError
from segmentation.targets import TargetColumns


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a training.

    Attributes:
        source: the files, after a look at each.
        loaders: Lightning's datamodule.
        classes: of the segmentation; None where nothing is segmented.
        columns: the image-level targets; None for none.
    """

    source: ScannedDataset
    loaders: SegmentationData
    classes: ClassTable | None
    columns: TargetColumns | None


def find_training_data(cfg: DictConfig, directory: Path, parts: int) -> TrainingData:
    """Find and check the data of a training.

    Args:
        cfg: `data`, `augment`, `task` and `seed`, see conf/train.yaml.
        directory: of the run.
        parts: number of parts that a training batch is split into.

    Raises:
        ConfigError, DataError: the data can't be trained on as configured.
    """
    data, segments = cfg.data, cfg.task.segmentation
    source = select_usable(
        find_dataset(data, directory=directory, masks=segments), data.on_error, segments
    )
    for split in ("train", "val"):
        if split not in source.samples:
            raise DataError(
                f"no {split} split in {data.root} (splits there: {', '.join(source.samples)}). "
                "Training needs train and val."
            )
    quick_check(source, segments)
    columns, targets = find_targets(cfg.task, Path(data.root).expanduser(), source)
    loaders = build_data(data, source, cfg.augment, cfg.seed, targets=targets, parts=parts)
    loaders.check_sizes(source.scans["train"].sizes)
    return TrainingData(source, loaders, source.labels.classes if segments else None, columns)
