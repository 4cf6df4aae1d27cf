"""Parameter groups with learning rates and weight decay, and the learning rate for a batch size."""

import math
from typing import TYPE_CHECKING

from segmentation.errors import ConfigError, check_count, check_number

if TYPE_CHECKING:  # the options are checked before torch is imported
    from torch import nn

NO_DECAY = "_no_decay"


def parameter_groups(
    model: "nn.Module", lr: float, encoder_lr_factor: float, weight_decay: float
) -> list[dict]:
    """Return parameter groups for a torch optimizer, each trainable parameter in exactly one.

    Normalisation layers, biases and other vectors get no weight decay (He et al. 2019, "Bag of
    tricks", section 3.1). Tables of relative position biases count as biases.

    Args:
        model: with the encoder as `model.encoder`. Frozen parameters are omitted for good: to
            freeze the encoder for some epochs, do so after building the optimizer.
        lr: learning rate of everything but the encoder, above 0.
        encoder_lr_factor: the encoder's learning rate is ``lr * encoder_lr_factor``; 0 or more.
        weight_decay: 0 or more.

    Returns:
        Up to four groups with ``name`` (encoder, encoder_no_decay, decoder, decoder_no_decay),
        ``params``, ``lr`` and ``weight_decay``; empty ones are omitted.

    Raises:
        ConfigError: a number out of range, or no trainable parameter.
    """
    lr, factor, decay = check_rates(lr, encoder_lr_factor, weight_decay)
    rates = {"encoder": lr * factor, "decoder": lr}
    parameters: dict[str, list[nn.Parameter]] = {
        part + suffix: [] for part in rates for suffix in ("", NO_DECAY)
    }
    of_encoder = {id(parameter) for parameter in model.get_submodule("encoder").parameters()}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = "encoder" if id(parameter) in of_encoder else "decoder"
            vector = parameter.dim() <= 1 or "bias" in name.rpartition(".")[2]
            parameters[part + NO_DECAY if vector else part].append(parameter)
    if not any(parameters.values()):
        raise ConfigError("the model has no trainable parameter: all are frozen.")
    return [
        {
            "name": name,
            "params": members,
            "lr": rates[name.removesuffix(NO_DECAY)],
            "weight_decay": 0.0 if name.endswith(NO_DECAY) else decay,
        }
        for name, members in parameters.items()
        if members
    ]


def check_rates(
    lr: object, encoder_lr_factor: object, weight_decay: object
) -> tuple[float, float, float]:
    """Return the numbers of `parameter_groups`.

    Raises:
        ConfigError: one is out of range.
    """
    return (
        check_number("optimizer.lr", lr, "above 0", lambda value: value > 0),
        check_number("encoder.lr_factor", encoder_lr_factor, "0 or more", lambda value: value >= 0),
        check_number("optimizer.weight_decay", weight_decay, "0 or more", lambda value: value >= 0),
    )


SQUARE_ROOT_SCALING = ("Adam", "AdamW", "RMSprop")

LINEAR_SCALING = ("SGD",)


def lr_factor(optimizer: str, lr_for_batch: int | None, batch: int) -> float:
    """Return the factor that scales a learning rate to another batch size.

    The rate of Adam and its kin grows with the square root of the batch (Malladi et al. 2022, "On
    the SDEs and scaling rules for adaptive gradient algorithms", section 5; betas and epsilon are
    not scaled), that of SGD in proportion (Goyal et al. 2017, "Accurate, large minibatch SGD",
    section 2.1).

    Args:
        optimizer: class name, with or without its module.
        lr_for_batch: global batch that the learning rate is for; None disables scaling.
        batch: images in one optimizer step, over all ranks and accumulated batches.

    Raises:
        ConfigError: `lr_for_batch` is not a positive count, or the optimizer has no rule.
    """
    if lr_for_batch is None:
        return 1.0
    ratio = batch / check_count("optimizer.lr_for_batch", lr_for_batch, 1)
    name = optimizer.rpartition(".")[2]
    if name in SQUARE_ROOT_SCALING:
        return math.sqrt(ratio)
    if name in LINEAR_SCALING:
        return ratio
    raise ConfigError(
        f"optimizer.lr_for_batch has no scaling rule for {name}, only for "
        f"{', '.join((*SQUARE_ROOT_SCALING, *LINEAR_SCALING))}. Pass optimizer.lr for your batch "
        "size and optimizer.lr_for_batch=null."
    )
