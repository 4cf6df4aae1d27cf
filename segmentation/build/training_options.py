"""Check what the words of a training and the file system alone say, before torch is imported."""

from omegaconf import DictConfig, OmegaConf

from segmentation.build.data_options import batch_size, check_data
from segmentation.build.task_options import check_task
from segmentation.build.trainer_options import check_trainer
from segmentation.build.typed_options import typed_keys, yield_to_typed
from segmentation.cli.signatures import arguments_of
from segmentation.config import plain
from segmentation.errors import ConfigError, check_count, check_seed, did_you_mean
from segmentation.model_files import KINDS, existing_model, existing_weights
from segmentation.training.optimizer import check_rates, lr_factor


def check_training_options(cfg: DictConfig) -> None:
    """Check the options and paths of a training that begins.

    Args:
        cfg: see conf/train.yaml.

    Raises:
        SegmentationError: on invalid user input.
    """
    cfg = yield_to_typed(cfg, typed_keys(), told=False)
    check_seed("seed", cfg.seed)
    check_task(cfg.task)
    check_data(cfg.data)
    check_trainer(plain(cfg.trainer))
    check_optimizer(cfg)
    for name in ("optimizer", "schedule"):
        check_arguments(name, cfg[name])
    check_count("encoder.freeze_epochs", cfg.encoder.freeze_epochs, 0)
    check_weights(cfg)


def check_optimizer(cfg: DictConfig) -> None:
    """Check the numbers of the optimizer.

    Args:
        cfg: `optimizer`, `encoder`, and the sections that set the batch: `data` and `trainer`.

    Raises:
        ConfigError: one is out of range.
    """
    options = cfg.optimizer
    check_rates(options.lr, cfg.encoder.lr_factor, options.get("weight_decay", 0))
    lr_factor(options._target_, options.get("lr_for_batch"), global_batch(cfg))


def check_arguments(section: str, options: DictConfig) -> None:
    """Check that a class has the arguments that a section of the configuration gives it.

    Raises:
        ConfigError: an argument that it does not have.
    """
    known = arguments_of(options._target_)
    ours = ("lr_for_batch",) if section == "optimizer" else ()
    for key in options:
        if known and not str(key).startswith("_") and key not in (*known, *ours):
            called = options._target_.rpartition(".")[2]
            hint = did_you_mean(str(key), known)
            raise ConfigError(f"{called} has no option {section}.{key!s}.{hint}")


def global_batch(cfg: DictConfig) -> int:
    """Return the number of images in an optimizer step, over all ranks."""
    steps = check_count("trainer.accumulate_grad_batches", cfg.trainer.accumulate_grad_batches, 1)
    return batch_size(cfg.data) * steps


def check_weights(cfg: DictConfig) -> None:
    """Check that the weights to start from are there, and of one kind.

    Args:
        cfg: `encoder` and `model`.

    Raises:
        ConfigError: both kinds are set.
        ModelError: there are none.
    """
    earlier = OmegaConf.select(cfg, "model.weights")  # configurations of before lack it
    weights = cfg.encoder.weights
    if earlier and weights not in KINDS:
        raise ConfigError(
            f"model.weights={earlier} includes the encoder's weights, so "
            f"encoder.weights={weights} would have no effect: type one of the two."
        )
    if earlier:
        existing_model(earlier)
    elif weights not in KINDS:
        existing_weights(str(weights))
