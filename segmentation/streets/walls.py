"""Upright walls, and the styles of buildings."""

from dataclasses import dataclass

import numpy as np

from segmentation.streets.colors import Color
from segmentation.streets.dice import Dice
from segmentation.streets.light import Vector

Lengths = np.ndarray | float

DETAIL = 50.0
"""Distance in metres beyond which details are omitted."""
_WALLS: tuple[Color, ...] = (
    (148, 84, 66), (122, 70, 60), (172, 142, 98), (188, 182, 170), (222, 216, 204),
    (122, 120, 118), (94, 82, 74), (198, 170, 132), (150, 140, 126), (104, 108, 114),
)  # fmt: skip
_ROOFS: tuple[Color, ...] = ((86, 84, 90), (120, 72, 58), (100, 92, 84), (70, 66, 66))
_KINDS = {"sash": 0.62, "band": 0.16, "curtain": 0.1, "stone": 0.12}


@dataclass(frozen=True)
class Look:
    """The style of a building; `kind` is a key of `_KINDS`, sizes are in metres."""

    kind: str
    wall: Color
    trim: Color
    glass: Color
    roof: Color
    storey: float
    bay: float
    shop: bool
    pitched: bool


@dataclass(frozen=True)
class Wall:
    """An upright wall from ground point `a` to `b`, each (x, z), facing `normal`."""

    a: tuple[float, float]
    b: tuple[float, float]
    normal: Vector

    @property
    def length(self) -> float:
        """Length in metres."""
        return float(np.hypot(self.b[0] - self.a[0], self.b[1] - self.a[1]))

    @property
    def distance(self) -> float:
        """Distance of the near end from the camera, in metres."""
        return max(1.0, min(self.a[1], self.b[1]))

    def points(self, along: Lengths, up: Lengths, out: float = 0.0) -> np.ndarray:
        """Return world points (..., 3) at `along` 0..1, `up` metres up and `out` in front."""
        along = np.asarray(along, np.float64)
        points = np.empty((*np.broadcast_shapes(along.shape, np.shape(up)), 3))
        points[..., 0] = self.a[0] + out * self.normal[0] + along * (self.b[0] - self.a[0])
        points[..., 1] = up
        points[..., 2] = self.a[1] + out * self.normal[2] + along * (self.b[1] - self.a[1])
        return points

    def panels(
        self, left: Lengths, right: Lengths, low: Lengths, high: Lengths, out: float = 0.0
    ) -> np.ndarray:
        """Return rectangles on the wall, world points (N, 4, 3).

        `left` and `right` are shares of its length, `low` and `high` metres; they broadcast to
        (N,).
        """
        count = max(np.size(bound) for bound in (left, right, low, high))
        along, up = np.empty((count, 4)), np.empty((count, 4))
        along[:, 0] = along[:, 3] = left
        along[:, 1] = along[:, 2] = right
        up[:, 0] = up[:, 1] = low
        up[:, 2] = up[:, 3] = high
        return self.points(along, up, out)


def random_look(dice: Dice, shops: float) -> Look:
    """Return a random look; `shops` is the probability of a shop on the ground floor."""
    kind = dice.weighted(_KINDS)
    wall = dice.pick(_WALLS) if dice.chance(0.75) else dice.any_color(110, 225, 0.35)
    trim = dice.pick(((225, 222, 214), (190, 184, 172), (90, 84, 80), (60, 60, 64)))
    return Look(
        kind=kind,
        wall=dice.tone((110, 122, 132) if kind == "curtain" else wall, 0.2),
        trim=dice.tone(trim, 0.1),
        glass=dice.tone(dice.pick(((58, 66, 76), (40, 42, 46), (92, 106, 120))), 0.2),
        roof=dice.tone(dice.pick(_ROOFS), 0.2),
        storey=dice.between(2.7, 3.6),
        bay=dice.between(1.7, 3.2),
        shop=dice.chance(shops),
        pitched=kind == "sash" or dice.chance(0.4),
    )
