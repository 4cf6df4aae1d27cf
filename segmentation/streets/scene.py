"""Draw a street scene: plan it, place everything on it, draw from far to near."""

import cv2
import numpy as np

from segmentation.errors import DataError
from segmentation.streets.carriageway import place_traffic
from segmentation.streets.colors import scaled
from segmentation.streets.dice import Dice
from segmentation.streets.ground import draw_ground
from segmentation.streets.lens import develop
from segmentation.streets.light import UP, Light, random_light
from segmentation.streets.pavement import place_pavement
from segmentation.streets.roadside import place_roadside
from segmentation.streets.sky import BACKDROP, draw_backdrop, draw_sky
from segmentation.streets.stage import Stage
from segmentation.streets.street import Street, random_street
from segmentation.streets.view import UNLABELLED, View

SMALLEST = 32
"""The least height and width of a picture, in pixels."""


def draw_scene(seed: int, index: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw a street from a car's camera, with its mask.

    The scene depends on `seed` and `index` alone; `size` is only its resolution.

    Args:
        seed: of the whole set of scenes, 0 or more.
        index: of the scene, 0 or more.
        size: height and width in pixels, `SMALLEST` or more each.

    Returns:
        The picture, RGB uint8 (H, W, 3), and its mask, uint8 (H, W), with CamVid's indices 0..11
        (11 is void). A pixel has the class that covers most of it.

    Raises:
        DataError: invalid `size`.
    """
    check_size(size)
    dice, street, light = _plan(seed, index)
    view = View(size, dice, light)
    stage = Stage(view, street)
    stage.add(BACKDROP, draw_backdrop)
    place_roadside(stage)
    for side in (-1, 1):
        place_pavement(stage, side)
    place_traffic(stage)
    draw_sky(view)
    draw_ground(view, street, stage.shadows)
    stage.draw()
    if dice.chance(0.36):
        draw_bonnet(view)
    return develop(view)


def plan_scene(seed: int, index: int) -> tuple[Street, Light]:
    """Return the street and the light that `draw_scene` draws, without drawing."""
    _, street, light = _plan(seed, index)
    return street, light


def _plan(seed: int, index: int) -> tuple[Dice, Street, Light]:
    dice = Dice(np.random.default_rng([seed, index]))
    street = random_street(dice)
    return dice, street, random_light(dice)


def check_size(size: tuple[int, int]) -> None:
    """Raise a DataError unless `size` is a height and a width that can be drawn."""
    if len(size) != 2 or min(size) < SMALLEST:
        raise DataError(
            f"invalid size {list(size)} of street scenes: pass a height and a width of at least "
            f"{SMALLEST} pixels, such as [240,320]."
        )


def draw_bonnet(view: View) -> None:
    """Draw the bonnet of the camera's own car along the lower edge: Unlabelled in CamVid."""
    dice = view.dice
    top = view.rows * dice.between(0.86, 0.95)
    sag, tilt = view.rows * dice.between(0.03, 0.1), view.rows * dice.between(-0.03, 0.03)
    u = np.linspace(0, view.cols, 30)
    share = 2 * u / view.cols - 1
    edge = np.stack([u, top + sag * share**2 + tilt * share], axis=1)
    paint = dice.tone(dice.pick(((30, 32, 36), (120, 124, 128), (40, 56, 100), (150, 40, 40))), 0.3)
    for drop, gain in ((0.0, 0.55), (0.012, 1.0), (0.05, 0.9)):
        lower = np.add(edge, (0, drop * view.rows))
        outline = np.concatenate([lower, [(view.cols, view.rows), (0, view.rows)]])
        ink = view.paint(scaled(paint, gain), UNLABELLED, UP)
        cv2.fillPoly(view.pixels, [np.rint(outline).astype(np.int32)], ink)
