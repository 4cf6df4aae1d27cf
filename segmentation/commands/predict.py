"""Write the masks and the image-level targets of a file or a folder of images."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from rich.progress import track

from segmentation import console
from segmentation.data.discovery.files import read_image
from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, image_files_below
from segmentation.data.targets.table import empty_table
from segmentation.errors import ConfigError, DataError
from segmentation.inference.options import InferenceOptions
from segmentation.inference.predictor import Prediction, Predictor
from segmentation.metrics.targets import TargetPredictions
from segmentation.pictures import overlay
from segmentation.runs.target_predictions import FILE, write_predictions
from segmentation.system.hardware import pick_accelerator
from segmentation.targets import TargetColumns


def predict(cfg: DictConfig) -> dict[str, Any]:
    """Write what a model says of each image into `cfg.output`.

    That is ``<stem>.png``, an 8-bit index mask of the image's own size, in the folders that the
    image is in; and for image-level targets a row of ``target_predictions.csv``. Images that cannot
    be read are passed over, and named by the error at the end.

    Returns:
        The files that were written and the images that could not be read; an error at the end has
        that too.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    options = InferenceOptions.from_dict(cast(dict[str, Any], OmegaConf.to_container(cfg)))
    source, output = Path(cfg.input).expanduser(), Path(cfg.output).expanduser()
    images = find_images(source, output)
    names = {path: mask_name(path, source) for path in images}
    clash = {path.resolve() for path in images} & {
        (output / f"{name}.png").resolve() for name in names.values()
    }
    if clash:
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    device = pick_accelerator(cfg.device, "device")
    predictor = Predictor(cfg.model, device, options, cfg.precision, cfg.short_side)
    if cfg.overlay and predictor.classes is None:
        raise ConfigError(
            f"overlay=true lays masks over images, and {cfg.model} predicts none: its task is "
            "image-level targets alone. Type overlay=false."
        )
    output.mkdir(parents=True, exist_ok=True)
    predictions: dict[str, Prediction] = {}
    unreadable: dict[Path, str] = {}
    files: list[Path] = []
    resized = 0
    for path in track(images, "predicting", console=console.console, disable=len(images) < 2):
        try:
            image = read_image(path)
        except DataError as error:
            unreadable[path] = str(error)
            continue
        prediction = predictor.predict(image)
        resized += (
            predictor.size is None and predictor.seen_size(*image.shape[:2]) != image.shape[:2]
        )
        predictions[names[path] + path.suffix] = replace(
            prediction, labels=None
        )  # the masks go to disk one by one
        if prediction.labels is None or predictor.classes is None:
            continue
        (output / names[path]).parent.mkdir(parents=True, exist_ok=True)
        files.append(output / f"{names[path]}.png")
        Image.fromarray(prediction.labels).save(files[-1])
        if cfg.overlay:
            files.append(output / f"{names[path]}_overlay.png")
            colored = overlay(image, prediction.labels, predictor.classes)
            Image.fromarray(colored).save(files[-1])
    written = [f"{len(predictions)} masks"] if predictor.classes is not None else []
    if predictor.columns is not None and predictions:
        _write_targets(output / FILE, predictor.columns, predictions)
        written.append(FILE)
        files.append(output / FILE)
    console.console.print(
        f"{' and '.join(written)} written to {output} by {cfg.model}", soft_wrap=True, markup=False
    )
    if resized and cfg.short_side == "auto":
        height, width = predictor.learnt_size or (0, 0)
        console.console.print(
            f"{resized} of {len(images)} images were resized for the model, which learnt from "
            f"{height}x{width}. Otherwise: short_side=<pixels>, or short_side=null for their own "
            "size.",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip
    done = {"output": output, "written": files, "unreadable": list(unreadable)}
    if unreadable:
        failed = DataError(
            f"{len(unreadable)} of {len(images)} images cannot be read:\n  "
            + "\n  ".join(list(unreadable.values())[:5])
            + ("\n  ..." if len(unreadable) > 5 else "")
        )
        failed.partial = done
        raise failed
    return done


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
