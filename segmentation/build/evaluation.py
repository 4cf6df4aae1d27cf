"""`evaluate`: from the configuration to a plan, whose methods find and build what is scored."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from segmentation.build.data import build_data, find_dataset
from segmentation.build.targets import known_targets
from segmentation.build.trainer import build_trainer, check_whole, trainer_options
from segmentation.channels import Channels
from segmentation.classes import TABLES, ClassTable
from segmentation.config import CONF, plain
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import TABLE_FILE, ScannedDataset, select_usable
from segmentation.data.targets.table import TargetTable
from segmentation.errors import ConfigError, DataError, ModelError, did_you_mean
from segmentation.inference.class_map import ClassMap, read_class_map
from segmentation.inference.options import InferenceOptions
from segmentation.models import LoadedModel, UNet
from segmentation.models.shipped import locate
from segmentation.models.weights_files import read_checkpoint
from segmentation.runs.directory import read_environment, read_settings, run_of
from segmentation.runs.per_image_file import MOST_UNPACKED
from segmentation.runs.saved_config import updated
from segmentation.runs.scored_images import DETAILS

log = logging.getLogger(__name__)

SLICES = ("targets", "brightness", "sequence", "presence", "size", "corruptions")
"""What a split can be sliced by."""

ALL = "all"
"""Of the option `slices`: every slice that the data allow."""

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
"""Lightning's names, as far as they need no other library."""


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """The split that is scored.

    Attributes:
        source: what can be used of the data.
        split: its name.
        root: the data set's folder, as configured.
        classes: of the data; None where nothing is segmented.
        targets: the image-level targets of each split; None for a model that predicts none.
        targets_file: the file that holds them; None: `targets.csv` beside the images.
    """

    source: ScannedDataset
    split: str
    root: str
    classes: ClassTable | None
    targets: dict[str, TargetTable] | None
    targets_file: Path | None
    _options: DictConfig = field(repr=False)

    def build_loaders(self) -> SegmentationData:
        """Return Lightning's datamodule."""
        return build_data(self._options, self.source, None, seed=0, targets=self.targets)

    def fingerprints(self) -> dict[str, str | None]:
        """Return hashes of the images and the targets, as `metrics.json` has them."""
        return {
            "data_fingerprint": self.source.fingerprints()[self.split],
            "targets_fingerprint": targets_fingerprint(self.targets, self.split),
        }


@dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """An evaluation as configured; its methods build the parts, in the order of the page.

    Attributes:
        model: the run directory, checkpoint, model directory or name, as it was typed.
        source: where the model is.
        run: the run directory of its training; None where it has none.
        data_name: of another data set; None: the training's own is scored.
        inference: the views of each image.
        slices: names of the slices to score, see `SLICES`.
        targets_required: targets are among the slices by name, not by `all`.
        mapped: whether a class map was typed.
        tracked: the W&B run of the training gets the scores.
    """

    model: str
    source: Path
    run: Path | None
    data_name: str | None
    inference: InferenceOptions
    slices: tuple[str, ...]
    targets_required: bool
    mapped: bool
    tracked: bool
    _cfg: DictConfig = field(repr=False)

    @cached_property
    def _trained(self) -> dict[str, Any] | None:
        return trained_config(self.source)

    def read_class_map(self, classes: ClassTable | None) -> ClassMap | None:
        """Return the class map that was typed, checked against the model's classes."""
        if not self.mapped:
            return None
        if classes is None:
            raise ConfigError(f"class_map: {self.model} has no classes, it does not segment.")
        return read_class_map(plain(self._cfg)["class_map"], classes)

    def build_trainer(self, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
        """Return Lightning's trainer; the precision is the training's, so that scores agree."""
        options = scoring_options(self._cfg.trainer, self._trained, self.run)
        return build_trainer(
            options, logger=False, enable_checkpointing=False, callbacks=list(callbacks)
        )

    def find_data(self, loaded: LoadedModel) -> EvaluationData:
        """Find and check the split, its classes and its image-level targets.

        Raises:
            ConfigError, DataError: the data can't be scored as configured.
        """
        segments = loaded.classes is not None
        data = scored_data(self._cfg, self._trained, loaded.size, self.run)
        source, split = find_split(data, self._cfg.split, segments, loaded.channels)
        classes = source.labels.classes if segments else None
        if classes is not None:
            check_room(len(source.samples[split]), len(classes))
        if self.data_name is None:
            warn_of_other_data(self.run, split, source)

        targets = None
        file = targets_file(self._cfg, self._trained)
        if loaded.model.target_head is not None:
            needed = not isinstance(loaded.model, UNet)
            columns = loaded.model.target_head.columns
            targets = known_targets(columns, Path(data.root).expanduser(), source, file, needed)
        return EvaluationData(source, split, str(data.root), classes, targets, file, data)


def read_evaluation(cfg: DictConfig) -> EvaluationPlan:
    """Return the plan of an evaluation.

    Args:
        cfg: see conf/evaluate.yaml.

    Raises:
        ConfigError: an invalid option, or a model that is not there.
    """
    inference = InferenceOptions.from_dict(plain(cfg))
    slices = wanted_slices(cfg.slices)
    check_whole(cfg.trainer)
    tracked = check_tracking(cfg.wandb)
    source = locate(cfg.run)
    return EvaluationPlan(
        model=cfg.run,
        source=source,
        run=run_of(source),
        data_name=cfg.data.name or None,
        inference=inference,
        slices=slices,
        targets_required=bool(slices) and "targets" in cfg.slices,
        mapped=cfg.class_map is not None,
        tracked=tracked,
        _cfg=cfg,
    )


def wanted_slices(given: object) -> tuple[str, ...]:
    """Return the names among `SLICES` that an option asks for, in their order.

    Args:
        given: a list of names, a single name, or ``all``; None: none.

    Raises:
        ConfigError: an unknown name, or not a list.
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


def check_tracking(wanted: object) -> bool:
    """Return whether the option `wandb` sends the scores to the W&B run of the training.

    Raises:
        ConfigError: it is neither auto nor false.
    """
    if wanted not in ("auto", False):
        raise ConfigError(
            f"wandb={wanted}: use auto (the scores go to the W&B run of the training, where it has "
            "one) or false."
        )
    return wanted == "auto"


def scoring_options(
    trainer: DictConfig, trained: dict[str, Any] | None, run: Path | None
) -> dict[str, Any]:
    """Return the trainer's options, with the precision of the training for `auto`.

    The trainer is instantiated from them, and a checkpoint may be a stranger's: its precision is a
    known name or refused.
    """
    options = trainer_options(trainer)
    if trainer.precision != "auto":
        return options
    recorded = ((run and read_environment(run)) or {}).get("precision")
    section = (trained or {}).get("trainer")
    precision = recorded or (section.get("precision") if isinstance(section, dict) else None)
    if precision in (None, "auto"):
        return options
    if precision not in PRECISIONS:
        raise ConfigError(
            f"the precision of the training is {str(precision)[:40]!r}, which is unknown. "
            "Set one: trainer.precision=32-true"
        )
    if str(precision).startswith("16-") and options["accelerator"] == "cpu":
        log.warning(
            "the training's precision, %s, is not available on a CPU: using %s",
            precision,
            options["precision"],
        )
        return options
    return options | {"precision": precision}


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
        ConfigError: the model does not know its data, and no others are given.
        DataError: its data were drawn, and are missing.
    """
    if cfg.data.name:
        cfg.data.crop = None  # only training crops
        if cfg.data.size is None and size is not None:
            cfg.data.size = list(size)
        return cfg.data
    if trained is None:
        raise ConfigError(
            f"{cfg.run} does not know its data. Set them: data=<option of conf/data> data.root=..."
        )
    if run and trained["data"].get("classes") not in TABLES and (run / TABLE_FILE).is_file():
        trained["data"]["classes"] = str(run / TABLE_FILE)
    changes = {key: value for key, value in cfg.data.items() if value is not None}
    trained["data"] |= {"channels": None}  # the model says which it takes
    drawn = trained["data"].pop("draw", None)
    defaults = OmegaConf.load(CONF / "data" / "folder.yaml")  # for runs older than some option
    data = OmegaConf.merge(defaults, trained["data"], changes, {"crop": None})
    if drawn and not Path(data.root).expanduser().is_dir():
        raise DataError(
            f"{data.root}: there is no such folder. The training drew its data into it; "
            f"draw some here: data=streets data.root={data.root}"
        )
    return data  # type: ignore[return-value]


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
    """Return the file of image-level targets: as typed, else that of the training, else None."""
    file = cfg.targets
    if file is None and trained is not None and not cfg.data.name:
        file = trained.get("task", {}).get("targets", {}).get("file")
    return Path(file).expanduser() if file else None


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


def trained_config(path: Path) -> dict[str, Any] | None:
    """Return the configuration that a model was trained with, as plain values.

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
