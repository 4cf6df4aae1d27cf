"""Random choices of a scene, all from one generator in a fixed order."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from segmentation.streets.colors import Color

Item = TypeVar("Item")


class Dice:
    """Short names for the draws of a scene from a `numpy.random.Generator`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a uniform number in [low, high)."""
        return low + (high - low) * self.rng.random()

    def many(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Return uniform numbers in [low, high) of this shape."""
        return low + (high - low) * self.rng.random(shape)

    def pick(self, options: Sequence[Item]) -> Item:
        """Return one of equally likely options."""
        return options[int(self.rng.random() * len(options))]

    def weighted(self, weights: Mapping[str, float]) -> str:
        """Return a key with a probability in proportion to its weight."""
        left = self.rng.random() * sum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return name

    def tone(self, color: Color, spread: float) -> Color:
        """Return a variation of a colour in brightness and, slightly, in each channel."""
        gain = self.between(1 - spread, 1 + spread)
        shift = self.many(-30 * spread, 30 * spread, 3)
        red, green, blue = (
            min(max(c * gain + s, 4), 250) for c, s in zip(color, shift, strict=True)
        )
        return red, green, blue

    def any_color(self, low: float, high: float, saturation: float) -> Color:
        """Return a colour of any hue with a brightness in [low, high)."""
        bright = self.between(low, high)
        red, green, blue = bright * (1 - saturation * self.rng.random(3))
        return float(red), float(green), float(blue)
