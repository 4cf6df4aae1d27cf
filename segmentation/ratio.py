"""Division where the divisor may be nothing."""

import numpy as np
from numpy.typing import ArrayLike


def ratio(part: ArrayLike, whole: ArrayLike, empty: float = np.nan) -> np.ndarray:
    """Return part / whole, `float64`, and `empty` where `whole` is 0; shapes are broadcast."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, float(empty)), where=whole != 0)
