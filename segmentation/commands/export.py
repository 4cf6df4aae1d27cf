"""Export a model to a file of another runtime, and compare the file with the model."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.progress import Progress
from rich.table import Table

from segmentation import __version__
from segmentation.build.export import ExportPlan
from segmentation.console import argument, console, show_next, typed
from segmentation.errors import ConfigError, ModelError
from segmentation.export.formats import FORMATS, prepare_writer
from segmentation.export.images import ExportImages
from segmentation.export.parity import Parity, Reference, batch_of, compare_export
from segmentation.export.speed import ExportSpeed, time_export
from segmentation.inference.exported import ExportedModel, load_exported
from segmentation.inference.exported.load import PROGRAMS, TRUST
from segmentation.inference.exported.metadata import ExportInfo
from segmentation.inference.predictor import Predictor
from segmentation.model_files import locate, shipped_name
from segmentation.models import LoadedModel, UNet, load_model
from segmentation.models.saving import weights_hash
from segmentation.runs.directory import read_metrics, run_of
from segmentation.system.files import (
    MAX_JSON_BYTES,
    jsonable,
    make_folder,
    read_bounded,
    sync,
    write_json,
)

log = logging.getLogger(__name__)

REPORT = "export.json"
REJECTED = ".rejected"
EFFORTS = {"fp32": 1, "fp16": 1, "int8": 2}
"""Ways to write a file, by precision; the next one is tried where one differs too much."""


def export(plan: ExportPlan) -> dict[str, Any]:
    """Write the file, compare it with its model, and keep it where the two agree.

    Returns:
        The content of export.json.

    Raises:
        SegmentationError: on invalid user input.
        ModelError: the file differs by more than the tolerance; it is left as ``*.rejected``.
    """
    # Check everything that can be wrong before the graph is made.
    loaded = load_model(plan.model)
    if not isinstance(loaded.model, UNet) or loaded.classes is None:
        raise ModelError(
            f"{plan.model} predicts image-level targets alone: export is for models that segment."
        )
    images = plan.find_images(loaded)
    files = FORMATS[plan.format].files
    check_free(plan.output, files)
    info = describe(plan, loaded)
    _tell_limits(plan, loaded, info, images)

    # Write the file, open it in its own runtime and compare it.
    reference = Reference(loaded, Predictor(plan.model, precision="32-true"))
    with scratch_folder(plan.output) as scratch:
        console.print(f"exporting {plan.model} to {plan.format} {plan.precision}", soft_wrap=True)
        kept, tries = _write_compared(plan, loaded, info, reference, images, scratch / files[0])
        parity = tries[-1]
        exported = load_exported(scratch / files[0], trusted=True)
        speed = time_export(loaded, exported, batch_of(reference.resized(images.pairs[0][0])))
        del exported  # before its files are moved
        accepted = parity.points_off <= plan.tolerance
        written = _move(scratch, plan.output, files, accepted)

    # Report.
    result = _report(plan, info, images, parity, speed, written) | {
        "float_layers": kept,
        "tries": [each.points_off for each in tries],
    }
    write_json(plan.output / REPORT, result)
    _show(plan, parity, speed, result)
    if not accepted:
        error = ModelError(
            f"{written[0]} differs from {plan.model} by {parity.points_off:.2f} points, more than "
            f"tolerance={plan.tolerance:g}: it is not to be used. {REPORT} has the figures."
        )
        error.partial = result
        raise error
    trust = f"{TRUST}=1 " if written[0].suffix in PROGRAMS else ""
    show_next(
        f"written to {written[0]}",
        f"{trust}{typed('predict')} {argument('model', written[0])} input=<images> output=<folder>",
    )
    return result


def check_free(output: Path, files: Sequence[str]) -> None:
    """Check that nothing is replaced that export did not write: a folder of its has a `REPORT`.

    Raises:
        ConfigError: a file of that name is in the way.
    """
    names = [REPORT, *files, *(f"{name}{REJECTED}" for name in files)]
    there = [name for name in names if os.path.lexists(output / name)]
    if there and not _is_report(output / REPORT):
        raise ConfigError(
            f"{output / there[0]} is in the way: it is not of an earlier export. Choose another "
            "output."
        )


def _is_report(path: Path) -> bool:
    try:
        content = json.loads(read_bounded(path, MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"accepted", "files", "cityseg"} <= content.keys()


def describe(plan: ExportPlan, loaded: LoadedModel) -> ExportInfo:
    """Return what the file says of itself."""
    source = locate(plan.model)
    run = run_of(source)
    metrics = (read_metrics(run) if run else None) or {}
    scored = metrics.get("miou")
    scores = {f"miou/{metrics.get('split', 'val')}": scored} if isinstance(scored, float) else {}
    return ExportInfo(
        format=1,
        version=__version__,
        head=plan.head,
        precision=plan.precision,
        resizes=FORMATS[plan.format].resizes,
        source=shipped_name(source) or source.resolve().name,
        weights=weights_hash(loaded.model),
        scores=scores,
        model=loaded.info,
    )


def _tell_limits(
    plan: ExportPlan, loaded: LoadedModel, info: ExportInfo, images: ExportImages
) -> None:
    """Say what the comparison or the file lacks."""
    if images.generated:
        console.print(
            "no data= given: the file is compared with the model on generated street scenes, which "
            "say nothing of your images. For those: data=<option> data.root=<folder>",
            soft_wrap=True,
        )
    if not info.resizes and (loaded.size or loaded.learnt_size):
        log.warning(
            "format=%s: resizing to what the model learnt is not inside the graph. predict and "
            "evaluate do it; other programs have to.",
            plan.format,
        )


def _write_compared(
    plan: ExportPlan,
    loaded: LoadedModel,
    info: ExportInfo,
    reference: Reference,
    images: ExportImages,
    path: Path,
) -> tuple[str, list[Parity]]:
    """Write the file and compare it, until it is within the tolerance or no effort is left.

    Returns:
        The layers that are left in float, in words, and how far each try was off.
    """
    write = prepare_writer(plan.format, loaded, plan.model, plan.head == "labels")
    kept, tries = "", list[Parity]()
    for effort in range(EFFORTS[plan.precision]):
        calibration = images.calibrating() if plan.precision == "int8" else ()
        kept = write(info, path, calibration, effort)
        tries.append(_compared(reference, load_exported(path, trusted=True), images))
        if tries[-1].points_off <= plan.tolerance:
            break
    return kept, tries


def _compared(reference: Reference, exported: ExportedModel, images: ExportImages) -> Parity:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("comparing", total=len(images.pairs))
        return compare_export(reference, exported, images, lambda: progress.advance(task))


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Make a folder inside the output for files that are not whole; it is removed in the end.

    Raises:
        ConfigError: the output cannot be written to, or its disk is full.
    """
    make_folder(output)
    try:
        with TemporaryDirectory(prefix=".export-", dir=output) as folder:
            yield Path(folder)
    except OSError as error:
        raise ConfigError(
            f"output={output} cannot be written to ({error.strerror or error}). Choose another "
            "folder, or make room."
        ) from error


