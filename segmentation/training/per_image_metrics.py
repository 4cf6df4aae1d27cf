"""What is kept of every scored image, gathered from all ranks: each image once."""

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

    Ranks get equally many images, so some come twice (see `RankSampler`): `gathered` keeps one of
    each, in the order of their indices.

    Args:
        names: what is kept besides the index.
    """

    full_state_update = False

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        for name in ("index", *names):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, index: Tensor, *tensors: Tensor) -> None:
        """Add images: their indices (N,) in the split, and (N, ...) of each name."""
        for name, tensor in zip(("index", *self.names), (index, *tensors), strict=True):
            self._kept(name).append(tensor)

    def gathered(self) -> dict[str, np.ndarray]:
        """Return (images, ...) of each name; nothing at all where no image came."""
        if not len(self._kept("index")):
            return {}
        first = self.first()
        return {name: dim_zero_cat(self._kept(name)).cpu().numpy()[first] for name in self.names}

    def first(self) -> np.ndarray:
        """Return where each image comes first, ordered by index."""
        indices = dim_zero_cat(self._kept("index")).cpu().numpy()
        return np.unique(indices, return_index=True)[1]

    def _kept(self, name: str) -> list[Tensor]:
        return getattr(self, name)

    def compute(self) -> Any:
        """Return what the images give together."""
        return self.gathered()


class PerImageConfusion(PerImage):
    """Keep one confusion matrix for each image, `matrix`, `int64` (N, C, C).

    Args:
        num_classes: the side of each matrix.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__("matrix")
        self.num_classes = num_classes

    def compute(self) -> np.ndarray:
        """Return `int64` (images, C, C), ordered by index; rows are the truth."""
        nothing = np.zeros((0, self.num_classes, self.num_classes), dtype=np.int64)
        return self.gathered().get("matrix", nothing)


class PerImageDetails(PerImage):
    """Keep what else is known of the predicted labels of each image, at the labels' own size.

    That is `boundary`, `int64` (N, C, 2), and `boundary_f`, `int64` (N, C, 4), see
    `segmentation.metrics.boundary`; `calibration`, `int64` (N, C, BINS, 3), see
    `segmentation.metrics.counting`; and `view`, the predicted labels as a small PNG (see
    `segmentation.runs.views`).

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__("boundary", "boundary_f", "calibration", "length")
        self.num_classes = num_classes
        self.add_state("view", default=[], dist_reduce_fx="cat")  # all bytes, image after image

    def add(self, index: Tensor, truth: Tensor, prediction: Tensor, logits: Tensor) -> None:
        """Add one image.

        Args:
            index: (), of the image in the split.
            truth: labels (H, W), with `VOID`.
            prediction: labels (H, W).
            logits: (C, H, W).
        """
        true, predicted = (one.to(torch.uint8).cpu().numpy() for one in (truth, prediction))
        view = torch.frombuffer(bytearray(encode_labels(predicted)), dtype=torch.uint8)
        counted = (
            torch.from_numpy(count(true, predicted, self.num_classes))
            for count in (band_counts, contour_counts)
        )
        kept = (*counted, confidence_counts(truth, logits), torch.tensor(len(view)))
        # On the model's device, where ranks gather.
        self.update(index[None], *(one[None].to(index.device) for one in kept))
        self._kept("view").append(view.to(index.device))

    def compute(self) -> dict[str, Any]:
        """Return the arrays by their names, ordered by index; `view` is a list of bytes."""
        found: dict[str, Any] = self.gathered()
        if found:
            ends = dim_zero_cat(self._kept("length")).cumsum(0).cpu().numpy()
            every = dim_zero_cat(self._kept("view")).cpu().numpy()
            found["view"] = [
                every[ends[place] - length : ends[place]].tobytes()
                for place, length in zip(self.first(), found.pop("length"), strict=True)
            ]
        return found


class PerImageTargets(PerImage):
    """Keep truth and prediction of the image-level targets, as `TargetPredictions` has them.

    Args:
        columns: what is predicted.
    """

    def __init__(self, columns: TargetColumns) -> None:
        super().__init__("probabilities", "predicted", "category", "values")
        self.columns = columns

    def compute(self) -> dict[str, np.ndarray]:
        """Return the arrays of `TargetPredictions` by their names, ordered by index."""
        categories, values = len(self.columns.categories), len(self.columns.values)
        nothing: dict[str, np.ndarray] = {
            "probabilities": np.zeros((0, categories), np.float32),
            "predicted": np.zeros((0, values), np.float32),
            "category": np.zeros(0, np.int64),
            "values": np.zeros((0, values), np.float32),
        }
        return nothing | self.gathered()
