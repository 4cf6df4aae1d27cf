"""Write the masks and the image-level targets of images, and the colours over videos."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from segmentation.build.prediction import PredictionPlan
from segmentation.console import console
from segmentation.data.files import read_mask
from segmentation.data.images.geotiff import has_coordinates
from segmentation.data.images.image_format import NO_LIMIT
from segmentation.data.images.windowed import is_large
from segmentation.errors import ConfigError, DataError, listed
from segmentation.inference.camera import camera_number
from segmentation.inference.input_images import is_video, name_masks
from segmentation.inference.marks import mark_of
from segmentation.inference.polygon_files import POLYGON_FORMATS, GeoJson, PolygonFiles
from segmentation.inference.predict_images import ImageReport, predict_images
from segmentation.inference.predict_videos import incomplete, predict_camera, predict_video
from segmentation.inference.prediction_files import CONFIDENCE, OVERLAY, Kinds, PredictionFiles
from segmentation.inference.predictor import Predictor
from segmentation.system.files import make_folder
from segmentation.system.hardware import pick_accelerator
from segmentation.system.packages import explain_missing, require_extra

MOST_REASONS = 5
"""Unreadable images whose errors are shown."""


def predict(plan: PredictionPlan) -> dict[str, Any]:
    """Write the predictions for each image and video into `plan.output`.

    Files that cannot be read are skipped, and named by the error at the end.

    Returns:
        The files that were written and the images that could not be read; also `partial` of the
        error.

    Raises:
        SegmentationError: on invalid user input.
    """
    # Find the images and videos, and load the model
    problems: list[str] = []
    camera = camera_number(plan.input)
    names = {} if camera is not None else name_masks(plan.input, plan.output, problems=problems)
    if camera is not None or any(map(is_video, names)):
        require_extra("video", f"input={plan.input}")
    device = pick_accelerator(plan.device, "device")
    predictor = Predictor(
        plan.model,
        device,
        plan.inference,
        plan.precision,
        plan.short_side,
        plan.max_pixels,
        compile=plan.compile,
    )
    if predictor.channels.files and camera is None:
        problems.clear()  # they are found again
        names = name_masks(plan.input, plan.output, predictor.channels.files, problems)
    images = {path: name for path, name in names.items() if not is_video(path)}
    videos = {path: plan.output / f"{names[path]}.mp4" for path in names if is_video(path)}
    _check_options(plan, predictor, bool(videos) or camera is not None)

    # Look for files that would be replaced
    files = _files(plan, predictor, images)
    polygons = _polygons(plan, predictor)
    _check_output(plan, images, videos, files, polygons)
    make_folder(plan.output)
    if camera is not None:
        return _record(plan, predictor, camera)

    # Predict
    with Progress(console=console, disable=len(images) < 2 and not videos) as progress:
        report = _predict_images(predictor, images, files, progress)
        _write_polygons(images, files, polygons, progress)
        unreadable = report.unreadable | _predict_videos(predictor, videos, files, progress)
    _report(plan, predictor, files, report, len(images), polygons)
    result = {
        "output": plan.output,
        "written": files.written,
        "kept": files.kept,
        "unreadable": list(unreadable),
    }
    if unreadable or problems:
        raise _unreadable_error([*unreadable.values(), *problems], len(unreadable), names, result)
    return result


def _warn(text: str) -> None:
    console.print(f"warning: {text}", style="yellow", soft_wrap=True)


def _check_options(plan: PredictionPlan, predictor: Predictor, moving: bool) -> None:
    """Check that the model can do what is asked for.

    Raises:
        ConfigError: it does not segment, or takes other images than videos have.
        ModelError: it does not tell how sure it is.
    """
    asked = {
        "overlay=true": plan.overlay,
        "confidence=true": plan.confidence,
        f"polygons={plan.polygons}": plan.polygons is not None,
        f"input={plan.input}": moving,
    }
    for option in [option for option, given in asked.items() if given]:
        if predictor.classes is None:
            raise ConfigError(
                f"{option} needs masks, and {plan.model} predicts none: its task is image-level "
                f"targets alone. Omit {option}."
            )
    if moving and not predictor.channels.is_rgb:
        raise ConfigError(
            f"input={plan.input}: videos are RGB, and the model takes {predictor.channels}."
        )
    if plan.confidence:
        predictor.check_confidence()
    if moving and (plan.confidence or plan.polygons is not None):
        _warn("confidence and polygons are of images alone: a video gets the colours of its masks.")


def _files(
    plan: PredictionPlan, predictor: Predictor, images: Mapping[Path, str]
) -> PredictionFiles:
    """Return the writer of the images' files."""
    large = {path for path in images if is_large(path, plan.max_pixels)}
    placed = {path for path in images if path not in large and has_coordinates(path)}
    if placed and (missing := explain_missing("geo", "a mask with coordinates")):
        _warn(f"{missing} Masks are PNGs without coordinates.")
        placed = set()
    pictures = [OVERLAY] * plan.overlay + [CONFIDENCE] * plan.confidence
    facts = {**predictor.facts(), "max_pixels": plan.max_pixels}
    kinds = Kinds(large, placed)
    return PredictionFiles(
        plan.output, predictor.classes, predictor.columns, pictures, facts, kinds
    )


def _polygons(plan: PredictionPlan, predictor: Predictor) -> PolygonFiles | None:
    """Return the writer of the polygons, if they are asked for."""
    if plan.polygons is None or predictor.classes is None:
        return None
    kind = POLYGON_FORMATS[plan.polygons]
    return kind(plan.output, predictor.classes, plan.polygons_tolerance)


