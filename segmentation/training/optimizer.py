"""Parameter groups: a learning rate for the encoder, weight decay only where it belongs."""

import math

from torch import nn

from segmentation.errors import ConfigError, check_count, check_number

NO_DECAY = "_no_decay"


def parameter_groups(
    model: nn.Module, lr: float, encoder_lr_factor: float, weight_decay: float
) -> list[dict]:
    """Return groups for a torch optimizer that hold each trainable parameter exactly once.

    Normalisation, biases and other vectors get no weight decay, which is for kernels (He et al.
    2019, "Bag of tricks", section 3.1). Tables of relative position biases count as biases.

    Args:
        model: `model.encoder` holds the encoder. What is frozen when this is called is left out,
            for good: freeze an encoder for its first epochs only after building the optimizer.
        lr: above 0, of everything but the encoder.
        encoder_lr_factor: 0 or more; the encoder learns at ``lr * encoder_lr_factor``.
        weight_decay: 0 or more.

    Returns:
        Up to four groups, with ``name`` (encoder, encoder_no_decay, decoder, decoder_no_decay),
        ``params``, ``lr`` and ``weight_decay``; one without parameters is left out.

    Raises:
        ConfigError: a number out of range, or nothing is trainable.
    """
    lr = check_number("optimizer.lr", lr, "above 0", lambda value: value > 0)
    factor = check_number(
        "encoder.lr_factor", encoder_lr_factor, "0 or more", lambda value: value >= 0
    )
    decay = check_number(
        "optimizer.weight_decay", weight_decay, "0 or more", lambda value: value >= 0
    )
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
        raise ConfigError("no parameter of the model is trainable: all are frozen.")
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


SQUARE_ROOT = ("Adam", "AdamW", "RMSprop")

LINEAR = ("SGD",)


def lr_factor(optimizer: str, lr_for_batch: int | None, batch: int) -> float:
    """Return what the learning rate is multiplied by so that it suits `batch`.

    Adam and its kin divide a gradient by the size of its noise, so that their rate grows with the
    square root of the batch (Malladi et al. 2022, "On the SDEs and scaling rules for adaptive
    gradient algorithms", section 5; its changes of beta and epsilon are not made). For SGD it
    grows in proportion (Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.1).

    Args:
        optimizer: the name of its class, with or without its module.
        lr_for_batch: the global batch that the learning rate is meant for; None: every batch.
        batch: images in one optimizer step, over all ranks and accumulated batches.

    Raises:
        ConfigError: `lr_for_batch` is no count, or there is no rule for the optimizer.
    """
    if lr_for_batch is None:
        return 1.0
    ratio = batch / check_count("optimizer.lr_for_batch", lr_for_batch, 1)
    name = optimizer.rpartition(".")[2]
    if name in SQUARE_ROOT:
        return math.sqrt(ratio)
    if name in LINEAR:
        return ratio
    raise ConfigError(
        f"optimizer.lr_for_batch: there is no rule for {name} (there is for "
        f"{', '.join((*SQUARE_ROOT, *LINEAR))}). Set optimizer.lr for your batch instead, and "
        "optimizer.lr_for_batch=null."
    )
