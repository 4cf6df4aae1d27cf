"""The sky, and the skyline at the end of the street."""

import cv2
import numpy as np

from segmentation.streets import textures
from segmentation.streets.colors import Color, scaled
from segmentation.streets.view import BUILDING, SKY, TREE, UNLABELLED, View, billboard, box

BACKDROP = 190.0
"""Distance of the skyline, in metres."""
_SOFT = 4  # the sky has no sharp edges: it is drawn at a quarter of the resolution
_GREENS: tuple[Color, ...] = ((70, 88, 60), (95, 92, 62), (56, 66, 58))


def draw_sky(view: View) -> None:
    """Draw a gradient, clouds in perspective and the glow around the sun."""
    dice, light = view.dice, view.light
    rows = int(view.horizon) + 2
    shape = (max(rows // _SOFT, 2), max(view.cols // _SOFT, 2))
    height = np.linspace(1, 0, shape[0], dtype=np.float32)[:, None]
    lift = (height ** dice.between(0.5, 1.1))[..., None]
    low, high = (np.array(color, np.float32) for color in (light.horizon, light.zenith))
    sky = np.repeat(low + lift * (high - low), shape[1], axis=1)
    sky += _clouds(view, height, shape[1], sky)
    if light.toward_sun[2] > 0.2 and light.weather in ("clear", "pale", "dusk"):
        right, up, ahead = light.toward_sun
        sun_u = (view.middle + view.focal * right / ahead) / view.cols
        sun_v = (view.horizon - view.focal * up / ahead) / view.cols
        du = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :] - sun_u
        dv = np.linspace(0, rows / view.cols, shape[0], dtype=np.float32)[:, None] - sun_v
        sky += np.exp(-5 * np.hypot(du, dv))[..., None] * np.array(light.sun, np.float32) * 130
    full = cv2.resize(cv2.convertScaleAbs(np.maximum(sky, 0)), (view.cols, rows))
    view.pixels[:rows, :, :3] = full[: view.rows]
    view.pixels[:rows, :, 3] = SKY


def _clouds(view: View, height: np.ndarray, width: int, sky: np.ndarray) -> np.ndarray:
    """Return the clouds to add to the sky, float32 (H, width, 3); `height` falls from 1 to 0."""
    dice, light = view.dice, view.light
    depth = 1 / (height + 0.12)  # they crowd together towards the horizon
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    scale, left, top = dice.between(60, 160), *dice.many(0, textures.SIDE, 2)
    columns = (across * depth * (1.6 * scale) + left).astype(np.float32)
    lines = np.repeat((depth * scale + top).astype(np.float32), width, axis=1)
    tile = textures.fractal(1.7)
    noise = cv2.remap(tile, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    cover = np.clip((noise + 2.6 * light.clouds - 1.3) * dice.between(0.6, 1.2), 0, 0.92)
    shade = 1.08 - 0.3 * light.clouds * np.clip(noise * 0.6 + 0.4, 0, 1.4)
    tint = (1.1, 0.88, 0.8) if light.weather == "dusk" else (1.0, 1.0, 1.02)
    bright = sum(light.horizon) / 3 * np.array(tint, np.float32)
    return cover[..., None] * (shade[..., None] * bright - sky)


def draw_backdrop(view: View) -> None:
    """Close the street with distant roofs and trees, and unlabelled clutter."""
    dice = view.dice
    green, trees = dice.tone(dice.pick(_GREENS), 0.2), dice.between(0.3, 0.9)
    tall, x = dice.between(0.6, 1.5), -145.0
    while x < 145:
        width, height = dice.between(7, 20), tall * dice.between(5, 10)
        if not view.sees(x + width / 2, BACKDROP, width):
            pass
        elif dice.chance(trees):
            _block(view, x, width, height, green, TREE)
            tops = np.arange(x, x + width, 2.5)
            for top, lift in zip(tops, dice.many(0.5, 1.1, len(tops)), strict=True):
                leaves = scaled(green, 0.6 + 0.5 * lift)
                view.ball(top, height * lift, BACKDROP, 3.5 * lift, leaves, TREE)
        else:
            _block(view, x, width, height, dice.any_color(90, 190, 0.35), BUILDING)
            roof = [(0, height), (width / 2, height + 0.3 * width), (width, height)]
            view.fill(billboard(x, BACKDROP, roof), dice.any_color(70, 120, 0.4), BUILDING)
        x += width
    if dice.chance(0.6):
        clutter, left = dice.any_color(50, 120, 0.3), dice.between(-60, 10)
        for k, height in enumerate(dice.many(1.2, 3.4, 14)):
            _block(view, left + 5 * k, 5, height, dice.tone(clutter, 0.3), UNLABELLED)


def _block(view: View, left: float, width: float, height: float, color: Color, label: int) -> None:
    """Fill a rectangle of the skyline, from just below the ground."""
    view.fill(billboard(left, BACKDROP, box(0, width, -1, height)), color, label)