def _check_output(
    plan: PredictionPlan,
    images: Mapping[Path, str],
    videos: Mapping[Path, Path],
    files: PredictionFiles,
    polygons: PolygonFiles | None,
) -> None:
    """Check that no file would be replaced that predict did not write.

    Raises:
        DataError: two images would write the same file.
        ConfigError: a file is in the way.
    """
    foreign = files.foreign(images)
    targets = [path for target in videos.values() for path in (target, incomplete(target))]
    foreign += [path for path in targets if path.exists() and mark_of(path) is None]
    if polygons is not None:
        foreign += polygons.foreign(images.values())
    if foreign and not plan.overwrite:
        shown = [path.relative_to(plan.output).as_posix() for path in foreign]
        raise ConfigError(
            f"output={plan.output} holds {len(foreign)} files that predict did not write and "
            f"would replace: {listed(shown)}. Choose another folder, or type overwrite=true."
        )


def _predict_images(
    predictor: Predictor, images: Mapping[Path, str], files: PredictionFiles, progress: Progress
) -> ImageReport:
    todo = {path: name for path, name in images.items() if not files.keeps(path, name)}
    if not todo:
        return ImageReport({})
    task = progress.add_task("predicting", total=len(todo))
    report = predict_images(predictor, todo, files, lambda: progress.advance(task))
    files.write_targets()
    return report


def _write_polygons(
    images: Mapping[Path, str],
    files: PredictionFiles,
    polygons: PolygonFiles | None,
    progress: Progress,
) -> None:
    """Write the polygons of all masks, those of an earlier run too."""
    masks = {path: files.mask_file(path, name) for path, name in images.items()}
    there = {
        path: mask
        for path, mask in masks.items()
        if path not in files.kinds.large and mark_of(mask) == files.mark(path)
    }
    if polygons is None or not there:
        return
    task = progress.add_task("polygons", total=len(there))
    for path, mask in there.items():
        polygons.add(path, images[path], read_mask(mask, max_pixels=NO_LIMIT))
        progress.advance(task)
    polygons.finish()


def _predict_videos(
    predictor: Predictor, videos: Mapping[Path, Path], files: PredictionFiles, progress: Progress
) -> dict[Path, str]:
    """Predict videos, and return what of them cannot be read."""
    unreadable: dict[Path, str] = {}
    for path, target in videos.items():
        mark = files.mark(path)
        if mark_of(target) == mark:
            files.kept.append(target)
            continue
        task = progress.add_task(path.name, total=None)
        try:
            problems = predict_video(
                predictor, path, target, mark,
                partial(_show_time, progress, task),
                _warn,
            )  # fmt: skip
        except DataError as error:
            unreadable[path] = str(error)
            continue
        finally:
            progress.update(task, visible=False)
        files.written.append(incomplete(target) if problems else target)
        if problems:
            unreadable[path] = (
                f"{path}: {'; '.join(problems)}. Its other frames are in {incomplete(target)}."
            )
    return unreadable


def _show_time(progress: Progress, task: TaskID, done: float, total: float | None) -> None:
    progress.update(task, completed=done, total=total)


def _record(plan: PredictionPlan, predictor: Predictor, camera: int) -> dict[str, Any]:
    """Write what a camera sees, until Ctrl+C is pressed."""
    target = plan.output / f"camera_{camera}_{time.strftime('%Y-%m-%d_%H-%M-%S')}.mp4"
    console.print(f"camera {camera} until Ctrl+C is pressed", soft_wrap=True)
    with Progress(console=console) as progress:
        task = progress.add_task("recording", total=None)
        frames = predict_camera(
            predictor, camera, target,
            lambda done: progress.update(task, description=f"recording {done:.0f} s"),
        )  # fmt: skip
    console.print(f"{frames} frames written to {target} by {plan.model}", soft_wrap=True)
    return {"output": plan.output, "written": [target], "kept": [], "unreadable": []}


def _report(
    plan: PredictionPlan,
    predictor: Predictor,
    files: PredictionFiles,
    report: ImageReport,
    images: int,
    polygons: PolygonFiles | None,
) -> None:
    """Print what was written, kept, read in windows and resized."""
    words = [files.describe()] if images else []
    if videos := sum(path.suffix == ".mp4" for path in files.written):
        words.append(f"{videos} videos")
    lines = [f"{' and '.join(words) or 'nothing'} written to {plan.output} by {plan.model}"]
    if files.kept:
        lines.append(
            f"{len(files.kept)} files of an earlier run with the same model and options are kept"
        )
    if files.in_windows:
        lines.append(
            f"{files.in_windows} of {images} images were read in windows at their own size: "
            "their masks are TIFFs with their coordinates, without overlays, confidence and "
            "polygons."
        )
    if isinstance(polygons, GeoJson) and polygons.in_pixels:
        lines.append(
            f"{polygons.in_pixels} of {images} images have no coordinates: their GeoJSON is in "
            "pixels from the top left."
        )
    if report.resized and plan.short_side == "auto":
        height, width = predictor.learnt_size or (0, 0)
        lines.append(
            f"{report.resized} of {images} images were resized for the model, which was trained on "
            f"{height}x{width}. To change that: short_side=<pixels>, or short_side=null for their "
            "own size."
        )
    console.print("\n".join(lines), soft_wrap=True)


def _unreadable_error(
    reasons: list[str], unreadable: int, names: Mapping[Path, str], partial: dict[str, Any]
) -> DataError:
    shown = reasons[:MOST_REASONS] + (["..."] if len(reasons) > MOST_REASONS else [])
    kinds = "files" if any(map(is_video, names)) else "images"
    what = f"{unreadable} of {len(names)} {kinds}" if unreadable else "parts of the folder"
    lines = [f"{what} cannot be read:", *shown]
    error = DataError("\n  ".join(lines))
    error.partial = partial
    return error
