"""Write the masks and the image-level targets of a file or a folder of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from segmentation.build.prediction import PredictionPlan
from segmentation.console import console
from segmentation.data.images.windowed import WindowedImage, is_large
from segmentation.errors import ConfigError, DataError
from segmentation.inference.input_images import name_masks
from segmentation.inference.large_images import predict_large
from segmentation.inference.marks import MARK
from segmentation.inference.prediction_files import PredictionFiles
from segmentation.inference.predictor import Predictor
from segmentation.system.hardware import pick_accelerator

MOST_REASONS = 5
"""Unreadable images whose errors are shown."""


def predict(plan: PredictionPlan) -> dict[str, Any]:
    """Write the predictions for each image into `plan.output`, see `PredictionFiles`.

    Unreadable images are skipped, and named by the error at the end.

    Returns:
        The files that were written and the images that could not be read; also `partial` of the
        error.

    Raises:
        SegmentationError: on invalid user input.
    """
    # Find the images and load the model.
    problems: list[str] = []
    names = name_masks(plan.input, plan.output, problems=problems)
    device = pick_accelerator(plan.device, "device")
    predictor = Predictor(
        plan.model, device, plan.inference, plan.precision, plan.short_side, plan.max_pixels
    )
    if plan.overlay and predictor.classes is None:
        raise ConfigError(
            f"overlay=true lays masks over images, and {plan.model} predicts none: its task is "
            "image-level targets alone. Type overlay=false."
        )
    if predictor.channels.files:
        names = name_masks(plan.input, plan.output, predictor.channels.files)
    facts = {**predictor.facts(), "max_pixels": plan.max_pixels}
    files = PredictionFiles(plan.output, predictor.classes, predictor.columns, plan.overlay, facts)
    large = {path for path in names if is_large(path, plan.max_pixels)}
    files.check(names, large, plan.overwrite)
    plan.output.mkdir(parents=True, exist_ok=True)

    # Predict.
    unreadable: dict[Path, str] = {}
    resized = 0
    for path in track(names, "predicting", console=console, disable=len(names) < 2):
        if files.keeps(path, names[path], path in large):
            continue
        try:
            resized += _predict_file(path, names[path], path in large, predictor, files)
        except DataError as error:
            unreadable[path] = str(error)
    files.write_targets()

    _report(plan, predictor, files, len(names), resized)
    result = {
        "output": plan.output,
        "written": files.written,
        "kept": files.kept,
        "unreadable": list(unreadable),
    }
    if unreadable or problems:
        raise _unreadable_error(unreadable, problems, len(names), result)
    return result


def _report(
    plan: PredictionPlan, predictor: Predictor, files: PredictionFiles, images: int, resized: int
) -> None:
    """Print what was written, kept, read in windows and resized."""
    console.print(f"{files.describe()} written to {plan.output} by {plan.model}", soft_wrap=True)
    if files.kept:
        console.print(
            f"{len(files.kept)} files of an earlier run with the same model and options are kept",
            soft_wrap=True,
        )
    if files.in_windows:
        console.print(
            f"{files.in_windows} of {images} images were read in windows at their own size: "
            "their masks are TIFFs with their coordinates, without overlays.",
            soft_wrap=True,
        )
    if resized and plan.short_side == "auto":
        height, width = predictor.learnt_size or (0, 0)
        console.print(
            f"{resized} of {images} images were resized for the model, which was trained on "
            f"{height}x{width}. To change that: short_side=<pixels>, or short_side=null for their "
            "own size.",
            soft_wrap=True,
        )


def _predict_file(
    path: Path,
    name: str,
    large: bool,
    predictor: Predictor,
    files: PredictionFiles,
) -> bool:
    """Write the prediction for an image file, and return whether it was resized for the model.

    Raises:
        DataError: the file cannot be read.
    """
    if large:
        with files.writing(files.folder / f"{name}.tif") as partial:
            tags = {MARK: files.mark(path)}
            predict_large(predictor, WindowedImage(path, predictor.reader), partial, tags)
        files.in_windows += 1
        return False
    result = predictor(path)
    files.write(path, name, result)
    size = result.image.pixels.shape[:2]
    return predictor.size is None and predictor.seen_size(*size) != size


def _unreadable_error(
    unreadable: dict[Path, str], problems: Sequence[str], images: int, partial: dict[str, Any]
) -> DataError:
    reasons = [*unreadable.values(), *problems]
    shown = reasons[:MOST_REASONS] + (["..."] if len(reasons) > MOST_REASONS else [])
    what = f"{len(unreadable)} of {images} images" if unreadable else "parts of the folder"
    lines = [f"{what} cannot be read:", *shown]
    error = DataError("\n  ".join(lines))
    error.partial = partial
    return error
