"""Describe how a run was trained, for a model's card and the tables of results."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from segmentation.commands.publish.public_command import public_command
from segmentation.config import value_at
from segmentation.console import duration
from segmentation.runs.directory import read_environment, read_metrics, read_settings
from segmentation.system.redaction import last_component

PACKAGES = ("albumentations", "cityseg", "timm", "torch")
PATH_SOURCES = ("file", "model", "SMP")
"""Kinds of weights sources that a path follows."""


def recipe(run: Path) -> dict[str, str]:
    """Return how a finished run was trained, by the names that its card shows.

    What an older run did not record is omitted, and so are folders of its machine.
    """
    saved, environment = read_settings(run), read_environment(run) or {}
    metrics, data = read_metrics(run) or {}, saved["data"]
    weights, seconds = value_at(saved, "model.weights"), metrics.get("seconds")
    versions = environment.get("versions") or {}
    device = environment.get("device", "an unknown device")
    lines = {
        "command": public_command(environment.get("overrides", []), data["name"]),
        "data": data["name"],
        "images": _images(data),
        "starts from": f"all of {last_component(str(weights))}" if weights else "",
        "encoder's weights": weights_source(environment.get("encoder_weights") or "unknown"),
        "loss": _loss(saved),
        "augmentation": _augmentation(saved),
        "optimizer": _optimizer(saved),
        "epochs": _epochs(saved, metrics),
        "average of the weights": _average(saved, metrics),
        "precision": environment.get("precision"),
        "seed": saved.get("seed"),
        "time": "" if seconds is None else f"{duration(seconds)} on {device}",
        "code": code(environment, 12),
        "versions": ", ".join(f"{name} {versions[name]}" for name in PACKAGES if name in versions),
    }
    return {key: str(value) for key, value in lines.items() if value not in (None, "")}


def weights_source(text: str) -> str:
    """Return the source of an encoder's weights without folders of the machine."""
    kind, _, path = text.partition(" ")
    return f"{kind} {last_component(path)}" if kind in PATH_SOURCES else text


def code(environment: Mapping[str, Any], digits: int | None = None) -> str:
    """Return the commit that a run was trained with; empty where it is unknown.

    Args:
        environment: of the run.
        digits: of the commit; None: all.
    """
    git = environment.get("git") or {}
    changed = ", with changes" if git.get("changed") else ""
    return f"{git['commit'][:digits]}{changed}" if git.get("commit") else ""


def _images(data: Mapping[str, Any]) -> str:
    size, crop = data.get("size"), data.get("crop")
    words = "resized to {}x{}".format(*size) if size else "of their own size"
    return words + (", in random crops of {}x{}".format(*crop) if isinstance(crop, list) else "")


def _loss(saved: Mapping[str, Any]) -> str:
    if value_at(saved, "task.segmentation") is False:
        return "of image-level targets"
    terms = (value_at(saved, "loss.terms") or {}).items()
    words = " + ".join(f"{term['weight']:g} {name.replace('_', ' ')}" for name, term in terms)
    return f"{words}, class weights {value_at(saved, 'loss.class_weights')}" if words else ""


def _augmentation(saved: Mapping[str, Any]) -> str:
    zoom = value_at(saved, "augment.scale")
    names = [next(iter(transform)) for transform in value_at(saved, "augment.transforms") or []]
    return ", ".join([*(["zoom {:g} to {:g}".format(*zoom)] if zoom else []), *names]) or "none"


def _optimizer(saved: Mapping[str, Any]) -> str:
    get = partial(value_at, saved)
    factor = get("encoder.lr_factor")
    words = [
        str(get("optimizer._target_") or "").rpartition(".")[2],
        f"learning rate {get('optimizer.lr')}",
        str(get("schedule._target_") or "").rpartition(".")[2],
        f"batch {get('data.batch_size')}",
        "" if factor in (None, 1) else f"encoder's learning rate times {factor}",
    ]
    return ", ".join(filter(None, words))


def _epochs(saved: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return the number of epochs, as a maximum if something could end the training earlier."""
    epochs = value_at(saved, "trainer.max_epochs")
    if epochs == -1:
        epochs = f"{value_at(saved, 'trainer.max_steps')} steps"
    early = value_at(saved, "callbacks.early_stopping") or value_at(saved, "trainer.max_time")
    at_most = " at most" if early or metrics.get("pruned") else ""
    return "" if epochs is None else f"{epochs}{at_most}"


def _average(saved: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return how the weights of the best epoch were averaged."""
    if decay := value_at(saved, "callbacks.ema.decay"):
        return f"exponential, decay {decay}"
    count = value_at(saved, "callbacks.mean_of_last.epochs")
    if not count:
        return "none"
    best, first = metrics.get("epoch"), saved["trainer"]["max_epochs"] + 1 - count
    if best is not None and best < first:
        return f"none, as the best epoch came before the last {count}"
    return f"mean of epochs {max(1, first)} to {best or 'the last'}"
