"""Score a trained model on a split."""

import json
import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation import build, build_targets, build_trainer, console, runs
from segmentation.classes import TABLES
from segmentation.cli import CONF
from segmentation.commands.results import report
from segmentation.data.source import TABLE_FILE, Source, usable
from segmentation.data.targets import TargetTable
from segmentation.errors import ConfigError, DataError
from segmentation.models import Model, UNet, load_model
from segmentation.quiet import quiet_libraries
from segmentation.training.progress import RunProgress
from segmentation.training.scoring import ScoringModule
from segmentation.training.skipped import SkippedFiles

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> runs.Results | None:
    """Score `cfg.run`; write metrics, what it predicts and pictures below its run directory.

    Returns:
        The scores; None on every process but the first.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    quiet_libraries()
    with runs.collected_warnings() as warnings:
        return _evaluate(cfg, warnings)


def _evaluate(cfg: DictConfig, warnings: list[str]) -> runs.Results | None:
    source = Path(cfg.run).expanduser()
    loaded = load_model(source)
    trained = runs.trained_config(source)
    data_cfg = _data(cfg, trained, loaded.size, runs.run_directory(source))
    only = [cfg.split] if cfg.split else ["test", "val"]
    masks = loaded.classes is not None
    found = usable(build.find_source(data_cfg, only, masks=masks), data_cfg.on_error, masks)
    split = next((split for split in only if split in found.scans), None)
    if split is None:
        raise DataError(f"the {' and the '.join(only)} split of {data_cfg.root} has no labels.")
    if loaded.classes is not None and found.labels.classes != loaded.classes:
        raise ConfigError(
            f"the model predicts {list(loaded.classes.names)} but data={data_cfg.name} has "
            f"{list(found.labels.classes.names)}. Score it on data with its own classes "
            "(see data.classes and data.void)."
        )
    if not cfg.data.name:
        _warn_of_other_data(runs.run_directory(source), split, found)
    targets = _targets(cfg, loaded.model, data_cfg, trained, found)
    data = build.build_data(data_cfg, found, None, seed=0, targets=targets)
    skipped = SkippedFiles()
    module = ScoringModule(loaded.model, loaded.classes)
    trainer = build_trainer.build_trainer(
        _trainer_options(cfg.trainer, trained), logger=False, enable_checkpointing=False,
        callbacks=[RunProgress(), skipped],
    )  # fmt: skip
    data.trainer = trainer  # whose device and processes the loader follows
    trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
    directory = _output(source, split, cfg.data.name)
    if not trainer.is_global_zero:
        return None
    results = report(
        directory, f"{source} on {split}", module, data.datasets[split],
        found.scans[split].pixels.sum(axis=0), skipped.scored,
        split=split, model=str(source), data=str(data_cfg.root),
        data_fingerprint=found.fingerprints()[split], precision=str(trainer.precision),
        warnings=(said := list(dict.fromkeys([*_warnings(source), *warnings]))),
    )  # fmt: skip
    console.show_warnings(said)
    console.console.print(f"written to {directory}", soft_wrap=True)
    return results


def _warn_of_other_data(run: Path | None, split: str, source: Source) -> None:
    """Say so where a split is not what it was when the model was trained."""
    if run is None:
        return
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    known = environment.get("data", {}).get(split)
    if known is not None and known != source.fingerprints()[split]:
        log.warning(
            "the %s split is not the one of the training (files were added, removed or changed): "
            "where splits are made by name, it may hold images that were trained on.", split,
        )  # fmt: skip


def _data(
    cfg: DictConfig,
    trained: dict[str, Any] | None,
    size: tuple[int, int] | None,
    run: Path | None,
) -> DictConfig:
    """Return the data section: another data set's, or the run's own with what replaces it.

    Either way images are resized as for training unless data.size says otherwise.

    Args:
        trained, size: the configuration and the size of the training.
        run: its directory, which keeps the class table.
    """
    if cfg.data.name:
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
    defaults = OmegaConf.load(CONF / "data" / "folder.yaml")  # for runs older than some option
    return OmegaConf.merge(defaults, trained["data"], changes)  # type: ignore[return-value]


def _targets(
    cfg: DictConfig,
    model: Model,
    data: DictConfig,
    trained: dict[str, Any] | None,
    source: Source,
) -> dict[str, TargetTable] | None:
    """Return the image-level targets of the data, for a model that predicts some."""
    if model.target_head is None:
        return None
    file = cfg.targets
    if file is None and trained is not None and not cfg.data.name:
        file = trained.get("task", {}).get("targets", {}).get("file")
    return build_targets.known_targets(
        model.target_head.columns,
        Path(data.root).expanduser(),
        source,
        Path(file).expanduser() if file else None,
        needed=not isinstance(model, UNet),
    )


def _trainer_options(trainer: DictConfig, trained: dict[str, Any] | None) -> dict[str, Any]:
    """Return the trainer's options; the precision is the training's, so that digits agree."""
    options = build_trainer.trainer_options(trainer)
    if trainer.precision == "auto" and trained and "precision" in trained.get("trainer", {}):
        chosen = trained["trainer"]["precision"]
        options["precision"] = options["precision"] if chosen == "auto" else chosen
    return options


def _output(source: Path, split: str, data: str | None) -> Path:
    """Return evaluation/<[data_][checkpoint_]split>, below the run directory where there is one."""
    parts = [data, source.stem if source.suffix == ".ckpt" and source.stem != "best" else None]
    folder = "_".join(part for part in (*parts, split) if part)
    run = runs.run_directory(source)
    home = run or (source.parent if source.is_file() else source)
    return home / "evaluation" / folder


def _warnings(source: Path) -> list[str]:
    """Return the warnings of the run, such as random weights in place of ImageNet's."""
    run = runs.run_directory(source)
    if run is None or not (run / "metrics.json").is_file():
        return []
    return json.loads((run / "metrics.json").read_text()).get("warnings", [])
