"""Write the masks and the image-level targets of a file or a folder of images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from segmentation.build.prediction import PredictionPlan
from segmentation.classes import VOID
from segmentation.console import console
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.images.windowed import WindowedImage, is_large
from segmentation.errors import ConfigError, DataError
from segmentation.inference.input_images import name_masks
from segmentation.inference.large_images import predict_large
from segmentation.inference.prediction_files import PredictionFiles
from segmentation.inference.predictor import Predictor
from segmentation.pictures import viewed
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
    names = name_masks(plan.input, plan.output)
    device = pick_accelerator(plan.device, "device")
    predictor = Predictor(plan.model, device, plan.inference, plan.precision, plan.short_side)
    if plan.overlay and predictor.classes is None:
        raise ConfigError(
            f"overlay=true lays masks over images, and {plan.model} predicts none: its task is "
            "image-level targets alone. Type overlay=false."
        )
    if predictor.channels.files:
        names = name_masks(plan.input, plan.output, predictor.channels.files)
    plan.output.mkdir(parents=True, exist_ok=True)
    files = PredictionFiles(plan.output, predictor.classes, predictor.columns, plan.overlay)

    # Predict.
    unreadable: dict[Path, str] = {}
    resized = 0
    reader = ImageReader(predictor.channels, plan.max_pixels)
    for path in track(names, "predicting", console=console, disable=len(names) < 2):
        try:
            resized += _predict_file(path, names[path], predictor, reader, files)
        except DataError as error:
            unreadable[path] = str(error)
    files.write_targets()

    # Report.
    console.print(f"{files.describe()} written to {plan.output} by {plan.model}", soft_wrap=True)
    if files.in_windows:
        console.print(
            f"{files.in_windows} of {len(names)} images were read in windows at their own size: "
            "their masks are TIFFs with their coordinates, without overlays.",
            soft_wrap=True,
        )
    if resized and plan.short_side == "auto":
        height, width = predictor.learnt_size or (0, 0)
        console.print(
            f"{resized} of {len(names)} images were resized for the model, which was trained on "
            f"{height}x{width}. To change that: short_side=<pixels>, or short_side=null for their "
            "own size.",
            soft_wrap=True,
        )
    result = {"output": plan.output, "written": files.written, "unreadable": list(unreadable)}
    if unreadable:
        raise _unreadable_error(unreadable, len(names), result)
    return result


def _predict_file(
    path: Path, name: str, predictor: Predictor, reader: ImageReader, files: PredictionFiles
) -> bool:
    """Write the prediction for an image file, and return whether it was resized for the model.

    Raises:
        DataError: the file cannot be read.
    """
    if is_large(path, reader.max_pixels):
        target = files.folder / f"{name}.tif"
        predict_large(predictor, WindowedImage(path, reader), target)
        files.written.append(target)
        files.in_windows += 1
        return False
    image = reader.read(path)
    prediction = predictor.predict(image.pixels)
    if image.valid is not None and prediction.labels is not None:
        labels = np.where(image.valid, prediction.labels, np.uint8(VOID))
        prediction = replace(prediction, labels=labels)
    files.write(name, path.suffix, viewed(image.pixels, reader.channels.shown), prediction)
    size = image.pixels.shape[:2]
    return predictor.size is None and predictor.seen_size(*size) != size


def _unreadable_error(
    unreadable: dict[Path, str], images: int, partial: dict[str, Any]
) -> DataError:
    reasons = list(unreadable.values())
    shown = reasons[:MOST_REASONS] + (["..."] if len(reasons) > MOST_REASONS else [])
    lines = [f"{len(unreadable)} of {images} images cannot be read:", *shown]
    error = DataError("\n  ".join(lines))
    error.partial = partial
    return error
