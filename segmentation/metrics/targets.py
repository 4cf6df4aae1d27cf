"""Predictions and truth of image-level targets -> accuracy, macro F1, RMSE, Pearson, concordance.

Every score is computed once from the predictions of a whole split, each image counted once.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torchmetrics.functional import mean_squared_error
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score
from torchmetrics.functional.regression import concordance_corrcoef, pearson_corrcoef

from segmentation.targets import NO_CATEGORY, TargetColumns


@dataclass(frozen=True)
class TargetPredictions:
    """The image-level targets of N images.

    Attributes:
        columns: what was predicted.
        probabilities: `float32` (N, categories), each row sums to 1.
        predicted: `float32` (N, values), in the columns' units.
        category: `int64` (N,), the truth; `NO_CATEGORY` where it is not known.
        values: `float32` (N, values), the truth; NaN where it is not known.
    """

    columns: TargetColumns
    probabilities: np.ndarray
    predicted: np.ndarray
    category: np.ndarray
    values: np.ndarray

    @property
    def predicted_category(self) -> np.ndarray:
        """The most probable category of each image, `int64` (N,)."""
        return self.probabilities.argmax(axis=1)

    def select(self, kept: np.ndarray) -> "TargetPredictions":
        """Return some of the images: `kept` holds `bool` (N,), or their indices."""
        return TargetPredictions(
            self.columns,
            self.probabilities[kept],
            self.predicted[kept],
            self.category[kept],
            self.values[kept],
        )


NAN = float("nan")


@dataclass(frozen=True)
class CategoryScores:
    """The scores of the categories; NaN where no image has one.

    Attributes:
        images: how many have a category.
        accuracy: the share of them whose category was found, 0..1.
        macro_f1: the mean F1 of the categories that occur in the truth or in the predictions.
        f1: of each category, NaN where it does not occur.
    """

    images: int
    accuracy: float
    macro_f1: float
    f1: dict[str, float]


@dataclass(frozen=True)
class ValueScores:
    """The scores of one column of numbers.

    Attributes:
        images: how many have a number.
        rmse: root of the mean squared error, in the column's unit; NaN without images.
        pearson: correlation, -1..1; NaN where truth or predictions do not vary.
        ccc: concordance correlation (Lin 1989), -1..1; NaN where the truth does not vary, 0 where
            only the predictions do not.
    """

    images: int
    rmse: float
    pearson: float
    ccc: float


@dataclass(frozen=True)
class TargetScores:
    """The scores of all columns.

    Attributes:
        category: of the column of categories; None without one.
        values: of each column of numbers.
    """

    category: CategoryScores | None
    values: dict[str, ValueScores]

    @property
    def ccc(self) -> float:
        """The mean concordance of the columns that have one; NaN without any."""
        found = [one.ccc for one in self.values.values() if not np.isnan(one.ccc)]
        return float(np.mean(found)) if found else NAN

    def flat(self) -> dict[str, float]:
        """Return one number for each curve of a log: ``macro_f1``, ``rmse_<column>`` and so on."""
        result = {}
        if self.category is not None:
            result = {"accuracy": self.category.accuracy, "macro_f1": self.category.macro_f1}
        for column, one in self.values.items():
            name = re.sub(r"[^\w.-]", "_", column)  # what MLflow takes as a name
            result |= {f"rmse_{name}": one.rmse, f"pearson_{name}": one.pearson,
                       f"ccc_{name}": one.ccc}  # fmt: skip
        return result | ({"ccc": self.ccc} if self.values else {})

    def to_dict(self) -> dict:
        """Return plain values; None stands for a score that does not exist."""
        result: dict = {}
        if self.category is not None:
            result["category"] = asdict(self.category)
        if self.values:
            result["values"] = {name: asdict(one) for name, one in self.values.items()}
            result["ccc"] = self.ccc
        return _plain(result)


def target_scores(predictions: TargetPredictions) -> TargetScores:
    """Compute all scores with torchmetrics, in float64."""
    columns = predictions.columns
    return TargetScores(
        _category(predictions) if columns.category is not None else None,
        {
            column: _value(predictions.predicted[:, index], predictions.values[:, index])
            for index, column in enumerate(columns.values)
        },
    )


def _category(predictions: TargetPredictions) -> CategoryScores:
    names = predictions.columns.categories
    there = predictions.category != NO_CATEGORY
    truth = torch.from_numpy(predictions.category[there])
    said = torch.from_numpy(predictions.predicted_category[there])
    if not len(truth):
        return CategoryScores(0, NAN, NAN, dict.fromkeys(names, NAN))
    count = len(names)
    each = multiclass_f1_score(said, truth, count, average="none")
    occurs = np.isin(np.arange(count), np.concatenate([truth.numpy(), said.numpy()]))
    return CategoryScores(
        len(truth),
        multiclass_accuracy(said, truth, count, average="micro").item(),
        multiclass_f1_score(said, truth, count, average="macro").item(),
        # torchmetrics gives 0 to a category that occurs nowhere
        {
            name: value if there else NAN
            for name, value, there in zip(names, each.tolist(), occurs, strict=True)
        },
    )


def _value(predicted: np.ndarray, values: np.ndarray) -> ValueScores:
    there = ~np.isnan(values)
    truth, said = (torch.from_numpy(one[there].astype(np.float64)) for one in (values, predicted))
    if not len(truth):
        return ValueScores(0, NAN, NAN, NAN)
    pearson, ccc = NAN, NAN
    if len(truth.unique()) > 1:
        ccc = 0.0
        if len(said.unique()) > 1:
            pearson = pearson_corrcoef(said, truth).item()
            ccc = concordance_corrcoef(said, truth).item()
    rmse = mean_squared_error(said, truth, squared=False).item()
    return ValueScores(len(truth), rmse, pearson, ccc)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value
