"""Metrics that keep the counts and predictions of every image, gathered from all ranks."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from segmentation.metrics.boundary import band_counts, contour_counts
from segmentation.metrics.counting import confidence_counts
from segmentation.runs.views import encode_labels
from segmentation.targets import TargetColumns


class PerImage(Metric):
    """Keep tensors for each image.

    Ranks get equally many images, so some come twice (see `RankSampler`); one of each is kept.

    Args:
        names: of the tensors, besides the image's index.
    """

    full_state_update = False
    index: list[Tensor]

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        for name in ("index", *names):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, index: Tensor, *tensors: Tensor) -> None:
        """Add images: their indices (N,) in the split, and a tensor (N, ...) for each name."""
        for name, tensor in zip(("index", *self.names), (index, *tensors), strict=True):
            getattr(self, name).append(tensor)

    def compute(self) -> Any:
        """Return an array (images, ...) for each name, ordered by index; empty without images."""
        if not len(self.index):
            return {}
        first = self._first()
        return {name: self._array(name)[first] for name in self.names}

    def _first(self) -> np.ndarray:
        """Return the position at which each image comes first, ordered by index."""
        return np.unique(self._array("index"), return_index=True)[1]

    def _array(self, name: str) -> np.ndarray:
        return dim_zero_cat(getattr(self, name)).cpu().numpy()


class PerImageConfusion(PerImage):
    """Keep a confusion matrix for each image, `matrix`, `int64` (N, C, C).

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__("matrix")
        self.num_classes = num_classes

    def compute(self) -> np.ndarray:
        """Return `int64` (images, C, C), ordered by index; rows are the truth."""
        empty = np.zeros((0, self.num_classes, self.num_classes), dtype=np.int64)
        return super().compute().get("matrix", empty)


class PerImageDetails(PerImage):
    """Keep further counts and a picture of each image's prediction, at the labels' resolution.

    `boundary`, `int64` (N, C, 2), and `boundary_f`, `int64` (N, C, 4): see
    `segmentation.metrics.boundary`. `calibration`, `int64` (N, C, BINS, 3): see
    `segmentation.metrics.counting`. `view`: the predicted labels as a small PNG, see
    `segmentation.runs.views`.

    Args:
        num_classes: C.
    """

    view: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__("boundary", "boundary_f", "calibration", "length")
        self.num_classes = num_classes
        self.add_state("view", default=[], dist_reduce_fx="cat")  # bytes of all images, joined

    def add(self, index: Tensor, truth: Tensor, prediction: Tensor, logits: Tensor) -> None:
        """Add one image.

        Args:
            index: (), position in the split.
            truth: labels (H, W), with `VOID`.
            prediction: labels (H, W).
            logits: (C, H, W).
        """
        true, predicted = (labels.to(torch.uint8).cpu().numpy() for labels in (truth, prediction))
        view = torch.frombuffer(bytearray(encode_labels(predicted)), dtype=torch.uint8)
        details = (
            torch.from_numpy(band_counts(true, predicted, self.num_classes)),
            torch.from_numpy(contour_counts(true, predicted, self.num_classes)),
            confidence_counts(truth, logits),
            torch.tensor(len(view)),
        )
        # On the model's device, where ranks gather.
        self.update(index[None], *(detail[None].to(index.device) for detail in details))
        self.view.append(view.to(index.device))

    def compute(self) -> dict[str, Any]:
        """Return arrays by name, ordered by index; `view` is a list of bytes."""
        details: dict[str, Any] = super().compute()
        if details:
            ends, views = self._array("length").cumsum(), self._array("view")
            details["view"] = [
                views[ends[position] - length : ends[position]].tobytes()
                for position, length in zip(self._first(), details.pop("length"), strict=True)
            ]
        return details


class PerImageTargets(PerImage):
    """Keep truth and prediction of the image-level targets.

    Args:
        columns: what is predicted.
    """

    def __init__(self, columns: TargetColumns) -> None:
        super().__init__("probabilities", "predicted", "category", "values")
        self.columns = columns

    def compute(self) -> dict[str, np.ndarray]:
        """Return the arrays of `TargetPredictions` by name, ordered by index."""
        categories, values = len(self.columns.categories), len(self.columns.values)
        empty: dict[str, np.ndarray] = {
            "probabilities": np.zeros((0, categories), np.float32),
            "predicted": np.zeros((0, values), np.float32),
            "category": np.zeros(0, np.int64),
            "values": np.zeros((0, values), np.float32),
        }
        return empty | super().compute()
