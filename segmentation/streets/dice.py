"""The random choices of a scene: all of them come from one generator, in a fixed order."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from segmentation.streets.colors import Color

Item = TypeVar("Item")


class Dice:
    """Short names for the draws that a scene needs, over one `numpy.random.Generator`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a uniform number of [low, high)."""
        return low + (high - low) * self.rng.random()

    def many(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Return uniform numbers of [low, high) in this shape."""
        return low + (high - low) * self.rng.random(shape)

    def pick(self, options: Sequence[Item]) -> Item:
        """Return one of the options, all equally likely."""
        return options[int(self.rng.random() * len(options))]

    def weighted(self, weights: Mapping[str, float]) -> str:
        """Return one of the keys, as likely as its share of the weights."""
        left = self.rng.random() * sum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return name

    def tone(self, color: Color, spread: float) -> Color:
        """Return the colour made lighter or darker, and each channel shifted a little."""
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
