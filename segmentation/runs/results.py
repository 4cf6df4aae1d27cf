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

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmentation.metrics.scores import Scores, scores
from segmentation.metrics.targets import TargetPredictions, TargetScores, target_scores
from segmentation.runs.directory import METRICS, recorded
from segmentation.runs.per_image_file import write_scored
from segmentation.runs.scored_images import ScoredImages
from segmentation.runs.target_predictions import TARGET_PREDICTIONS, write_predictions
from segmentation.system.files import read_json, write_json


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
    scored: ScoredImages | None,
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
        metrics |= scored.split_scores()
        write_scored(directory, scored)
        names = scored.names
    if predictions is not None:
        targets = target_scores(predictions)
        metrics["targets"] = targets.to_dict()
        write_predictions(directory / TARGET_PREDICTIONS, names, predictions)
    metrics |= {"images": len(names), **facts}
    write_json(directory / METRICS, metrics)  # last: the run is finished
    return Results(directory, segmentation, targets)


def add_facts(directory: Path, **facts: Any) -> None:
    """Add to what the `metrics.json` of a directory says."""
    write_json(directory / METRICS, (read_json(directory / METRICS) or {}) | facts)
