"""The data that `evaluate.py` scores a model on: the run's own, or another data set."""

import hashlib
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.build.data import find_dataset
from segmentation.build.targets import known_targets
from segmentation.classes import TABLES
from segmentation.config import CONF
from segmentation.data.discovery.scanned_dataset import TABLE_FILE, ScannedDataset, select_usable
from segmentation.data.targets.table import TargetTable
from segmentation.errors import ConfigError, DataError, ModelError
from segmentation.models import Model, UNet
from segmentation.models.weights_files import read_checkpoint
from segmentation.runs.directory import read_environment, read_settings, run_of
from segmentation.runs.per_image_file import MOST_UNPACKED
from segmentation.runs.saved_config import updated
from segmentation.runs.scored_images import DETAILS

log = logging.getLogger(__name__)


def scored_data(
    cfg: DictConfig,
    trained: dict[str, Any] | None,
    size: tuple[int, int] | None,
    run: Path | None,
) -> DictConfig:
    """Return the data section: another data set's, or the run's own with what replaces it.

    Either way images are resized as for training unless data.size says otherwise. What is drawn was
    drawn by the training: the configuration of a run may be a stranger's, and makes no files.

    Args:
        cfg: see conf/evaluate.yaml.
        trained, size: the configuration and the size of the training.
        run: its directory, which keeps the class table.

    Raises:
        ConfigError: the model does not know its data, and no others are given.
        DataError: its data were drawn, and are not there.
    """
    if cfg.data.name:
        cfg.data.crop = None  # which has a say in training alone
        if cfg.data.size is None and size is not None:
            cfg.data.size = list(size)
        return cfg.data
    if trained is None:
        raise ConfigError(
            f"{cfg.run} does not know its data. Say them: data=<option of conf/data> data.root=..."
        )
    if run and trained["data"].get("classes") not in TABLES and (run / TABLE_FILE).is_file():
        trained["data"]["classes"] = str(run / TABLE_FILE)
    changes = {key: value for key, value in cfg.data.items() if value is not None}
    drawn = trained["data"].pop("draw", None)
    defaults = OmegaConf.load(CONF / "data" / "folder.yaml")  # for runs older than some option
    data = OmegaConf.merge(defaults, trained["data"], changes, {"crop": None})
    if drawn and not Path(data.root).expanduser().is_dir():
        raise DataError(
            f"{data.root}: there is no such folder. The training drew its data into it; "
            f"draw some here: data=streets data.root={data.root}"
        )
    return data  # type: ignore[return-value]


def find_split(data: DictConfig, wanted: str | None, masks: bool) -> tuple[ScannedDataset, str]:
    """Return what can be used of the data, and which split is scored.

    Args:
        data: see conf/data.
        wanted: val or test; None: test where the data have it, else val.
        masks: they are needed.

    Raises:
        SegmentationError: for whatever a user can mend, such as a split without labels.
    """
    only = [wanted] if wanted else ["test", "val"]
    found = select_usable(find_dataset(data, only, masks=masks), data.on_error, masks)
    for split in only:
        if split in found.scans:
            if split == "train":
                log.warning("split=train: scores of images that were learnt say nothing of others")
            return found, split
    raise DataError(f"the {' and the '.join(only)} split of {data.root} has no labels.")


def find_targets(
    cfg: DictConfig,
    model: Model,
    data: DictConfig,
    trained: dict[str, Any] | None,
    source: ScannedDataset,
) -> dict[str, TargetTable] | None:
    """Return the image-level targets of the data, for a model that predicts some."""
    if model.target_head is None:
        return None
    return known_targets(
        model.target_head.columns,
        Path(data.root).expanduser(),
        source,
        targets_file(cfg, trained),
        needed=not isinstance(model, UNet),
    )


def targets_fingerprint(targets: Mapping[str, TargetTable] | None, split: str) -> str | None:
    """Return a hash of the image-level targets of a split; None for none."""
    if targets is None:
        return None
    table = targets[split]
    return hashlib.sha256(table.category.tobytes() + table.values.tobytes()).hexdigest()


def check_room(images: int, classes: int) -> None:
    """Check that what is kept of each image can be read again.

    Raises:
        DataError: it is too much.
    """
    details = sum(math.prod(shape) for shape in DETAILS.values())
    needed = 8 * images * classes * (classes + details)
    if needed > MOST_UNPACKED:
        most = MOST_UNPACKED * images // needed
        raise DataError(
            f"{images:,} images of {classes} classes are too many: what is counted in each of them "
            f"takes {needed:,} bytes. About {most:,} can be scored at once: divide the split."
        )


def targets_file(cfg: DictConfig, trained: dict[str, Any] | None) -> Path | None:
    """Return the file of image-level targets: the user's, else that of the training; None: none."""
    file = cfg.targets
    if file is None and trained is not None and not cfg.data.name:
        file = trained.get("task", {}).get("targets", {}).get("file")
    return Path(file).expanduser() if file else None


def warn_of_other_data(run: Path | None, split: str, source: ScannedDataset) -> None:
    """Say so where a split is not what it was when the model was trained.

    Args:
        run: the run directory of the training, if there is one.
        split, source: what is scored.
    """
    environment = None if run is None else read_environment(run)
    known = (environment or {}).get("data", {}).get(split)
    if known is not None and known != source.fingerprints()[split]:
        log.warning(
            "the %s split is not the one of the training (files were added, removed or changed): "
            "where splits are made by name, it may hold images that were trained on.", split,
        )  # fmt: skip


def trained_config(path: Path) -> dict[str, Any] | None:
    """Return the configuration a model was trained with, as plain values.

    Args:
        path: a run directory, a `.ckpt`, or a model directory; the last knows its configuration
            only as long as it lies in its run directory.

    Raises:
        ModelError: the file cannot be read as a checkpoint of this project.
    """
    if path.is_file():
        config = read_checkpoint(path).get("config")
        if not isinstance(config, dict) or not isinstance(config.get("data"), dict):
            raise ModelError(
                f"{path} is not a checkpoint of this project: it has no configuration."
            )
        return updated(config)
    run = run_of(path)
    return None if run is None else read_settings(run)
