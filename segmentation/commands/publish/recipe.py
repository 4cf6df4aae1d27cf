"""Describe how a run was trained, for a model's card and the tables of results."""

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from segmentation.cli.overrides import readable
from segmentation.config import value_at
from segmentation.console import duration, quoted
from segmentation.runs.directory import read_environment, read_metrics, read_settings
from segmentation.system.redaction import last_component, redact

PACKAGES = ("albumentations", "cityseg", "timm", "torch")
RUN = "<run>"
"""Replaces a run's directory."""
MAY_BE_RUNS = ("model.weights", "encoder.weights")
MAY_HOLD_SLASHES = ("encoder.name", "data.group")
PATH_SOURCES = ("file", "model", "SMP")
"""Kinds of weights sources that a path follows."""
OF_THE_MACHINE = re.compile(
    r"[+~]*(logger|hydra|launcher|sweep|wandb|resume|rerun|checkpoint_minutes|signals"
    r"|data\.(cache|workers|pairs)|trainer\.(accelerator|devices|num_nodes|strategy))\b.*"
)
"""Overrides of where and how a run is carried out, not of what it is."""


def recipe(run: Path) -> dict[str, str]:
    """Return how a finished run was trained, by the names that its card shows.

    What an older run did not record is omitted, and so are folders of its machine.
    """
    saved, environment = read_settings(run), read_environment(run) or {}
    metrics, get = read_metrics(run) or {}, partial(value_at, saved)
    versions = environment.get("versions") or {}
    packages = [name for name in PACKAGES if name in versions]
    weights, seconds = get("model.weights"), metrics.get("seconds")
    device = environment.get("device", "an unknown device")
    lines = {
        "command": command(environment.get("overrides", []), saved["data"]["name"]),
        "data": saved["data"]["name"],
        "images": _images(saved["data"]),
        "starts from": f"all of {last_component(str(weights))}" if weights else "",
        "encoder's weights": weights_source(environment.get("encoder_weights") or "unknown"),
        "loss": "of image-level targets" if get("task.segmentation") is False else _loss(saved),
        "augmentation": _augmentation(saved),
        "optimizer": _optimizer(saved),
        "epochs": _epochs(saved, metrics),
        "average of the weights": _average(saved, metrics),
        "precision": environment.get("precision"),
        "seed": get("seed"),
        "time": "" if seconds is None else f"{duration(seconds)} on {device}",
        "code": code(environment, 12),
        "versions": ", ".join(f"{name} {versions[name]}" for name in packages),
    }
    return {key: str(value) for key, value in lines.items() if value not in (None, "")}


def command(overrides: Sequence[str], data: str) -> str:
    """Return the command of a run as it can be typed on other machines.

    Args:
        overrides: of the run.
        data: the name of its data, which replaces their folder.
    """
    shown = [
        _without_machine(word, data) for word in overrides if not OF_THE_MACHINE.fullmatch(word)
    ]
    shown.sort(key=lambda word: not word.startswith("experiment="))  # readers look for it
    return " ".join(["python train.py", *shown])


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


def _without_machine(override: str, data: str) -> str:
    """Return an override without folders of this machine."""
    key, _, text = override.partition("=")
    name = key.lstrip("+~")
    if name == "data.root":
        return f"{key}=<{data}>"
    try:
        value = OverridesParser.create().parse_override(readable(override)).value()
    except HydraException:  # of an older version, which kept the words as they were typed
        value = text
    shown = _without_folders(name, value)
    if shown == value:
        return shlex.quote(redact(override))
    return f"{key}={RUN}" if shown == RUN else shlex.quote(redact(f"{key}={quoted(shown)}"))


def _without_folders(name: str, value: Any) -> Any:
    """Reduce each path in a value to its last component, and a run's directory to `RUN`."""
    if isinstance(value, dict):
        return {key: _without_folders(f"{name}.{key}", child) for key, child in value.items()}
    if isinstance(value, list):
        return [_without_folders(name, child) for child in value]
    is_option = "." not in name  # of a group
    if not isinstance(value, str) or name in MAY_HOLD_SLASHES or is_option:
        return value
    if name in MAY_BE_RUNS and re.search(r"[/\\]", value) and not Path(value).suffix:
        return RUN
    return last_component(value)


def _images(data: Mapping[str, Any]) -> str:
    size, crop = data.get("size"), data.get("crop")
    words = "resized to {}x{}".format(*size) if size else "of their own size"
    return words + (", in random crops of {}x{}".format(*crop) if isinstance(crop, list) else "")


def _loss(saved: Mapping[str, Any]) -> str:
    terms = (value_at(saved, "loss.terms") or {}).items()
    words = " + ".join(f"{term['weight']:g} {name.replace('_', ' ')}" for name, term in terms)
    return f"{words}, class weights {value_at(saved, 'loss.class_weights')}" if words else ""


def _augmentation(saved: Mapping[str, Any]) -> str:
    zoom = value_at(saved, "augment.scale")
    names = [next(iter(transform)) for transform in value_at(saved, "augment.transforms") or []]
    return ", ".join([*(["zoom {:g} to {:g}".format(*zoom)] if zoom else []), *names]) or "none"


def _optimizer(saved: Mapping[str, Any]) -> str:
    get = partial(value_at, saved)
    optimizer, schedule = (
        str(get(f"{part}._target_") or "").rpartition(".")[2] for part in ("optimizer", "schedule")
    )
    factor = get("encoder.lr_factor")
    words = [
        optimizer,
        f"learning rate {get('optimizer.lr')}",
        schedule,
        f"batch {get('data.batch_size')}",
        "" if factor in (None, 1) else f"encoder's learning rate times {factor}",
    ]
    return ", ".join(filter(None, words))


def _epochs(saved: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return the number of epochs, as a maximum if something could end the training earlier."""
    epochs = value_at(saved, "trainer.max_epochs")
    if epochs is None:
        return ""
    early = value_at(saved, "callbacks.early_stopping") or value_at(saved, "trainer.max_time")
    return f"{epochs} at most" if early or metrics.get("pruned") else str(epochs)


def _average(saved: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return how the weights of the best epoch were averaged."""
    callbacks = saved.get("callbacks") or {}
    if ema := callbacks.get("ema"):
        return f"exponential, decay {ema['decay']}"
    if not (mean := callbacks.get("mean_of_last")):
        return "none"
    best, first = metrics.get("epoch"), saved["trainer"]["max_epochs"] + 1 - mean["epochs"]
    if best is not None and best < first:
        return f"none, as the best epoch came before the last {mean['epochs']}"
    return f"mean of epochs {max(1, first)} to {best or 'the last'}"
