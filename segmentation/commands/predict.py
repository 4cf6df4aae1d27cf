"""Write the masks and the image-level targets of a file or a folder of images."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import track

from segmentation import console
from segmentation.build.prediction import PredictionPlan
from segmentation.data.discovery.files import read_image
from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, image_files_below
from segmentation.data.targets.table import empty_table
from segmentation.errors import ConfigError, DataError
from segmentation.inference.predictor import Prediction, Predictor
from segmentation.metrics.targets import TargetPredictions
from segmentation.pictures import overlay
from segmentation.runs.target_predictions import FILE, write_predictions
from segmentation.system.hardware import pick_accelerator
from segmentation.targets import TargetColumns


@dataclass
class Predicted:
    """What was predicted so far.

    Attributes:
        predictions: by the name of the image, without the masks, which are on disk.
        files: that were written.
        unreadable: images that could not be read, and why.
        resized: number of images that were resized for the model.
    """

    predictions: dict[str, Prediction] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    resized: int = 0


def predict(plan: PredictionPlan) -> dict[str, Any]:
    """Write the predictions for each image into `plan.output`.

    That is ``<stem>.png``, an 8-bit index mask of the image's own size, in the folders that the
    image is in; and for image-level targets a row of ``target_predictions.csv``. Unreadable images
    are skipped, and named by the error at the end.

    Returns:
        The files that were written and the images that could not be read; also `partial` of the
        error.

    Raises:
        SegmentationError: on invalid user input.
    """
    # Build.
    names = _mask_names(plan.input, plan.output)
    device = pick_accelerator(plan.device, "device")
    predictor = Predictor(plan.model, device, plan.inference, plan.precision, plan.short_side)
    if plan.overlay and predictor.classes is None:
        raise ConfigError(
            f"overlay=true lays masks over images, and {plan.model} predicts none: its task is "
            "image-level targets alone. Type overlay=false."
        )

    # Predict.
    plan.output.mkdir(parents=True, exist_ok=True)
    done = Predicted()
    for path in track(names, "predicting", console=console.console, disable=len(names) < 2):
        _predict_image(path, names[path], plan, predictor, done)
    if predictor.columns is not None and done.predictions:
        _write_targets(plan.output / FILE, predictor.columns, done.predictions)
        done.files.append(plan.output / FILE)

    # Report.
    _show(plan, predictor, done, len(names))
    unreadable = list(done.unreadable)
    result = {"output": plan.output, "written": done.files, "unreadable": unreadable}
    if unreadable:
        reasons = [*list(done.unreadable.values())[:5], *(["..."] if len(unreadable) > 5 else [])]
        lines = [f"{len(unreadable)} of {len(names)} images cannot be read:", *reasons]
        error = DataError("\n  ".join(lines))
        error.partial = result
        raise error
    return result


def _mask_names(source: Path, output: Path) -> dict[Path, str]:
    """Return the images with the names of their masks, see `mask_name`.

    Raises:
        ConfigError: a mask would overwrite an image.
    """
    names = {path: mask_name(path, source) for path in find_images(source, output)}
    masks = {(output / f"{name}.png").resolve() for name in names.values()}
    if clash := masks & {path.resolve() for path in names}:
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    return names


def _predict_image(
    path: Path, name: str, plan: PredictionPlan, predictor: Predictor, done: Predicted
) -> None:
    try:
        image = read_image(path)
    except DataError as error:
        done.unreadable[path] = str(error)
        return
    size = image.shape[:2]
    done.resized += predictor.size is None and predictor.seen_size(*size) != size
    prediction = predictor.predict(image)
    done.predictions[name + path.suffix] = replace(prediction, labels=None)
    if prediction.labels is None or predictor.classes is None:
        return
    pictures = {f"{name}.png": prediction.labels}
    if plan.overlay:
        pictures[f"{name}_overlay.png"] = overlay(image, prediction.labels, predictor.classes)
    for file, picture in pictures.items():
        (plan.output / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(plan.output / file)
        done.files.append(plan.output / file)


def _show(plan: PredictionPlan, predictor: Predictor, done: Predicted, images: int) -> None:
    """Print what was written, and whether images were resized."""
    written = [f"{len(done.predictions)} masks"] if predictor.classes is not None else []
    if predictor.columns is not None and done.predictions:
        written.append(FILE)
    words = f"{' and '.join(written)} written to {plan.output} by {plan.model}"
    console.console.print(words, soft_wrap=True)
    if done.resized and plan.short_side == "auto":
        height, width = predictor.learnt_size or (0, 0)
        console.console.print(
            f"{done.resized} of {images} images were resized for the model, which was trained on "
            f"{height}x{width}. To change that: short_side=<pixels>, or short_side=null for their "
            "own size.",
            soft_wrap=True,
        )


def _write_targets(
    path: Path, columns: TargetColumns, predictions: Mapping[str, Prediction]
) -> None:
    truth = empty_table(len(predictions), columns)
    table = TargetPredictions(
        columns,
        np.stack([one.probabilities for one in predictions.values()]),
        np.stack([one.values for one in predictions.values()]),
        truth.category,
        truth.values,
    )
    write_predictions(path, list(predictions), table, truth=False)


def mask_name(path: Path, source: Path) -> str:
    """Return the name of an image's mask, without suffix: in the folders that the image is in."""
    inside = path.relative_to(source) if path != source else Path(path.name)
    return inside.with_suffix("").as_posix()


def find_images(source: Path, output: Path) -> list[Path]:
    """Return the file itself, or the images of a folder and its folders by name.

    What lies in `output`, the masks of an earlier time, is left out.

    Raises:
        DataError: there is none, or two would write the same mask.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}. Give input=<image or folder of images>.")
    images = sorted(image_files_below(source))
    if output.resolve() != source.resolve():
        images = [path for path in images if not path.resolve().is_relative_to(output.resolve())]
    if not images:
        raise DataError(f"no images in {source} ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    names = Counter(mask_name(path, source) for path in images)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataError(
            f"{source} has several images named {twice[0]}: their masks would overwrite each other."
        )
    return images
