"""`evaluate`: from the configuration to a plan of plain values, and what builds the parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from segmentation.build.data_options import check_data
from segmentation.build.trainer_options import check_trainer, check_whole
from segmentation.config import plain, user_path
from segmentation.errors import ConfigError, DataError, check_flag, did_you_mean
from segmentation.inference.options import InferenceOptions
from segmentation.model_files import existing_model
from segmentation.runs.directory import run_of

if TYPE_CHECKING:  # invalid options are told before torch is imported
    import pytorch_lightning as pl

    from segmentation.build.scored_split import ScoredSplit
    from segmentation.models import LoadedModel

SLICES = ("targets", "brightness", "sequence", "presence", "size", "corruptions")
"""What a split can be sliced by."""

ALL = "all"
"""Of the option `slices`: every slice that the data allow."""


@dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """An evaluation as configured.

    Attributes:
        model: the run directory, checkpoint, model directory or name, as it was typed.
        source: where the model is.
        run: the run directory of its training; None where it has none.
        data_name: of another data set; None: the training's own is scored.
        inference: the views of each image.
        slices: names of the slices to score, see `SLICES`.
        targets_required: targets are among the slices by name, not by `all`.
        class_map: a map or the path of one, as it was typed; None for none.
        compile: the model is compiled first.
        tracked: the W&B run of the training gets the scores.
        any_project: whatever W&B project the run names, which a stranger may have written.
        find_split: finds the split of a loaded model with the configuration of its training, see
            `find_scored_split`.
        build_trainer: builds the trainer of that configuration with callbacks, see
            `build_scoring_trainer`.
    """

    model: str
    source: Path
    run: Path | None
    data_name: str | None
    inference: InferenceOptions
    slices: tuple[str, ...]
    targets_required: bool
    class_map: str | Mapping[str, Any] | None
    compile: bool
    tracked: bool
    any_project: bool
    find_split: Callable[["LoadedModel", dict[str, Any] | None], "ScoredSplit"]
    build_trainer: Callable[[dict[str, Any] | None, Sequence["pl.Callback"]], "pl.Trainer"]


def read_evaluation(cfg: DictConfig) -> EvaluationPlan:
    """Return the plan of an evaluation.

    Args:
        cfg: see conf/evaluate.yaml.

    Raises:
        SegmentationError: an invalid option, or a path that is not there.
    """
    options = plain(cfg)
    inference = InferenceOptions.from_dict(options)
    slices = wanted_slices(cfg.slices)
    check_whole(cfg.trainer)
    check_trainer(plain(cfg.trainer))
    tracked = check_tracking(cfg.wandb)
    source = existing_model(cfg.run)
    if cfg.data.name:
        check_data(cfg.data)
    if cfg.targets and not user_path(cfg.targets).is_file():
        raise DataError(f"{user_path(cfg.targets)} does not exist.")
    if isinstance(cfg.class_map, str) and not user_path(cfg.class_map).is_file():
        raise ConfigError(f"the class map {user_path(cfg.class_map)} can't be read: no such file.")
    run = run_of(source)
    return EvaluationPlan(
        model=cfg.run,
        source=source,
        run=run,
        data_name=cfg.data.name or None,
        inference=inference,
        slices=slices,
        targets_required=bool(slices) and "targets" in cfg.slices,
        class_map=options["class_map"],
        compile=check_flag("compile", cfg.compile),
        tracked=tracked,
        any_project=cfg.wandb is True,
        find_split=partial(_find_split, cfg, run),
        build_trainer=partial(_build_trainer, cfg.trainer, run),
    )


def _find_split(*arguments: Any) -> "ScoredSplit":
    from segmentation.build.scored_split import find_scored_split

    return find_scored_split(*arguments)


def _build_trainer(*arguments: Any) -> "pl.Trainer":
    from segmentation.build.scoring_trainer import build_scoring_trainer

    return build_scoring_trainer(*arguments)


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
        ConfigError: it is none of auto, true and false.
    """
    if wanted not in ("auto", True, False):
        raise ConfigError(
            f"wandb={wanted}: use auto (the scores go to the W&B run of the training, where it has "
            "one in your own project), true (in any project that the run names) or false."
        )
    return wanted is not False
