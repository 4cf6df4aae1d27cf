"""Check the options of Lightning's trainer by their names and types, without importing it."""

from collections.abc import Mapping
from types import NoneType
from typing import Any

from segmentation.build.argument_types import check_annotated
from segmentation.cli.signatures import arguments_of
from segmentation.errors import ConfigError, check_count, check_number, did_you_mean
from segmentation.system.hardware import check_accelerator

COMPILE = "compile"
"""The only option of conf/trainer that is not Lightning's, see `compiles`."""
CHECKED = ("accelerator", "devices", "precision", COMPILE)
"""Options that have checks of their own, not that of their types."""
TRAINER = "pytorch_lightning.Trainer"
SET_HERE = {
    "barebones": "a run needs its loggers and checkpoints",
    "callbacks": "choose callbacks=<option>, or add +callbacks.<name>._target_=<class>",
    "default_root_dir": "set hydra.run.dir=<directory>",
    "deterministic": "set deterministic=true",
    "enable_checkpointing": "a run is scored by its best checkpoint",
    "enable_model_summary": "the summary at the start has the parameters",
    "fast_dev_run": "it leaves no checkpoint to score. To try a training out, type "
    "trainer.max_epochs=1 trainer.limit_train_batches=1",
    "limit_test_batches": "a score is of every image of its split",
    "logger": "choose logger=<option>",
    "num_sanity_val_steps": "files and labels are checked before the training",
    "plugins": "checkpoints are written whole by a plugin of this project",
    "reload_dataloaders_every_n_epochs": "each epoch's order follows from the seed",
    "use_distributed_sampler": "the samplers of this project divide the images among processes",
}
"""Options of Lightning's trainer that are set by other options or by what a run promises."""
PRECISIONS = (
    "32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true", "32", "bf16", "16",
    "64", "transformer-engine", "transformer-engine-float16",
)  # fmt: skip
"""Lightning's names of precisions."""


def check_trainer(options: Mapping[str, Any]) -> None:
    """Check the trainer's options as far as their words say.

    Args:
        options: see conf/trainer, as plain values.

    Raises:
        ConfigError: an option that Lightning's trainer does not have or that is not the user's to
            set, or a value of another type.
    """
    known = dict(arguments_of(TRAINER))
    for name in options:
        if name in SET_HERE:
            raise ConfigError(f"trainer.{name} can't be set: {SET_HERE[name]}.")
        if name not in {*known, COMPILE, "_target_"} and options["_target_"] == TRAINER:
            hint = did_you_mean(name, known.keys() - SET_HERE.keys())
            raise ConfigError(f"Lightning's trainer has no option trainer.{name}.{hint}")
    check_annotated("trainer", known, options, skip=CHECKED)
    check_accelerator(options["accelerator"], "trainer.accelerator")
    precision = str(options["precision"])
    if precision not in (*PRECISIONS, "auto"):
        hint = did_you_mean(precision, PRECISIONS) or f" Use auto, {', '.join(PRECISIONS[:3])}."
        raise ConfigError(f"trainer.precision={precision} is none of Lightning's precisions.{hint}")
    if options[COMPILE] not in (True, False, "auto"):
        raise ConfigError(f"trainer.compile={options[COMPILE]}: use auto, true or false.")
    check_count("trainer.accumulate_grad_batches", options["accumulate_grad_batches"], 1)
    check_numbers(options)


def check_numbers(trainer: Mapping[str, Any]) -> None:
    """Check the numbers of the trainer that Lightning divides by or counts to.

    Args:
        trainer: Lightning's options.

    Raises:
        ConfigError: one is out of its range, or two exclude each other.
    """
    for name in ("log_every_n_steps", "num_nodes", "check_val_every_n_epoch"):
        if trainer.get(name) is not None:
            check_count(f"trainer.{name}", trainer[name], 1)
    for unit in ("epochs", "steps"):
        least, most = trainer.get(f"min_{unit}"), trainer.get(f"max_{unit}")
        if least is not None:
            check_count(f"trainer.min_{unit}", least, 0)
        if most in (None, -1):  # Lightning's "no limit"
            continue
        if check_count(f"trainer.max_{unit}", most, 1) < (least or 0):
            raise ConfigError(
                f"trainer.min_{unit}={least} is more than trainer.max_{unit}={most}: raise that."
            )
    if (clip := trainer.get("gradient_clip_val")) is not None:
        check_number("trainer.gradient_clip_val", clip, "0 or more", lambda value: value >= 0)
    every = trainer.get("val_check_interval")
    if type(every) is int:
        check_count("trainer.val_check_interval", every, 1)
    elif type(every) is float and not 0 < every <= 1:
        raise ConfigError(
            f"trainer.val_check_interval={every}: expected a whole number of batches of 1 or more, "
            "or a share of an epoch above 0 and up to 1.0."
        )
    elif trainer.get("check_val_every_n_epoch", 1) is None and type(every) in (float, NoneType):
        raise ConfigError(
            "trainer.check_val_every_n_epoch=null counts batches over epochs: also pass "
            "trainer.val_check_interval=<batches>."
        )


def check_whole(trainer: Mapping[str, Any]) -> None:
    """Check that an evaluation scores every image.

    Raises:
        ConfigError: an option limits the images of a split.
    """
    for key in ("limit_val_batches", "limit_test_batches", "fast_dev_run", "overfit_batches"):
        if trainer.get(key):
            raise ConfigError(f"trainer.{key}: a score is of every image of its split.")
