"""Collect the objects of a street with their depths and shadows, then draw them."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from segmentation.streets.ground import Shadow
from segmentation.streets.street import Street
from segmentation.streets.view import NEAR, View

_LEAST_SHADOW = 0.15  # of the ground's light; none under a grey sky


class Stage:
    """The objects placed on a street, and their shadows on the ground."""

    def __init__(self, view: View, street: Street) -> None:
        self.view, self.street, self.dice = view, street, view.dice
        self.shadows: list[Shadow] = []
        self._things: list[tuple[float, Callable[[], None]]] = []

    def add(self, depth: float, draw: Callable[..., None], *arguments: Any) -> None:
        """Schedule `draw(view, *arguments)` after everything farther than `depth`."""
        self._things.append((depth, partial(draw, self.view, *arguments)))

    def stand(
        self, draw: Callable[..., None], x: float, z: float, reach: float, *arguments: Any
    ) -> None:
        """Add `draw(view, x, z, *arguments)` if `reach` metres around (x, z) are in view."""
        if z > 2 * NEAR and self.view.sees(x, z, reach):
            self.add(z, draw, x, z, *arguments)

    def cast(self, x: float, z: float, half: float, high: float, low: float = 0.0) -> None:
        """Cast the shadow of an upright object from `low` to `high`, `half` its width, metres."""
        right, up, ahead = self.view.light.toward_sun
        level = math.hypot(right, ahead)
        across, along = -ahead / level * half, right / level * half
        corners = [
            (x - y / up * right + s * across, 0.0, z - y / up * ahead + s * along)
            for y, s in ((low, 1), (low, -1), (high, -1), (high, 1))
        ]
        self.cast_polygon(np.array(corners))

    def cast_polygon(self, points: np.ndarray) -> None:
        """Cast a shadow of this outline, ground points (K, 3)."""
        strength = self.view.light.shadow
        if strength >= _LEAST_SHADOW:
            points[:, 2] = np.maximum(points[:, 2], NEAR)
            self.shadows.append((points, 0.75 * strength))

    def draw(self) -> None:
        """Draw all things from far to near."""
        for _, draw in sorted(self._things, key=lambda thing: -thing[0]):
            draw()
