"""Convert scores and pictures to W&B's tables, charts and images with masks."""

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
"""Maximum width of an image in W&B, in pixels."""


def target_table(result: Mapping[str, Any]) -> "wandb.Table":
    """Return a table with a row (column or category, score, value) for each target score.

    Args:
        result: scores as `TargetScores.to_dict` returns them and metrics.json holds them.
    """
    import wandb

    rows = []
    if (category := result.get("category")) is not None:
        rows = [[name, "F1", f1] for name, f1 in category["f1"].items()]
        rows += [["all", "macro F1", category["macro_f1"]]]
        rows += [["all", "accuracy", category["accuracy"]]]
    for column, values in result.get("values", {}).items():
        rows += [[column, "RMSE", values["rmse"]], [column, "Pearson", values["pearson"]]]
        rows.append([column, "CCC", values["ccc"]])
    return wandb.Table(["column", "score", "value"], rows)


def class_table(
    confusion: np.ndarray,
    names: Sequence[str],
    further: Mapping[str, Mapping[str, float | None]] | None = None,
) -> "wandb.Table":
    """Return a table with a row for each class: name, share of pixels, IoU, accuracy (recall).

    Args:
        confusion: (C, C), rows are the truth.
        names: class names.
        further: additional columns, title -> {class: value}; missing classes get no value.
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
    """Return W&B's confusion matrix chart, normalized by truth or by prediction.

    It is built from counts, because W&B's own helper takes a list of single samples.

    Args:
        confusion: (C, C), rows are the truth.
        names: class names.
        title: title of the chart; the normalization is appended to it.
        of: whether each row (true class) or each column (predicted class) adds up to 1.
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
    """Return a W&B image with truth and prediction as masks with class names."""
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
