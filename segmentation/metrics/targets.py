"""Predictions and truth of image-level targets -> accuracy, macro F1, RMSE, Pearson, concordance.

Every score is computed once from the predictions of a whole split, each image counted once.
"""

import re
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torchmetrics.functional import mean_squared_error
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score
from torchmetrics.functional.regression import concordance_corrcoef, pearson_corrcoef

from segmentation.system.files import jsonable
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

    def select(self, images: np.ndarray) -> "TargetPredictions":
        """Return a part of the images: a mask, `bool` (N,), or indices in their new order."""
        return TargetPredictions(
            self.columns,
            self.probabilities[images],
            self.predicted[images],
            self.category[images],
            self.values[images],
        )


VALUE_SCORES = ("rmse", "pearson", "ccc")


def curve_names(columns: TargetColumns) -> list[str]:
    """Return the keys of `TargetScores.flat` for these columns."""
    names = ["accuracy", "macro_f1"] if columns.category is not None else []
    names += [_curve(score, column) for column in columns.values for score in VALUE_SCORES]
    return names + (["ccc"] if columns.values else [])


def _curve(score: str, column: str) -> str:
    name = re.sub(r"[^\w.-]", "_", column)  # MLflow refuses other characters
    return f"{score}_{name}"


NAN = float("nan")


@dataclass(frozen=True)
class CategoryScores:
    """The scores of the categories; NaN where no image has one.

    Attributes:
        images: number of images with a known category.
        accuracy: share of correctly predicted categories, 0..1.
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
        images: number of images with a known value.
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
        known = [scores.ccc for scores in self.values.values() if not np.isnan(scores.ccc)]
        return float(np.mean(known)) if known else NAN

    def flat(self) -> dict[str, float]:
        """Return one number for each curve of a log: ``macro_f1``, ``rmse_<column>`` and so on."""
        result = {}
        if self.category is not None:
            result = {"accuracy": self.category.accuracy, "macro_f1": self.category.macro_f1}
        for column, scores in self.values.items():
            for score in VALUE_SCORES:
                result[_curve(score, column)] = getattr(scores, score)
        return result | ({"ccc": self.ccc} if self.values else {})

    def to_dict(self) -> dict:
        """Return plain values; None stands for a score that does not exist."""
        result: dict = {}
        if self.category is not None:
            result["category"] = asdict(self.category)
        if self.values:
            result["values"] = {name: asdict(scores) for name, scores in self.values.items()}
            result["ccc"] = self.ccc
        return jsonable(result)


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
    known = predictions.category != NO_CATEGORY
    truth = torch.from_numpy(predictions.category[known])
    predicted = torch.from_numpy(predictions.predicted_category[known])
    if not len(truth):
        return CategoryScores(0, NAN, NAN, dict.fromkeys(names, NAN))
    count = len(names)
    f1 = multiclass_f1_score(predicted, truth, count, average="none")
    occurring = np.isin(np.arange(count), np.concatenate([truth.numpy(), predicted.numpy()]))
    return CategoryScores(
        len(truth),
        multiclass_accuracy(predicted, truth, count, average="micro").item(),
        multiclass_f1_score(predicted, truth, count, average="macro").item(),
        # torchmetrics gives 0 to a category that occurs nowhere.
        dict(zip(names, np.where(occurring, f1.double().numpy(), NAN).tolist(), strict=True)),
    )


def _value(predicted: np.ndarray, values: np.ndarray) -> ValueScores:
    known = ~np.isnan(values)
    truth = torch.from_numpy(values[known].astype(np.float64))
    prediction = torch.from_numpy(predicted[known].astype(np.float64))
    if not len(truth):
        return ValueScores(0, NAN, NAN, NAN)
    pearson, ccc = NAN, NAN
    if len(truth.unique()) > 1:
        ccc = 0.0
        if len(prediction.unique()) > 1:
            pearson = pearson_corrcoef(prediction, truth).item()
            ccc = concordance_corrcoef(prediction, truth).item()
    rmse = mean_squared_error(prediction, truth, squared=False).item()
    return ValueScores(len(truth), rmse, pearson, ccc)
