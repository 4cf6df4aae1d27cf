"""Write the masks and the image-level targets of a file or a folder of images."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from PIL import Image
from rich.progress import track

from segmentation import console
from segmentation.data.files import read_image
from segmentation.data.layouts import IMAGE_SUFFIXES
from segmentation.data.targets import empty_table
from segmentation.errors import ConfigError, DataError
from segmentation.hardware import pick_accelerator
from segmentation.inference.predictor import Prediction, Predictor
from segmentation.pictures import overlay
from segmentation.predictions import FILE, TargetPredictions, write_predictions
from segmentation.targets import TargetColumns


def predict(cfg: DictConfig) -> None:
    """Write what a model says of each image into `cfg.output`.

    That is ``<stem>.png``, an 8-bit index mask of the image's own size, and for image-level targets
    a row of ``target_predictions.csv``.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    images = find_images(Path(cfg.input).expanduser())
    output = Path(cfg.output).expanduser()
    clash = {path.resolve() for path in images} & {
        (output / f"{path.stem}.png").resolve() for path in images
    }
    if clash:
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    predictor = Predictor(cfg.model, pick_accelerator(cfg.device, "device"))
    if cfg.overlay and predictor.classes is None:
        raise ConfigError(
            f"overlay=true lays masks over images, and {cfg.model} predicts none: its task is "
            "image-level targets alone. Type overlay=false."
        )
    output.mkdir(parents=True, exist_ok=True)
    predictions: dict[Path, Prediction] = {}
    unreadable = []
    for path in track(images, "predicting", console=console.console, disable=len(images) < 2):
        try:
            image = read_image(path)
        except DataError as error:
            unreadable.append(str(error))
            continue
        prediction = predictor.predict(image)
        predictions[path] = replace(prediction, labels=None)  # the masks go to disk one by one
        if prediction.labels is None or predictor.classes is None:
            continue
        Image.fromarray(prediction.labels).save(output / f"{path.stem}.png")
        if cfg.overlay:
            colored = overlay(image, prediction.labels, predictor.classes)
            Image.fromarray(colored).save(output / f"{path.stem}_overlay.png")
    written = [f"{len(predictions)} masks"] if predictor.classes is not None else []
    if predictor.columns is not None and predictions:
        _write_targets(output / FILE, predictor.columns, predictions)
        written.append(FILE)
    console.console.print(f"{' and '.join(written)} written to {output}", soft_wrap=True)
    if unreadable:
        raise DataError(
            f"{len(unreadable)} of {len(images)} images cannot be read:\n  "
            + "\n  ".join(unreadable[:5])
            + ("\n  ..." if len(unreadable) > 5 else "")
        )


def _write_targets(
    path: Path, columns: TargetColumns, predictions: Mapping[Path, Prediction]
) -> None:
    truth = empty_table(len(predictions), columns)
    table = TargetPredictions(
        columns,
        np.stack([one.probabilities for one in predictions.values()]),
        np.stack([one.values for one in predictions.values()]),
        truth.category,
        truth.values,
    )
    write_predictions(path, [image.name for image in predictions], table, truth=False)


def find_images(source: Path) -> list[Path]:
    """Return the file itself, or the images of a folder by name.

    Raises:
        DataError: there is none, or two would write the same mask.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}. Give input=<image or folder of images>.")
    images = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise DataError(f"no images in {source} ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    stems = [path.stem for path in images]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise DataError(
            f"{source} has several images named {twice[0]}: their masks would overwrite each other."
        )
    return images
