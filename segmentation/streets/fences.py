"""Fences of bars, boards or wire."""

import numpy as np

from segmentation.streets.colors import Color, scaled
from segmentation.streets.view import FENCE, View

FENCES = {"railing": 0.16, "boards": 0.28, "mesh": 0.5}
"""Spacing of bars, boards or wires in metres, by kind of fence."""


def draw_fence(view: View, ends: np.ndarray, kind: str, height: float, color: Color) -> None:
    """Draw a piece of fence between two ground points; all of it is Fence, gaps included.

    Args:
        view: the canvas.
        ends: (2, 2): x and z of both ends, in metres.
        kind: a key of `FENCES`.
        height: in metres.
        color: of bars, boards or wires.
    """
    (x0, z0), (x1, z1) = ends
    dark = scaled(color, 0.58)
    normal = (float(-np.sign(x0)) * 0.8, 0.0, -0.6)

    def at(share: np.ndarray, up: np.ndarray | float) -> np.ndarray:
        along = [x0 + share * (x1 - x0), np.broadcast_to(up, share.shape), z0 + share * (z1 - z0)]
        return np.stack(along, axis=1)

    corners = at(np.array([0, 1, 1, 0]), np.array([0, 0, height, height]))
    share = np.arange(0, 1, FENCES[kind] / float(np.hypot(x1 - x0, z1 - z0)))
    uprights = np.stack([at(share, 0.0), at(share, height)], axis=1)
    if kind == "boards":
        view.fill(corners, color, FENCE, normal)
        view.lines(uprights, dark, FENCE, 0.06, normal)
        return
    view.veil(corners, dark, FENCE, 0.3 if kind == "railing" else 0.4)
    view.lines(uprights, color, FENCE, 0.035 if kind == "railing" else 0.02, normal)
    both = np.array([0.0, 1.0])
    levels = (0.12, height) if kind == "railing" else np.linspace(0.1, height, 5)
    view.lines(np.stack([at(both, up) for up in levels]), color, FENCE, 0.06, normal)
    post = at(np.zeros(2), np.array([0.0, height * 1.08]))
    view.lines([post], color, FENCE, 0.09, normal)
