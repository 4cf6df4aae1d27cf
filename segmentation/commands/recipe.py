"""How a run was trained, in words: for a model's card and the tables of results."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from segmentation.console import duration
from segmentation.directories import read_metrics, read_settings
from segmentation.redaction import redacted
from segmentation.runs import read_environment

ROOT = re.compile(r"data\.root=")
OF_THE_MACHINE = re.compile(r"[+~]*(logger|hydra|launcher|sweep|wandb|data\.(cache|workers))\b.*")
"""Overrides that say where and how a run is carried out, not what it is."""


def recipe(run: Path) -> dict[str, str]:
    """Return what a run was trained with, under the names that a reader looks for.

    No folder of the machine is in it.

    Args:
        run: a run directory that is finished.
    """
    kept, environment = read_settings(run), read_environment(run) or {}
    data, loss, trainer = kept["data"], kept["loss"], kept["trainer"]
    terms = " + ".join(
        f"{term['weight']:g} {name.replace('_', ' ')}" for name, term in loss["terms"].items()
    )
    augment = [next(iter(one)) for one in kept["augment"]["transforms"]]
    if scale := kept["augment"]["scale"]:
        augment = [f"zoom {scale[0]:g} to {scale[1]:g}", *augment]
    found = {
        "command": f"`{command(environment.get('overrides', []), data['name'])}`",
        "data": data["name"],
        "images": f"{_size(data['size'], 'their own size')}, crops {_size(data['crop'], 'none')}",
        "encoder weights": str(environment.get("encoder_weights", "unknown")),
        "loss": f"{terms}; class weights: {loss['class_weights']}",
        "augmentation": ", ".join(augment) or "none",
        "optimizer": f"{_last(kept['optimizer'])}, learning rate {kept['optimizer']['lr']:g}, "
        f"{_last(kept['schedule'])}, batch {data['batch_size']}",
        "epochs": str(trainer["max_epochs"]),
        "weights": " + ".join(map(_last, kept["callbacks"].values())) or "as trained",
        "seed": str(kept["seed"]),
        "time": f"{duration((read_metrics(run) or {}).get('seconds', 0))} on "
        f"{environment.get('device', 'an unknown device')}",
    }
    if commit := (environment.get("git") or {}).get("commit"):
        found["code"] = f"commit {commit[:12]}"
    versions = environment.get("versions") or {}
    found["versions"] = ", ".join(
        f"{name} {versions[name]}"
        for name in ("torch", "timm", "albumentations")
        if name in versions
    )
    return found


def command(overrides: Sequence[str], data: str) -> str:
    """Return what was typed for a run, for other machines.

    Args:
        overrides: of the run.
        data: the name of its data, which stands for the folder that they were in.
    """
    kept = [
        f"data.root=<{data}>" if ROOT.match(one) else shlex.quote(redacted(one))
        for one in overrides
        if not OF_THE_MACHINE.fullmatch(one)
    ]
    return " ".join(["python train.py", *kept])


def _size(size: Sequence[int] | str | None, none: str) -> str:
    return none if size is None else size if isinstance(size, str) else "x".join(map(str, size))


def _last(options: dict) -> str:
    return str(options["_target_"]).rpartition(".")[2]