def _move(scratch: Path, output: Path, files: tuple[str, ...], accepted: bool) -> list[Path]:
    """Move the files to their place, those of an earlier export away, and return their paths."""
    sync(scratch)
    written = []
    for name in files:
        good, bad = output / name, output / f"{name}{REJECTED}"
        target, other = (good, bad) if accepted else (bad, good)
        (scratch / name).replace(target)
        other.unlink(missing_ok=True)
        written.append(target)
    return written


def _report(
    plan: ExportPlan,
    info: ExportInfo,
    images: ExportImages,
    parity: Parity,
    speed: ExportSpeed,
    written: list[Path],
) -> dict[str, Any]:
    return jsonable(
        {
            "accepted": parity.points_off <= plan.tolerance,
            "files": [path.name for path in written],
            "format": plan.format,
            "precision": plan.precision,
            "head": plan.head,
            "model": plan.model,
            "weights": info.weights,
            "cityseg": info.version,
            "file": info.model_dump(mode="json"),
            "compared_on": images.words,
            "generated": images.generated,
            "tolerance": plan.tolerance,
            "megabytes": sum(path.stat().st_size for path in written) / 1e6,
            "parity": parity.to_dict(),
            "speed": speed.to_dict(),
        }
    )


def _show(plan: ExportPlan, parity: Parity, speed: ExportSpeed, result: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table(title=f"{plan.format} {plan.precision} {plan.head}, on {result['compared_on']}")
    for name in ("", "mIoU", "equal labels", "largest difference", "MB", "ms", "images/s"):
        table.add_column(name, justify="right" if name else "left")

    def miou(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.2f}"

    table.add_row(
        "PyTorch float32", miou(parity.miou_before), "", "", "",
        f"{speed.pytorch_latency_ms:.0f}", f"{speed.pytorch_images_per_second:.2f}",
    )  # fmt: skip
    difference = parity.largest_difference
    table.add_row(
        f"{plan.format} {plan.precision}", miou(parity.miou_after), f"{parity.equal_labels:.3%}",
        "–" if difference is None else f"{difference:.2g}", f"{result['megabytes']:.1f}",
        f"{speed.latency_ms:.0f}", f"{speed.images_per_second:.2f}",
    )  # fmt: skip
    console.print(table)
    if parity.difference is not None:
        ends = parity.interval
        words = "interval unknown"
        if ends is not None:
            words = f"95% interval [{ends[0]:+z.3f}, {ends[1]:+z.3f}]"
        console.print(
            f"mIoU differs by {parity.difference:+z.3f} points, {words} ({parity.resampling})",
            soft_wrap=True,
        )
    console.print(
        f"{speed.speedup:.2f} times as fast on one image of {speed.size[0]}x{speed.size[1]}, "
        f"{speed.speedup_in_batches:.2f} times in batches; {speed.threads} threads each, in turn "
        f"on {speed.device}",
        soft_wrap=True,
    )
