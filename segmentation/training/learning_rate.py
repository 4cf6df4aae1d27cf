"""The learning rate of another batch than the one it was found for.

The batch is global: the number of processes changes neither it nor the learning rate.
"""

import math

from segmentation.checks import check_count
from segmentation.errors import ConfigError

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
