"""Measure what the models of a comparison cost, all in one call on this machine."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.progress import Progress
from torch import nn

from segmentation import console
from segmentation.commands.compare.compared_run import ComparedRun
from segmentation.config import user_path
from segmentation.data.discovery.splits import find_splits
from segmentation.data.images.image_format import NO_LIMIT, opened
from segmentation.errors import SegmentationError
from segmentation.evaluation.comparison.result import Cost
from segmentation.inference.exported import ExportedModel
from segmentation.inference.opening import open_model
from segmentation.model_files import locate, shipped
from segmentation.models import LoadedModel
from segmentation.models.cost import Size, count_flops, count_parameters, speeds
from segmentation.models.description import parse_description
from segmentation.models.saving import weights_hash
from segmentation.runs.directory import read_environment, read_settings
from segmentation.system.hardware import device_name, fastest_precision

DISTURBED = 1.25
"""Ratio of training times of seeds above which the machine must have had other work."""


@dataclass(frozen=True)
class Measurable:
    """A contender whose model can be measured.

    Attributes:
        key: its architecture and the size of its images; equal ones cost the same.
        model: on the CPU.
        size: (height, width) of its images; None if unknown.
    """

    key: str
    model: LoadedModel
    size: Size | None


def costs(
    contenders: Mapping[str, Sequence[ComparedRun]],
    split: str,
    size: Size | None,
    device: str,
    measure: bool,
) -> tuple[dict[str, Cost], list[str]]:
    """Return the cost of each contender, and notes on it.

    Args:
        contenders: the runs of each.
        split: that they were scored on.
        size: of the images; None: those that each model was scored on.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        measure: whether to measure the speed too.
    """
    # Load the models.
    models, notes = {}, []
    for name, runs in contenders.items():
        try:
            models[name] = _measurable(runs[0], split, size)
        except SegmentationError as error:
            notes.append(f"The cost of {name} is unknown, as its model cannot be loaded: {error}")
    if unknown := [name for name, model in models.items() if model.size is None]:
        notes.append(
            f"FLOPs and speed of {', '.join(unknown)} are unknown, as scored images are missing "
            "and so is their size: set size=[<height>,<width>]."
        )

    # Measure each architecture once.
    distinct = {model.key: model for model in models.values() if model.size is not None}
    measured, failed = _measure(distinct, device, measure)
    result = {}
    for name, runs in contenders.items():
        cost = Cost()
        if model := models.get(name):
            cost = measured.get(model.key) or _parameters(model)
        result[name] = replace(cost, training_seconds=_training_time(runs))
    return result, [*notes, *failed, *_notes(contenders, measured=bool(distinct))]


def _measurable(run: ComparedRun, split: str, size: Size | None) -> Measurable:
    home, name = run.evaluation.run, str(run.metrics.get("model"))
    where = home / "model" if home and (home / "model").is_dir() else home or run.evaluation.model
    if home is None and name in shipped():  # its evaluations are elsewhere
        where = locate(name)
    loaded = open_model(where)
    size = size or _pair(run.metrics.get("size", loaded.size)) or _scored_size(run, split)
    parts = {key: loaded.info.get(key) for key in ("decoder", "classes", "targets")}
    if isinstance(loaded, ExportedModel):
        parts["file"] = weights_hash(loaded.model)
    parts["encoder"] = [loaded.info["encoder"][key] for key in ("name", "in_channels")]
    return Measurable(json.dumps([parts, size], sort_keys=True), loaded, size)


def _pair(size: Any) -> Size | None:
    """Return a height and a width read from a file; None for anything else."""
    sides = tuple(size) if isinstance(size, list | tuple) else ()
    return sides if len(sides) == 2 and all(type(s) is int and s > 0 for s in sides) else None


def _scored_size(run: ComparedRun, split: str) -> Size | None:
    """Return the height and width of the first scored image; None if it is missing."""
    data: dict[str, Any] = read_settings(run.evaluation.run)["data"] if run.evaluation.run else {}
    root = run.metrics.get("data") or data.get("root")
    if root is None:
        return None
    options = data if str(root) == str(data.get("root")) else {}
    pairs = user_path(options["pairs"]) if options.get("pairs") else None
    try:
        samples = find_splits(user_path(root), pairs).samples
        with opened(samples[split][0].image, NO_LIMIT) as image:  # only its header is read
            return image.height, image.width
    except (SegmentationError, OSError, KeyError, ValueError, SyntaxError):
        return None


def _parameters(model: Measurable) -> Cost:
    return Cost(parameters=count_parameters(_architecture(model.model)))


def _architecture(loaded: LoadedModel) -> nn.Module:
    """Return a model whose operations can be counted; of an exported file one without weights."""
    if not isinstance(loaded, ExportedModel):
        return loaded.model
    with torch.device("meta"):
        return parse_description(loaded.info).build()


def _measure(
    models: Mapping[str, Measurable], device: str, speed: bool
) -> tuple[dict[str, Cost], list[str]]:
    """Return the cost of each architecture, and notes on what could not be measured."""
    measured: dict[str, Cost] = {}
    try:
        for key, model in models.items():
            assert model.size is not None
            measured[key] = replace(_parameters(model), size=model.size)
            flops = count_flops(_architecture(model.model), model.size)
            measured[key] = replace(measured[key], flops=flops)
        if speed and measured:
            measured = _time(models, measured, device)
    # Devices raise various errors when their memory is full; the scores must not be lost to them.
    except (RuntimeError, MemoryError, SegmentationError) as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        return measured, [
            f"FLOPs and speed could not all be measured: {why}. Try smaller images, "
            "size=[<height>,<width>], or another device, device=cpu."
        ]
    return measured, []


def _time(
    models: Mapping[str, Measurable], costs: Mapping[str, Cost], device: str
) -> dict[str, Cost]:
    """Return the costs with the speed of each model, timed in turn."""
    bfloat16 = fastest_precision(device) == "bf16-mixed"
    with Progress(console=console.console, transient=True) as progress:
        task = progress.add_task(f"timing {len(costs)} models in turn", total=1.0)
        timed = speeds(
            [models[key].model.model.to(device) for key in costs],
            [cost.size for cost in costs.values() if cost.size is not None],
            device,
            bfloat16=bfloat16,
            after_round=lambda share: progress.update(task, completed=share),
        )
    words = f"{device_name(device)}, {'bfloat16' if bfloat16 else 'float32'}"
    devices = {key: _runtime(model.model) or words for key, model in models.items()}
    return {
        key: replace(
            cost,
            latency_ms=speed.latency_ms,
            images_per_second=speed.images_per_second,
            device=devices[key],
        )
        for (key, cost), speed in zip(costs.items(), timed, strict=True)
    }


def _runtime(loaded: LoadedModel) -> str | None:
    """Return what an exported file runs on, in words; None for a model of PyTorch."""
    if not isinstance(loaded, ExportedModel):
        return None
    return f"{device_name('cpu')}, exported in {loaded.export.precision}"


def _training_time(runs: Sequence[ComparedRun]) -> float | None:
    """Return the mean training time of the runs in seconds; None if one is unknown."""
    times = _times(runs)
    return statistics.fmean(times) if len(times) == len(runs) else None


def _times(runs: Sequence[ComparedRun]) -> list[float]:
    times = [run.trained.get("seconds") for run in runs]
    return [seconds for seconds in times if isinstance(seconds, int | float)]


def _notes(contenders: Mapping[str, Sequence[ComparedRun]], measured: bool) -> list[str]:
    notes = []
    several = [name for name, runs in contenders.items() if _several_views(runs[0])]
    if measured and several:
        notes.append(
            f"Speed and FLOPs are of one pass; {', '.join(several)} made several for each image "
            "when scored."
        )
    machines = {_machine(run) for runs in contenders.values() for run in runs if run.evaluation.run}
    if len(machines) > 1:
        notes.append(
            f"The runs were trained on different machines ({'; '.join(sorted(machines))}): their "
            "training times cannot be compared."
        )
    disturbed = [
        name
        for name, runs in contenders.items()
        if (times := _times(runs)) and max(times) > DISTURBED * min(times)
    ]
    if disturbed:
        whose = "" if len(disturbed) == len(contenders) else f" of {', '.join(disturbed)}"
        notes.append(
            f"Training times{whose} differ from seed to seed by more than {DISTURBED - 1:.0%}: the "
            "machine had other work, so they tell little."
        )
    return notes


def _several_views(run: ComparedRun) -> bool:
    return any(key.startswith("inference.") for key in run.settings or {})


def _machine(run: ComparedRun) -> str:
    """Return the hardware that a run was trained on, in words."""
    assert run.evaluation.run is not None
    environment = read_environment(run.evaluation.run) or {}
    hardware = environment.get("hardware") or {}
    processor = ", ".join(hardware.get("gpus") or []) or hardware.get("cpu")
    return " · ".join(filter(None, (environment.get("device"), processor))) or "not known"
