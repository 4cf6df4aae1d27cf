"""The plan of a street: centre line, widths, and the plots along it."""

from dataclasses import dataclass, field
from typing import overload

import numpy as np

from segmentation.streets.dice import Dice

FAR = 130.0
"""Where both sides end, in metres from the camera."""

STYLES: dict[str, dict[str, float]] = {
    "terrace": {"row": 0.84, "park": 0.06, "side": 0.10},
    "high street": {"row": 0.86, "side": 0.12, "park": 0.02},
    "suburb": {"house": 0.66, "park": 0.12, "side": 0.12, "row": 0.10},
    "avenue": {"row": 0.5, "house": 0.2, "park": 0.2, "side": 0.1},
    "park": {"park": 0.72, "house": 0.14, "side": 0.14},
}
"""Probability of each kind of plot, by street style."""
_STYLE_WEIGHTS = {"terrace": 0.27, "high street": 0.27, "suburb": 0.17, "avenue": 0.19, "park": 0.1}
_LENGTHS = {"row": (6, 15), "house": (10, 16), "park": (12, 26), "side": (9, 13)}


@dataclass(frozen=True)
class Plot:
    """A piece of one side of the street; `kind` is a key of `_LENGTHS`, distances in metres."""

    kind: str
    side: int
    start: float
    stop: float


@dataclass(frozen=True)
class Street:
    """The plan of one street, in metres.

    Args:
        style: a key of `STYLES`.
        half: half the width of the carriageway.
        pavements: width of the left and the right pavement.
        offset: of the centre line at the camera, to the right.
        bend: curvature of the centre line, for each metre.
        end: distance of the crossing road where the street ends; `FAR` where it goes on.
        drive: -1 for left-hand traffic, 1 for right-hand.
        plots: along both sides, near to far.
    """

    style: str
    half: float
    pavements: tuple[float, float]
    offset: float
    bend: float
    end: float
    drive: int
    plots: tuple[Plot, ...] = field(default=())

    def pavement(self, side: int) -> float:
        """Return the width of the pavement on this side (-1 left, 1 right)."""
        return self.pavements[side > 0]

    def edge(self, side: int) -> float:
        """Return the signed distance from the centre line to the back of the pavement."""
        return side * (self.half + self.pavement(side))

    @overload
    def x(self, across: float, z: float) -> float: ...
    @overload
    def x(self, across: float | np.ndarray, z: np.ndarray) -> np.ndarray: ...
    def x(self, across: float | np.ndarray, z: float | np.ndarray) -> float | np.ndarray:
        """Return world x of a point `across` metres to the right of the centre line at z."""
        return self.offset + across + 0.5 * self.bend * z**2

    def heading(self, z: float) -> float:
        """Return the street's angle to the camera's axis at z, in radians."""
        return float(np.arctan(self.bend * z))


def random_street(dice: Dice) -> Street:
    """Return the plan of a random street."""
    style = dice.weighted(_STYLE_WEIGHTS)
    half = dice.between(3.2, 6.0)
    low, high = (2.2, 5.0) if style == "high street" else (1.5, 3.3)
    drive = dice.pick((-1, 1))
    offset = -drive * half * dice.between(0.35, 0.6)
    if dice.chance(0.15):
        offset = dice.between(-0.3, 0.3) * half
    straight = dice.chance(0.35)
    bend = 0.0 if straight else dice.between(-0.006, 0.006)
    end = dice.between(28, 70) if dice.chance(0.25) else FAR
    pavements = (dice.between(low, high), dice.between(low, high))
    plots: list[Plot] = []
    for side in (-1, 1):
        z, last = dice.between(-6, 2), ""
        while z < end:
            kind = dice.weighted(STYLES[style])
            if kind == "side" and (last == "side" or z < 8 or z + 14 > end):
                kind = max(STYLES[style], key=STYLES[style].__getitem__)
            stop = min(z + dice.between(*_LENGTHS[kind]), end)
            plots.append(Plot(kind, side, z, stop))
            z, last = stop, kind
    return Street(style, half, pavements, offset, bend, end, drive, tuple(plots))
