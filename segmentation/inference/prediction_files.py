"""Write predictions to a folder: masks, overlays and a table of image-level targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import ClassTable
from segmentation.data.targets.table import empty_table
from segmentation.inference.predictor import Prediction
from segmentation.metrics.targets import TargetPredictions
from segmentation.pictures import overlay
from segmentation.runs.target_predictions import TARGET_PREDICTIONS, write_predictions
from segmentation.targets import TargetColumns


class PredictionFiles:
    """Writes ``<name>.png`` for each image, and ``target_predictions.csv`` at the end.

    Args:
        folder: of the files.
        classes: of the model; None for one that does not segment.
        columns: its image-level targets; None for none.
        overlays: also write ``<name>_overlay.png``, the mask laid over the image.

    Attributes:
        written: the files so far.
        predictions: by file name of the image, without the masks, which are on disk.
        in_windows: number of images whose masks were written window by window.
    """

    def __init__(
        self,
        folder: Path,
        classes: ClassTable | None,
        columns: TargetColumns | None,
        overlays: bool,
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.columns = columns
        self.overlays = overlays
        self.written: list[Path] = []
        self.predictions: dict[str, Prediction] = {}
        self.in_windows = 0

    def write(self, name: str, suffix: str, image: np.ndarray, prediction: Prediction) -> None:
        """Write the pictures of an image: an 8-bit index mask of its size, and its overlay.

        Args:
            name: of the mask, without suffix.
            suffix: of the image's file.
            image: `uint8` (H, W, 3), RGB.
            prediction: of the image.
        """
        self.predictions[name + suffix] = replace(prediction, labels=None)
        if prediction.labels is None or self.classes is None:
            return
        pictures = {f"{name}.png": prediction.labels}
        if self.overlays:
            pictures[f"{name}_overlay.png"] = overlay(image, prediction.labels, self.classes)
        for file, picture in pictures.items():
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
            self.written.append(path)

    def write_targets(self) -> None:
        """Write the image-level targets of all images, a row for each; without any, no file."""
        if self.columns is None or not self.predictions:
            return
        predictions = self.predictions.values()
        truth = empty_table(len(predictions), self.columns)
        table = TargetPredictions(
            self.columns,
            np.stack([prediction.probabilities for prediction in predictions]),
            np.stack([prediction.values for prediction in predictions]),
            truth.category,
            truth.values,
        )
        path = self.folder / TARGET_PREDICTIONS
        write_predictions(path, list(self.predictions), table, truth=False)
        self.written.append(path)

    def describe(self) -> str:
        """Return in words what was written."""
        masks = len(self.predictions) + self.in_windows
        words = [f"{masks} masks"] if self.classes is not None else []
        if self.columns is not None and self.predictions:
            words.append(TARGET_PREDICTIONS)
        return " and ".join(words)
