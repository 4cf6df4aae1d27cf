"""The run directory: what a run keeps, and where.

config.yaml       the resolved configuration
environment.json  versions, git commit, hardware, data fingerprints, where weights came from
changes.patch     what differs from that commit, where something does
train.log         what was printed
metrics.csv       the curves
checkpoints/      best.ckpt (by val mIoU; without segmentation by a score of targets), last.ckpt and
                  previous.ckpt to go on from
metrics.json      the scores of the best weights, and on which split; the last file to be written
report.html       what there is to see of the run, as one page
per_image.npz     the counts of every scored image, with its name: confusion matrix, boundaries,
                  confidence
per_image.csv     the scores of every scored image
confusion.csv     the confusion matrix, normalised by truth and by prediction
views.zip         small pictures of every scored image: photo, truth, prediction
target_predictions.csv  truth and prediction of the image-level targets of every scored image
pictures.png      image, truth, prediction and error of some scored images
model/            config.json and model.safetensors: no code, safe to share
"""

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from omegaconf import OmegaConf

from segmentation.directories import CONFIG, MATRICES, METRICS, recorded
from segmentation.directories import owner as run_directory
from segmentation.errors import ModelError
from segmentation.models.files import read_checkpoint
from segmentation.predictions import FILE as PREDICTIONS
from segmentation.predictions import TargetPredictions, write_predictions
from segmentation.scored import Scored
from segmentation.scores import Scores, scores
from segmentation.target_scores import TargetScores, target_scores
from segmentation.whole_files import read_json, write_json, write_whole


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect this package's warnings, so that a score is never shown without them."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (message := record.getMessage()) not in messages:
                messages.append(message)

    collector = Collector(logging.WARNING)
    package = logging.getLogger("segmentation")
    package.addHandler(collector)
    try:
        yield messages
    finally:
        package.removeHandler(collector)


def write_config(directory: Path, settings: dict[str, Any]) -> None:
    """Write the resolved configuration."""
    write_whole(directory / CONFIG, OmegaConf.to_yaml(OmegaConf.create(settings)))


def read_environment(directory: Path) -> dict[str, Any] | None:
    """Return what `environment.json` of a run says, None where there is none."""
    return read_json(directory / "environment.json")


@dataclass(frozen=True)
class Results:
    """The scores of a split.

    Attributes:
        directory: where they are kept.
        segmentation: None of a model that does not segment.
        targets: of the image-level targets; None of a model without.
    """

    directory: Path
    segmentation: Scores | None
    targets: TargetScores | None

    def to_json(self) -> dict[str, Any]:
        """Return what `metrics.json` says, and where it is."""
        return recorded(self.directory)

    def flat(self) -> dict[str, float]:
        """Return the scores that a log shows, by name."""
        miou = {} if self.segmentation is None else {"miou": self.segmentation.miou}
        return miou if self.targets is None else miou | self.targets.flat()


def write_results(
    directory: Path,
    scored: Scored | None,
    names: Sequence[str] = (),
    predictions: TargetPredictions | None = None,
    **facts: Any,
) -> Results:
    """Write `metrics.json`, and what was counted and predicted of each image.

    Args:
        directory: it is made if it is not there.
        scored: what was counted; None where there is no segmentation.
        names: of the images of `predictions`.
        predictions: the image-level targets; None for none.
        facts: what else metrics.json says: split, checkpoint, warnings.
    """
    directory.mkdir(parents=True, exist_ok=True)
    segmentation = targets = None
    metrics: dict[str, Any] = {}
    if scored is not None:
        segmentation = scores(scored.confusion.sum(axis=0))
        metrics |= scored.facts()
        packed = io.BytesIO()
        np.savez_compressed(packed, **cast(dict[str, Any], scored.arrays()))
        write_whole(directory / MATRICES, packed.getvalue())
        write_whole(directory / "per_image.csv", scored.images().to_csv(index=False))
        write_whole(directory / "confusion.csv", scored.confusions().to_csv(index=False))
        names = scored.names
    if predictions is not None:
        targets = target_scores(predictions)
        metrics["targets"] = targets.to_dict()
        write_predictions(directory / PREDICTIONS, names, predictions)
    metrics |= {"images": len(names), **facts}
    write_json(directory / METRICS, metrics)  # last: the run is finished
    return Results(directory, segmentation, targets)


def add_facts(directory: Path, **facts: Any) -> None:
    """Add to what the `metrics.json` of a directory says."""
    write_json(directory / METRICS, (read_json(directory / METRICS) or {}) | facts)


def trained_config(path: Path) -> dict[str, Any] | None:
    """Return the configuration a model was trained with, as plain values.

    Args:
        path: a run directory, a `.ckpt`, or a model directory; the last knows its configuration
            only as long as it lies in its run directory.

    Raises:
        ModelError: the file cannot be read as a checkpoint of this project.
    """
    if path.is_file():
        config = read_checkpoint(path).get("config")
        if not isinstance(config, dict) or not isinstance(config.get("data"), dict):
            raise ModelError(
                f"{path} is not a checkpoint of this project: it has no configuration."
            )
        return config
    run = run_directory(path)
    if run is None:
        return None
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(run / CONFIG)))
