"""Initialise a model from an earlier one of this project, also for other classes."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segmentation.classes import ClassTable
from segmentation.console import argument
from segmentation.errors import ModelError, listed
from segmentation.models.description import Model
from segmentation.models.saving import LoadedModel, load_model
from segmentation.models.unet import UNet
from segmentation.targets import TargetColumns

log = logging.getLogger(__name__)

HEADS = ("head.", "target_head.")


def warm_start(model: Model, path: str | Path, classes: ClassTable | None) -> None:
    """Load the weights of an earlier model, and the normalisation that belongs to them.

    Encoder and decoder must be those of the earlier model, except for dropout. The head is loaded
    for classes that both models have, by name, and keeps its initialisation for others; the head
    for image-level targets is loaded if both predict the same targets. What is not loaded is
    logged.

    Args:
        model: a newly built model; modified in place.
        path: a run directory, a `.ckpt`, a model directory, or the name of a shipped model.
        classes: classes of `model`; None if it does not segment.

    Raises:
        ModelError: `path` is none of these, or its model has another architecture.
    """
    earlier = load_model(path)
    channels = earlier.model.encoder.in_channels, model.encoder.in_channels
    if channels[0] != channels[1]:
        raise ModelError(
            f"model.weights={path}: that model takes images with {channels[0]} channels, and "
            f"these have {channels[1]}. Use its encoder alone: encoder.weights={path}"
        )
    if wanted := _differing(model, earlier.model):
        raise ModelError(
            f"model.weights={path}: that model has another encoder or decoder. Pass "
            f"{' '.join(wanted)} for the same here, or use its encoder alone: "
            f"encoder.weights={path}"
        )
    own, theirs = model.state_dict(), earlier.model.state_dict()
    weights = {key: value for key, value in theirs.items() if not key.startswith(HEADS)}
    weights |= _head(own, theirs, classes, earlier)
    weights |= _target_head(model, theirs, earlier)
    model.load_state_dict(weights, strict=False)
    model.encoder.mean, model.encoder.std = earlier.model.encoder.mean, earlier.model.encoder.std
    model.encoder.source, model.encoder.pretrained = f"model {path}", True


def _differing(model: Model, earlier: Model) -> list[str]:
    """Return the arguments to type for a model like the earlier one; none if they are alike."""
    names: dict[str, tuple[Any, Any]] = {"encoder.name": (model.encoder.name, earlier.encoder.name)}
    if isinstance(model, UNet) and isinstance(earlier, UNet):
        here, there = model.options.model_dump(), earlier.options.model_dump()
        names |= {f"decoder.{key}": (here[key], there[key]) for key in here if key != "dropout"}
    elif type(model) is not type(earlier):
        names["task.segmentation"] = (isinstance(model, UNet), isinstance(earlier, UNet))
    return [argument(key, there) for key, (here, there) in names.items() if here != there]


def _head(
    own: dict[str, Tensor],
    theirs: dict[str, Tensor],
    classes: ClassTable | None,
    earlier: LoadedModel,
) -> dict[str, Tensor]:
    """Return the head, with the earlier rows for the classes that both models have."""
    if classes is None:
        return {}
    known = {} if earlier.classes is None else {n: i for i, n in enumerate(earlier.classes.names)}
    pairs = [(i, known[name]) for i, name in enumerate(classes.names) if name in known]
    new = [name for name in classes.names if name not in known]
    if new:
        message = "model.weights: the head starts afresh for %d of %d classes: %s"
        log.info(message, len(new), len(classes), listed(new))
    if not pairs:
        return {}
    here, there = map(list, zip(*pairs, strict=True))
    head = {key: value.clone() for key, value in own.items() if key.startswith("head.")}
    with torch.no_grad():
        for key, value in head.items():
            value[here] = theirs[key][there]
    return head


def _target_head(
    model: Model, theirs: dict[str, Tensor], earlier: LoadedModel
) -> dict[str, Tensor]:
    """Return the earlier head for image-level targets, if both models predict the same ones."""
    now, before = model.target_head, earlier.model.target_head
    if now is None:
        return {}
    if before is None or _named(before.columns) != _named(now.columns):
        log.info("model.weights: the head for image-level targets starts afresh")
        return {}
    return {key: value for key, value in theirs.items() if key.startswith("target_head.")}


def _named(columns: TargetColumns) -> tuple[object, ...]:
    return columns.category, columns.categories, columns.values
