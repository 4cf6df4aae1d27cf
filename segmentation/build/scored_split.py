"""Find the split that an evaluation scores, its classes and its image-level targets."""

import hashlib
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from segmentation.build.data import build_data, find_dataset
from segmentation.build.resume import check_max_pixels
from segmentation.build.targets import known_targets
from segmentation.classes import TABLES, ClassTable
from segmentation.config import CONF, user_path
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.class_table import TABLE_FILE
from segmentation.data.discovery.scanned_dataset import ScannedDataset, select_usable
from segmentation.data.images.channels import Channels
from segmentation.data.targets.table import TargetTable
from segmentation.errors import ConfigError, DataError
from segmentation.models import LoadedModel
from segmentation.runs.directory import read_environment
from segmentation.runs.per_image_file import MOST_UNPACKED
from segmentation.runs.scored_images import DETAILS

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ScoredSplit:
    """The split that is scored.

    Attributes:
        source: what can be used of the data.
        name: of the split.
        root: the data set's folder, as configured.
        classes: of the data; None where nothing is segmented.
        targets: the image-level targets of each split; None for a model that predicts none.
        targets_file: the file that holds them; None: `targets.csv` beside the images.
        build_loaders: returns Lightning's datamodule.
    """

    source: ScannedDataset
    name: str
    root: str
    classes: ClassTable | None
    targets: dict[str, TargetTable] | None
    targets_file: Path | None
    build_loaders: Callable[[], SegmentationData]

    def facts(self) -> dict[str, Any]:
        """Return what `metrics.json` says of the data: hashes of images and targets among it."""
        return {
            "split": self.name,
            "data_fingerprint": self.source.fingerprints()[self.name],
            "targets_fingerprint": targets_fingerprint(self.targets, self.name),
            "classes": None if self.classes is None else list(self.classes.names),
            "data": self.root,
        }


def find_scored_split(
    cfg: DictConfig, run: Path | None, loaded: LoadedModel, trained: dict[str, Any] | None
) -> ScoredSplit:
    """Find and check the split to score.

    Args:
        cfg: see conf/evaluate.yaml.
        run: directory of the training; None if it is unknown.
        loaded: the model.
        trained: the configuration of its training, see `trained_config`.

    Raises:
        ConfigError, DataError: the data can't be scored as configured.
    """
    segments = loaded.classes is not None
    data = scored_data(cfg, trained, loaded.size, run)
    source, split = find_split(data, cfg.split, segments, loaded.channels)
    classes = source.labels.classes if segments else None
    if classes is not None:
        check_room(len(source.samples[split]), len(classes))
    if not cfg.data.name:
        warn_of_other_data(run, split, source)

    targets = None
    file = targets_file(cfg, trained)
    if loaded.model.target_head is not None:
        needed = not segments
        columns = loaded.model.target_head.columns
        targets = known_targets(columns, user_path(data.root), source, file, needed)
    build_loaders = partial(build_data, data, source, None, seed=0, targets=targets)
    return ScoredSplit(source, split, str(data.root), classes, targets, file, build_loaders)


