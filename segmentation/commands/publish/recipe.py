"""How a run was trained, in words: for a model's card and the tables of results."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from segmentation.cli.overrides import readable
from segmentation.config import value_at
from segmentation.console import duration, quoted
from segmentation.runs.directory import read_environment, read_metrics, read_settings
from segmentation.system.redaction import last_component, redact

DATA = "data.root"
RUNS = ("model.weights", "encoder.weights")
"""They may be a run's directory."""
RUN = "<run>"
NO_PATHS = ("encoder.name", "data.group")
"""They may hold a slash all the same."""
SOURCES = ("file", "model", "SMP")
"""What goes before a path where it is said where an encoder's weights came from."""
OF_THE_MACHINE = re.compile(
    r"[+~]*(logger|hydra|launcher|sweep|wandb|resume|rerun|checkpoint_minutes|signals"
    r"|data\.(cache|workers|pairs)|trainer\.(accelerator|devices|num_nodes|strategy))\b.*"
)
"""Overrides that say where and how a run is carried out, not what it is."""


def recipe(run: Path) -> dict[str, str]:
    """Return what a run was trained with, under the names that a reader looks for.

    What an older run did not keep is left out, and so are folders of its machine.

    Args:
        run: a run directory that is finished.
    """
    kept, environment = read_settings(run), read_environment(run) or {}
    metrics = read_metrics(run) or {}
    segments = value_at(kept, "task.segmentation") is not False
    found = {
        "command": command(environment.get("overrides", []), kept["data"]["name"]),
        "data": kept["data"]["name"],
        "images": _images(kept["data"]),
        "starts from": _earlier(kept),
        "encoder's weights": weights_source(environment.get("encoder_weights") or "unknown"),
        "loss": _loss(kept) if segments else "of image-level targets",
        "augmentation": _augmentation(kept),
        "optimizer": _optimizer(kept),
        "epochs": _epochs(kept, metrics),
        "average of the weights": _average(kept, metrics),
        "precision": str(environment.get("precision", "")),
        "seed": _text(kept, "seed"),
        "time": _time(metrics, environment),
        "code": code(environment, 12),
        "versions": ", ".join(
            f"{name} {version}"
            for name, version in (environment.get("versions") or {}).items()
            if name in ("cityseg", "torch", "timm", "albumentations")
        ),
    }
    return {key: value for key, value in found.items() if value}


def command(overrides: Sequence[str], data: str) -> str:
    """Return what was typed for a run, for other machines.

    Args:
        overrides: of the run.
        data: the name of its data, which stands for the folder that they were in.
    """
    kept = [_for_others(one, data) for one in overrides if not OF_THE_MACHINE.fullmatch(one)]
    kept.sort(key=lambda one: not one.startswith("experiment="))  # what a reader looks for
    return " ".join(["python train.py", *kept])


def weights_source(text: str) -> str:
    """Return where an encoder's weights came from, without folders of the machine."""
    kind, _, path = text.partition(" ")
    return f"{kind} {last_component(path)}" if kind in SOURCES else text


def code(environment: Mapping[str, Any], digits: int | None = None) -> str:
    """Return the commit that a run was trained with; empty where that is not known.

    Args:
        environment: of the run.
        digits: of the commit; None: all.
    """
    git = environment.get("git") or {}
    changed = ", with changes" if git.get("changed") else ""
    return f"{git['commit'][:digits]}{changed}" if git.get("commit") else ""


def _for_others(override: str, data: str) -> str:
    """Return an override without folders of this machine."""
    key = override.partition("=")[0]
    name = key.lstrip("+~")
    if name == DATA:
        return f"{key}=<{data}>"
    try:
        value = OverridesParser.create().parse_override(readable(override)).value()
    except HydraException:  # of an older version, which kept the words as they were typed
        value = override.partition("=")[2]
    told = _without_folders(name, value)
    if told == value:
        return shlex.quote(redact(override))
    return f"{key}={told}" if told == RUN else shlex.quote(redact(f"{key}={quoted(told)}"))


def _without_folders(name: str, value: Any) -> Any:
    """Return a value in which each path is its last part; a run's directory is `RUN`."""
    if isinstance(value, dict):
        return {key: _without_folders(f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_folders(name, one) for one in value]
    if not isinstance(value, str) or name in NO_PATHS or "." not in name:  # a group's option
        return value
    if name in RUNS and re.search(r"[/\\]", value) and not Path(value).suffix:
        return RUN
    return last_component(value)


def _earlier(kept: Mapping[str, Any]) -> str:
    """Return the model that went on learning, if one did."""
    earlier = value_at(kept, "model.weights")
    return f"all of {last_component(str(earlier))}" if earlier else ""


def _images(data: Mapping[str, Any]) -> str:
    size, crop = data.get("size"), data.get("crop")
    said = ["of their own size" if size is None else f"resized to {_sides(size)}"]
    if isinstance(crop, list):
        said.append(f"in random crops of {_sides(crop)}")
    return ", ".join(said)


def _loss(kept: Mapping[str, Any]) -> str:
    terms = " + ".join(
        f"{term['weight']:g} {name.replace('_', ' ')}"
        for name, term in (value_at(kept, "loss.terms") or {}).items()
    )
    weights = value_at(kept, "loss.class_weights")
    return f"{terms}, class weights {weights}" if terms else ""


def _augmentation(kept: Mapping[str, Any]) -> str:
    zoom = value_at(kept, "augment.scale")
    said = [f"zoom {zoom[0]:g} to {zoom[1]:g}"] if zoom else []
    said += [next(iter(one)) for one in value_at(kept, "augment.transforms") or []]
    return ", ".join(said) or "none"


def _optimizer(kept: Mapping[str, Any]) -> str:
    said = [
        _last(value_at(kept, "optimizer._target_")),
        f"learning rate {_text(kept, 'optimizer.lr')}",
        _last(value_at(kept, "schedule._target_")),
        f"batch {_text(kept, 'data.batch_size')}",
    ]
    factor = value_at(kept, "encoder.lr_factor")
    if factor not in (None, 1):
        said.append(f"encoder's learning rate times {factor}")
    return ", ".join(filter(None, said))


def _epochs(kept: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return how many there were to be at most, where something may end a training before."""
    said = _text(kept, "trainer.max_epochs")
    early = (kept.get("callbacks") or {}).get("early_stopping") or metrics.get("pruned")
    return f"{said} at most" if early or value_at(kept, "trainer.max_time") else said


def _average(kept: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return what was averaged to the weights of the best epoch."""
    callbacks = kept.get("callbacks") or {}
    if ema := callbacks.get("ema"):
        return f"exponential, decay {ema['decay']}"
    if mean := callbacks.get("mean_of_last"):
        best, first = (
            metrics.get("epoch"),
            value_at(kept, "trainer.max_epochs") + 1 - mean["epochs"],
        )
        if best is not None and best < first:
            return f"none, as the best epoch came before the last {mean['epochs']}"
        return f"mean of epochs {max(1, first)} to {best or 'the last'}"
    return "none"


def _time(metrics: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    seconds = metrics.get("seconds")
    if seconds is None:
        return ""
    return f"{duration(seconds)} on {environment.get('device', 'an unknown device')}"


def _sides(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


def _text(kept: Mapping[str, Any], key: str) -> str:
    value = value_at(kept, key)
    return "" if value is None else str(value)


def _last(target: Any) -> str:
    return str(target or "").rpartition(".")[2]
