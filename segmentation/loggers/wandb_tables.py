"""Scores and pictures in W&B's own form: tables, charts, images with masks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from segmentation.classes import VOID
from segmentation.metrics.scores import scores
from segmentation.pictures import Example

if TYPE_CHECKING:
    import wandb

MASK_WIDTH = 640
"""Images are sent no wider than this, in pixels."""


def target_table(result: Mapping[str, Any]) -> "wandb.Table":
    """Return one row for each score of image-level targets: column or category, score, value.

    Args:
        result: what `TargetScores.to_dict` gives, and metrics.json keeps.
    """
    import wandb

    rows = []
    if (category := result.get("category")) is not None:
        rows = [[name, "F1", f1] for name, f1 in category["f1"].items()]
        rows += [["all", "macro F1", category["macro_f1"]]]
        rows += [["all", "accuracy", category["accuracy"]]]
    for column, one in result.get("values", {}).items():
        rows += [[column, "RMSE", one["rmse"]], [column, "Pearson", one["pearson"]]]
        rows.append([column, "CCC", one["ccc"]])
    return wandb.Table(["column", "score", "value"], rows)


def class_table(
    confusion: np.ndarray,
    names: Sequence[str],
    further: Mapping[str, Mapping[str, float | None]] | None = None,
) -> "wandb.Table":
    """Return one row for each class: name, share of the labelled pixels, IoU, accuracy (recall).

    Args:
        confusion: (C, C), rows are the truth.
        names: of the classes.
        further: more columns, title -> {class: value}; a class that is missing has none.
    """
    import wandb

    further = further or {}
    result = scores(confusion)
    share = confusion.sum(axis=1) / max(1, confusion.sum())
    rows = [
        [name, *(None if np.isnan(value) else float(value) for value in values)]
        + [column.get(name) for column in further.values()]
        for name, *values in zip(names, share, result.iou, result.accuracy, strict=True)
    ]
    columns = ["class", "share of pixels", "IoU", "accuracy", *further]
    return wandb.Table(columns=columns, data=rows)  # type: ignore[arg-type]


def confusion_plot(
    confusion: np.ndarray,
    names: Sequence[str],
    title: str,
    of: Literal["truth", "prediction"] = "truth",
) -> Any:
    """Return W&B's confusion matrix chart, as shares of what is true or of what is predicted.

    It is filled from the counts: W&B's own helper wants a list of single pixels.

    Args:
        confusion: (C, C), rows are the truth.
        names: of the classes.
        title: of the chart; what the cells are is added to it.
        of: what adds up to 1, each row (true class) or each column (predicted class).
    """
    import wandb

    sums = confusion.sum(axis=1 if of == "truth" else 0, keepdims=True)
    share = confusion / np.maximum(1, sums)
    columns = ["Actual", "Predicted", "nPredictions"]
    cells = [
        [truth, predicted, round(float(share[i, j]), 4)]
        for i, truth in enumerate(names)
        for j, predicted in enumerate(names)
    ]
    part = "row (true class)" if of == "truth" else "column (predicted class)"
    return wandb.plot_table(
        vega_spec_name="wandb/confusion_matrix/v1",
        data_table=wandb.Table(columns=[*columns], data=cells),
        fields={column: column for column in columns},
        string_fields={"title": f"{title}, share of each {part}"},
    )


def masked_image(shown: Example, names: Sequence[str], caption: str | None = None) -> "wandb.Image":
    """Return an image with truth and prediction as masks that carry the names of the classes."""
    import wandb

    height, width = shown.truth.shape
    size = (min(width, MASK_WIDTH), round(height * min(1.0, MASK_WIDTH / width)))
    labels = {**dict(enumerate(names)), VOID: "void"}
    masks = {
        key: {
            "mask_data": cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST),
            "class_labels": labels,
        }
        for key, mask in (("truth", shown.truth), ("prediction", shown.prediction))
    }
    image = cv2.resize(shown.image, size, interpolation=cv2.INTER_AREA)
    return wandb.Image(image, masks=masks, caption=caption or shown.name, file_type="jpg")
