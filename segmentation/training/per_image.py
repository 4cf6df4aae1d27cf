"""The confusion matrix of every scored image, gathered from all ranks."""

import numpy as np
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PerImageConfusion(Metric):
    """Keep one confusion matrix for each image, and each image once.

    Ranks get equally many images, so some come twice (see `RankSampler`): `compute` keeps one of
    each, in the order of their indices.

    Args:
        num_classes: the side of each matrix.
    """

    full_state_update = False
    index: list[Tensor]
    matrix: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("index", default=[], dist_reduce_fx="cat")
        self.add_state("matrix", default=[], dist_reduce_fx="cat")

    def update(self, index: Tensor, matrix: Tensor) -> None:
        """Add images: their indices (N,) in the split and `int64` matrices (N, C, C)."""
        self.index.append(index)
        self.matrix.append(matrix)

    def compute(self) -> np.ndarray:
        """Return `int64` (images, C, C), ordered by index; rows are the truth."""
        if not len(self.index):
            return np.zeros((0, self.num_classes, self.num_classes), dtype=np.int64)
        index = dim_zero_cat(self.index).cpu().numpy()
        _, first = np.unique(index, return_index=True)
        return dim_zero_cat(self.matrix).cpu().numpy()[first]
