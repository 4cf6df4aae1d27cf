"""A run in a comparison: its scores, and the settings behind them."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segmentation.evaluation.comparison import naming
from segmentation.evaluation.comparison.find_evaluations import Evaluation
from segmentation.inference.options import InferenceOptions
from segmentation.runs.directory import read_environment, read_metrics, read_settings
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.scored_images import ScoredImages

PLAIN_INFERENCE = InferenceOptions().to_dict()


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A run in a comparison.

    Attributes:
        evaluation: where its scores are.
        images: its scores.
        settings: what its result depends on, flat; None if unknown.
        typed: the overrides of its training.
        name: that the user gave it, if any.
        trained: the metrics.json of its training; empty where there is none.
    """

    evaluation: Evaluation
    images: ScoredImages
    settings: Mapping[str, Any] | None
    typed: Sequence[str]
    name: str | None
    trained: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, Any]:
        """The `metrics.json` of its evaluation."""
        return self.images.metrics


def read_compared_run(evaluation: Evaluation, name: str | None) -> ComparedRun:
    """Read an evaluation and the settings of its run.

    Args:
        evaluation: to compare.
        name: that the user gave it, if any.

    Raises:
        DataError: a file is missing or damaged.
    """
    images = read_scored(evaluation.directory)
    if evaluation.run is None:
        return ComparedRun(evaluation, images, None, [], name, {})
    config, environment = read_settings(evaluation.run), read_environment(evaluation.run) or {}
    trained = read_metrics(evaluation.run) or {}
    settings = naming.counted(config) | _used(images.metrics, config, environment)
    if evaluation.checkpoint != "best":
        settings[naming.CHECKPOINT] = evaluation.checkpoint
    data = environment.get("data", {})
    # Each fold is trained on images of its own, and the settings hold the fold.
    if "train" in data and settings.get("data.fold") is None:
        settings[naming.TRAINED_ON] = data["train"]
    return ComparedRun(
        evaluation, images, settings, environment.get("overrides", []), name, trained
    )


def _used(
    metrics: Mapping[str, Any], config: Mapping[str, Any], environment: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of an evaluation that differ from those of the training.

    Settings that an older evaluation did not record count as equal.
    """
    inference = metrics.get("inference") or {}
    if not inference.get("window"):
        inference = {key: value for key, value in inference.items() if key != "overlap"}
    settings = {f"inference.{k}": v for k, v in inference.items() if v != PLAIN_INFERENCE.get(k)}
    precision, size = environment.get("precision"), (config.get("data") or {}).get("size")
    if precision and metrics.get("precision", precision) != precision:
        settings["scored.precision"] = metrics["precision"]
    if metrics.get("size", size) != size:
        settings["scored.size"] = metrics["size"] or "the images' own"
    if chosen := metrics.get("class_map"):
        text = json.dumps(chosen, sort_keys=True)
        settings["scored.class_map"] = f"{zlib.crc32(text.encode()):08x}"
    return settings
