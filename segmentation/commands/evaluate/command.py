"""Score a trained model on a split."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation import console
from segmentation.build.data import build_data
from segmentation.build.evaluation import (
    check_room,
    find_split,
    find_targets,
    scored_data,
    targets_file,
    targets_fingerprint,
    trained_config,
    warn_of_other_data,
)
from segmentation.build.trainer import build_trainer, check_whole, trainer_options
from segmentation.classes import ClassTable
from segmentation.commands.evaluate.directory import scoring_directory, writing
from segmentation.commands.evaluate.slices import (
    earlier_slices,
    keep_slices,
    plan_slices,
    wanted_slices,
    write_slices,
)
from segmentation.commands.results import report, write_page
from segmentation.commands.wandb_results import check_tracking, track_evaluation
from segmentation.config import plain
from segmentation.errors import ConfigError
from segmentation.inference.class_map import ClassMap, MappedModel, fit_class_map, read_class_map
from segmentation.inference.options import InferenceOptions
from segmentation.inference.test_time import averaged
from segmentation.models import load_model
from segmentation.models.saving import weights_hash
from segmentation.models.shipped import locate, shipped_name
from segmentation.runs.directory import METRICS, read_environment, read_metrics, run_of
from segmentation.runs.results import Results, add_facts
from segmentation.system.logs import collected_warnings, quiet_libraries
from segmentation.training.progress_bar import RunProgressBar
from segmentation.training.scoring import ScoringModule
from segmentation.training.skipped_files import SkippedFiles

log = logging.getLogger(__name__)

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
"""Lightning's names, as far as they need no other library."""


def evaluate(cfg: DictConfig) -> Results | None:
    """Score `cfg.run`; write metrics, what it predicts and pictures below its run directory.

    Returns:
        The scores; None on every process but the first.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    quiet_libraries()
    with collected_warnings() as warnings:
        return _evaluate(cfg, warnings)


def _evaluate(cfg: DictConfig, warnings: list[str]) -> Results | None:
    options = InferenceOptions.from_dict(plain(cfg))
    wanted_slices(cfg.slices)
    check_whole(cfg.trainer)
    tracked = check_tracking(cfg.wandb)
    source = locate(cfg.run)
    loaded = load_model(source)
    chosen = _given_map(cfg, loaded.classes)
    model = averaged(loaded.model, options)
    trained, run = trained_config(source), run_of(source)
    data_cfg = scored_data(cfg, trained, loaded.size, run)
    skipped = SkippedFiles()
    trainer = build_trainer(
        _trainer_options(cfg.trainer, trained, run), logger=False, enable_checkpointing=False,
        callbacks=[RunProgressBar(), skipped],
    )  # fmt: skip
    found, split = find_split(data_cfg, cfg.split, masks=loaded.classes is not None)
    classes = None
    if loaded.classes is not None:
        classes = found.labels.classes
        check_room(len(found.samples[split]), len(classes))
        chosen = fit_class_map(chosen, loaded.classes, classes)
        if chosen is not None:
            model = MappedModel(model, chosen, loaded.classes, classes)
    if not cfg.data.name:
        warn_of_other_data(run, split, found)
    targets = find_targets(cfg, loaded.model, data_cfg, trained, found)
    sliced = plan_slices(
        cfg.slices, classes is not None, found, split, Path(data_cfg.root).expanduser(),
        targets_file(cfg, trained),
    )  # fmt: skip
    data = build_data(data_cfg, found, None, seed=0, targets=targets)
    module = ScoringModule(model, classes)
    data.trainer = trainer  # whose device and processes the loader follows
    facts = {
        "split": split, "weights": weights_hash(loaded.model),
        "data_fingerprint": found.fingerprints()[split],
        "targets_fingerprint": targets_fingerprint(targets, split),
        "precision": str(trainer.precision), "inference": options.to_dict(),
        "size": data.size and list(data.size), "class_map": chosen,
        "classes": None if classes is None else list(classes.names),
    }  # fmt: skip
    directory = scoring_directory(source, cfg.data.name, options, cfg.class_map is not None, facts)
    first = trainer.is_global_zero
    with writing(directory) if first else nullcontext():
        trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
        if not first:
            write_slices(sliced, None, trainer, module, data)
            return None
        again = " in place of an earlier scoring" if (directory / METRICS).is_file() else ""
        earlier = earlier_slices(directory)
        results = report(
            directory, f"{cfg.run} on {split}", module, data.datasets[split],
            found.scans[split].pixels.sum(axis=0), skipped.scored,
            **facts, model=shipped_name(source) or str(source), data=str(data_cfg.root),
            warnings=_warnings(run, warnings),
        )  # fmt: skip
        page = write_page(directory, run)  # of all there is, should what follows not come to an end
        if sliced is not None:
            write_slices(sliced, directory, trainer, module, data)
        if sliced is not None or keep_slices(earlier, directory):
            add_facts(directory, warnings=_warnings(run, warnings))
            write_page(directory, run)
    console.show_warnings(_warnings(run, warnings))
    words = f"written to {directory}{again}: {page.name} shows it"
    console.console.print(words, soft_wrap=True, highlight=False, markup=False)
    if tracked:
        track_evaluation(run, directory)
    return results


def _given_map(cfg: DictConfig, classes: ClassTable | None) -> ClassMap | None:
    """Return the user's class map, checked against the model's classes."""
    if cfg.class_map is None:
        return None
    if classes is None:
        raise ConfigError(f"class_map: {cfg.run} has no classes, it does not segment.")
    return read_class_map(plain(cfg)["class_map"], classes)


def _trainer_options(
    trainer: DictConfig, trained: dict[str, Any] | None, run: Path | None
) -> dict[str, Any]:
    """Return the trainer's options; the precision is the training's, so that digits agree.

    What a checkpoint says of it may be a stranger's: the trainer is instantiated from it, so it is
    a known name or nothing.
    """
    options = trainer_options(trainer)
    if trainer.precision != "auto":
        return options
    recorded = ((run and read_environment(run)) or {}).get("precision")
    section = (trained or {}).get("trainer")
    chosen = recorded or (section.get("precision") if isinstance(section, dict) else None)
    if chosen in (None, "auto"):
        return options
    if chosen not in PRECISIONS:
        raise ConfigError(
            f"the precision of the training is {str(chosen)[:40]!r}, which is none. "
            "Say one: trainer.precision=32-true"
        )
    if str(chosen).startswith("16-") and options["accelerator"] == "cpu":
        log.warning(
            "the training's precision, %s, cannot be had on a CPU: it is %s here",
            chosen, options["precision"],
        )  # fmt: skip
        return options
    return options | {"precision": chosen}


def _warnings(run: Path | None, new: list[str]) -> list[str]:
    """Return the warnings of the run, such as random weights for ImageNet's, then the new ones."""
    kept = None if run is None else read_metrics(run)
    return list(dict.fromkeys([*(kept or {}).get("warnings", []), *new]))
