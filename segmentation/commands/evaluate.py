"""Score a trained model on a split."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation import build, console, runs
from segmentation.data.layouts import available_splits
from segmentation.data.scan import scan
from segmentation.errors import ConfigError
from segmentation.models import load_model
from segmentation.pictures import save_pictures
from segmentation.quiet import quiet_libraries
from segmentation.scores import Scores
from segmentation.training.module import ScoringModule
from segmentation.training.progress import RunProgress


def evaluate(cfg: DictConfig) -> Scores:
    """Score `cfg.run` and write metrics, confusion matrices and pictures below its run directory.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    quiet_libraries()
    source = Path(cfg.run).expanduser()
    loaded = load_model(source)
    trained = runs.trained_config(source)
    data_cfg = _data(cfg, trained, loaded.size)
    if build.build_classes(data_cfg) != loaded.classes:
        raise ConfigError(
            f"the model predicts {list(loaded.classes.names)} but data={data_cfg.name} has "
            f"{list(build.build_classes(data_cfg).names)}. Score it on data with its own classes "
            "(see data.void)."
        )
    there = available_splits(Path(data_cfg.root or ".").expanduser())
    split = cfg.split or ("test" if "test" in there or "draw" in data_cfg else "val")
    splits = build.build_samples(data_cfg, only=split)
    found = scan(splits[split], loaded.classes)
    data = build.build_data(data_cfg, {split: splits[split]}, [], seed=0)
    module = ScoringModule(loaded.model, loaded.classes)
    trainer = build.build_trainer(
        _trainer_options(cfg.trainer, trained), logger=False, enable_checkpointing=False,
        callbacks=[RunProgress()],
    )  # fmt: skip
    data.trainer = trainer  # whose device and processes the loader follows
    trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
    directory = _output(source, split, cfg.data.name)
    names = [sample.name for sample in splits[split]]
    assert module.confusion is not None
    if trainer.is_global_zero:
        result = runs.write_scores(
            directory, module.confusion, names, loaded.classes,
            split=split, model=str(source), data=str(data_cfg.root),
            data_fingerprint=found.fingerprint, precision=str(trainer.precision),
            warnings=_warnings(source),
        )  # fmt: skip
        save_pictures(
            loaded.model, data.datasets[split], loaded.classes, directory / "pictures.png"
        )
        console.show_scores(
            f"{source} on {split}", result, loaded.classes.names, found.pixels.sum(axis=0)
        )
        console.show_warnings(_warnings(source))
        console.console.print(f"written to {directory}", soft_wrap=True)
    return module.scores


def _data(
    cfg: DictConfig, trained: dict[str, Any] | None, size: tuple[int, int] | None
) -> DictConfig:
    """Return the data section: another data set's, or the run's own with what replaces it.

    Either way images are resized as for training unless data.size says otherwise.
    """
    if cfg.data.name:
        if cfg.data.size is None and size is not None:
            cfg.data.size = list(size)
        return cfg.data
    if trained is None:
        raise ConfigError(
            f"{cfg.run} does not know its data. Say them: data=<option of conf/data> data.root=..."
        )
    changes = {key: value for key, value in cfg.data.items() if value is not None}
    return OmegaConf.merge(trained["data"], changes)  # type: ignore[return-value]


def _trainer_options(trainer: DictConfig, trained: dict[str, Any] | None) -> dict[str, Any]:
    """Return the trainer's options; the precision is the training's, so that digits agree."""
    options = build.trainer_options(trainer)
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