def scored_data(
    cfg: DictConfig,
    trained: dict[str, Any] | None,
    size: tuple[int, int] | None,
    run: Path | None,
) -> DictConfig:
    """Return the data section: another data set's, or that of the training with overrides.

    Images are resized as in training unless data.size is set. Generated scenes are not drawn here:
    the configuration of a run may be a stranger's, and writes no files.

    Args:
        cfg: see conf/evaluate.yaml.
        trained, size: the configuration and the image size of the training.
        run: its directory, which keeps the class table.

    Raises:
        ConfigError: the model does not know its data, and no others are given; or see
            `check_max_pixels`.
        DataError: its data were drawn, and are missing.
    """
    if cfg.data.name:
        other: dict[str, Any] = {"crop": None}  # only training crops
        if cfg.data.size is None and size is not None:
            other["size"] = list(size)
        return cast(DictConfig, OmegaConf.merge(cfg.data, other))
    if trained is None:
        raise ConfigError(
            f"{cfg.run} does not know its data. Set them: data=<option of conf/data> data.root=..."
        )
    if run and trained["data"].get("classes") not in TABLES and (run / TABLE_FILE).is_file():
        trained["data"]["classes"] = str(run / TABLE_FILE)
    changes = {key: value for key, value in cfg.data.items() if value is not None}
    trained["data"] |= {"channels": None}  # the model says which it takes
    if cfg.data.max_pixels is None:
        check_max_pixels(trained["data"].get("max_pixels"), None, f"run={cfg.run}")
    drawn = trained["data"].pop("draw", None)
    defaults = OmegaConf.load(CONF / "data" / "folder.yaml")  # for runs older than some option
    data = cast(DictConfig, OmegaConf.merge(defaults, trained["data"], changes, {"crop": None}))
    if drawn and not user_path(data.root).is_dir():
        raise DataError(
            f"{data.root}: there is no such folder. The training drew its data into it; "
            f"draw some here: data=streets data.root={data.root}"
        )
    return data


def find_split(
    data: DictConfig, wanted: str | None, masks: bool, channels: Channels | None = None
) -> tuple[ScannedDataset, str]:
    """Return the usable part of the data, and the name of the split to score.

    Args:
        data: see conf/data.
        wanted: val or test; None: test where the data have it, else val.
        masks: whether masks are required.
        channels: of the model; None: as configured.

    Raises:
        SegmentationError: on invalid user input, such as a split without labels.
    """
    only = [wanted] if wanted else ["test", "val"]
    source = select_usable(
        find_dataset(data, only, masks=masks, channels=channels), data.on_error, masks
    )
    for split in only:
        if split in source.scans:
            if split == "train":
                log.warning("split=train: scores of training images say nothing about others")
            return source, split
    raise DataError(f"the {' and the '.join(only)} split of {data.root} has no labels.")


def targets_fingerprint(targets: Mapping[str, TargetTable] | None, split: str) -> str | None:
    """Return a hash of the image-level targets of a split; None for none."""
    if targets is None:
        return None
    table = targets[split]
    return hashlib.sha256(table.category.tobytes() + table.values.tobytes()).hexdigest()


def check_room(images: int, classes: int) -> None:
    """Check that the counts kept of each image fit into a file that can be read again.

    Raises:
        DataError: there are too many.
    """
    details = sum(math.prod(shape) for shape in DETAILS.values())
    needed = 8 * images * classes * (classes + details)
    if needed > MOST_UNPACKED:
        most = MOST_UNPACKED * images // needed
        raise DataError(
            f"{images:,} images of {classes} classes are too many: their counts take "
            f"{needed:,} bytes. About {most:,} can be scored at once: divide the split."
        )


def targets_file(cfg: DictConfig, trained: dict[str, Any] | None) -> Path | None:
    """Return the file of image-level targets: as typed, else that of the training, else None.

    Raises:
        ConfigError: there is no file as typed.
    """
    file = cfg.targets
    if file is not None and not user_path(file).is_file():
        raise ConfigError(f"targets={file}: there is no such file.")
    if file is None and trained is not None and not cfg.data.name:
        file = trained.get("task", {}).get("targets", {}).get("file")
    return user_path(file) if file else None


def warn_of_other_data(run: Path | None, split: str, source: ScannedDataset) -> None:
    """Warn if a split has changed since the model was trained.

    Args:
        run: the run directory of the training, if there is one.
        split, source: what is scored.
    """
    environment = None if run is None else read_environment(run)
    known = (environment or {}).get("data", {}).get(split)
    if known is not None and known != source.fingerprints()[split]:
        log.warning(
            "the %s split is not the one of the training (files were added, removed or changed): "
            "where splits are made by name, it may hold images that were trained on.",
            split,
        )
