"""Seamlessly tiling noise, computed once in each process."""

from functools import cache

import numpy as np

SIDE = 512
"""Height and width of a tile, in pixels."""


@cache
def fractal(exponent: float) -> np.ndarray:
    """Return noise whose amplitude falls with frequency to the power of -`exponent`.

    Returns:
        `float32`, shape (SIDE, SIDE), mean 0 and standard deviation 1, periodic both ways. 0 is
        white noise, 1 looks like asphalt or plaster, about 1.7 like clouds.
    """
    white = np.random.default_rng(int(exponent * 100)).standard_normal((SIDE, SIDE))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None, :])
    frequency[0, 0] = np.inf  # no constant part: the mean is 0
    noise = np.fft.ifft2(np.fft.fft2(white) * frequency**-exponent).real
    return np.ascontiguousarray(noise / noise.std(), dtype=np.float32)


def window(tile: np.ndarray, place: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a window (height, width) of a tile at `place`, two numbers in [0, 1)."""
    if height >= SIDE or width >= SIDE:
        tile = np.tile(tile, (height // SIDE + 2, width // SIDE + 2))
    top = int(place[0] * (tile.shape[0] - height))
    left = int(place[1] * (tile.shape[1] - width))
    return tile[top : top + height, left : left + width]
