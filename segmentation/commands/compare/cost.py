"""What the models of a comparison cost, all measured in one call on this machine."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from rich.progress import Progress

from segmentation import console
from segmentation.commands.compare.compared_run import Taking
from segmentation.data.discovery.splits import find_splits
from segmentation.errors import SegmentationError
from segmentation.evaluation.comparison.result import Cost
from segmentation.models import LoadedModel, load_model
from segmentation.models.cost import Size, count_flops, count_parameters, speeds
from segmentation.models.shipped import locate, shipped
from segmentation.runs.directory import read_environment, read_settings
from segmentation.system.hardware import device_name, fastest_precision

DISTURBED = 1.25
"""Seeds whose trainings differ by more than this factor in time had other work beside them."""


@dataclass(frozen=True)
class Measurable:
    """A contender whose model can be measured.

    Attributes:
        what: its architecture and the size of its images; equal ones cost the same.
        model: ready for use, on the CPU.
        size: (height, width) of the images that it sees; None where that is not known.
    """

    what: str
    model: LoadedModel
    size: Size | None


def costs(
    contenders: Mapping[str, Sequence[Taking]],
    split: str,
    size: Size | None,
    device: str,
    measure: bool,
) -> tuple[dict[str, Cost], list[str]]:
    """Return the cost of each contender, and notes on it.

    Args:
        contenders: the runs of each.
        split: they were scored on.
        size: of the images; None: as each model was scored.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        measure: the speed too.
    """
    found, notes = {}, []
    for name, runs in contenders.items():
        try:
            found[name] = _measurable(runs[0], split, size)
        except SegmentationError as error:
            notes.append(f"The cost of {name} is not known, as its model cannot be loaded: {error}")
    if unknown := [name for name, one in found.items() if one.size is None]:
        notes.append(
            f"FLOPs and speed of {', '.join(unknown)} are not known, as the scored images are not "
            "there to tell their size: say it with size=[<height>,<width>]."
        )
    each = {one.what: one for one in found.values() if one.size is not None}
    measured, failed = _measured(each, device, measure)
    notes += failed
    result = {}
    for name, runs in contenders.items():
        one = found.get(name)
        cost = Cost() if one is None else measured.get(one.what) or _small(one)
        result[name] = replace(cost, training_seconds=_training(runs))
    return result, [*notes, *_notes(contenders, measured=bool(each))]


def _measurable(run: Taking, split: str, size: Size | None) -> Measurable:
    home, name = run.evaluation.run, str(run.metrics.get("model"))
    where = home / "model" if home and (home / "model").is_dir() else home or run.evaluation.model
    if home is None and name in shipped():  # its evaluations do not lie beside it
        where = locate(name)
    loaded = load_model(where)
    size = size or _pair(run.metrics.get("size", loaded.size)) or _scored_size(run, split)
    parts = {key: loaded.info.get(key) for key in ("decoder", "classes", "targets")}
    parts["encoder"] = [loaded.info["encoder"][key] for key in ("name", "in_channels")]
    return Measurable(json.dumps([parts, size], sort_keys=True), loaded, size)


def _pair(size: Any) -> Size | None:
    """Return a height and a width that a file holds; None for anything else."""
    sides = tuple(size) if isinstance(size, list | tuple) else ()
    return sides if len(sides) == 2 and all(type(s) is int and s > 0 for s in sides) else None


def _scored_size(run: Taking, split: str) -> Size | None:
    """Return the height and width of the first scored image, None where it is not there."""
    data: dict[str, Any] = read_settings(run.evaluation.run)["data"] if run.evaluation.run else {}
    root = run.metrics.get("data") or data.get("root")
    if root is None:
        return None
    options = data if str(root) == str(data.get("root")) else {}
    pairs = Path(options["pairs"]).expanduser() if options.get("pairs") else None
    try:
        samples = find_splits(Path(root).expanduser(), pairs).samples
        with Image.open(samples[split][0].image) as image:
            return image.height, image.width
    except (SegmentationError, OSError, KeyError):
        return None


def _small(one: Measurable) -> Cost:
    return Cost(parameters=count_parameters(one.model.model))


def _measured(
    each: Mapping[str, Measurable], device: str, measure: bool
) -> tuple[dict[str, Cost], list[str]]:
    """Return the cost of each architecture, and in words what could not be measured."""
    found: dict[str, Cost] = {}
    try:
        for what, one in each.items():
            assert one.size is not None
            found[what] = replace(_small(one), size=one.size)
            found[what] = replace(found[what], flops=count_flops(one.model.model, one.size))
        if measure and found:
            found = _timed(each, found, device)
    # Whatever a device says when its memory is full: the comparison of scores is not lost to it.
    except (RuntimeError, MemoryError, SegmentationError) as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        return found, [
            f"FLOPs and speed could not all be measured: {why}. Smaller images may do, "
            "size=[<height>,<width>], or another device, device=cpu."
        ]
    return found, []


def _timed(
    each: Mapping[str, Measurable], found: Mapping[str, Cost], device: str
) -> dict[str, Cost]:
    bfloat16 = fastest_precision(device) == "bf16-mixed"
    with Progress(console=console.console, transient=True) as progress:
        task = progress.add_task(f"timing {len(found)} models in turn", total=1.0)
        timed = speeds(
            [each[what].model.model.to(device) for what in found],
            [cost.size for cost in found.values() if cost.size is not None],
            device,
            bfloat16=bfloat16,
            after_round=lambda share: progress.update(task, completed=share),
        )
    words = f"{device_name(device)}, {'bfloat16' if bfloat16 else 'float32'}"
    return {
        what: replace(
            cost, latency_ms=one.latency_ms, images_per_second=one.images_per_second, device=words
        )
        for (what, cost), one in zip(found.items(), timed, strict=True)
    }


def _training(runs: Sequence[Taking]) -> float | None:
    """Return the mean time that the runs were trained, in seconds; None if it is not known."""
    times = _times(runs)
    return statistics.fmean(times) if len(times) == len(runs) else None


def _times(runs: Sequence[Taking]) -> list[float]:
    kept = [run.trained.get("seconds") for run in runs]
    return [seconds for seconds in kept if isinstance(seconds, int | float)]


def _notes(contenders: Mapping[str, Sequence[Taking]], measured: bool) -> list[str]:
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


def _several_views(run: Taking) -> bool:
    return any(key.startswith("inference.") for key in run.settings or {})


def _machine(run: Taking) -> str:
    """Return what a run was trained on, in words."""
    assert run.evaluation.run is not None
    environment = read_environment(run.evaluation.run) or {}
    hardware = environment.get("hardware") or {}
    processor = ", ".join(hardware.get("gpus") or []) or hardware.get("cpu")
    return " · ".join(filter(None, (environment.get("device"), processor))) or "not known"
