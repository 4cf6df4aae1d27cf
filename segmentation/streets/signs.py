"""Traffic signs, traffic lights and posters: CamVid's SignSymbol, on poles."""

import numpy as np

from segmentation.streets.colors import Color, scaled
from segmentation.streets.poles import draw_pole
from segmentation.streets.view import SIGN, View, billboard, box, disc

Face = list[tuple[np.ndarray, Color]]
"""Outlines (K, 2) around a sign's centre, with colours, in painting order."""

_RED: Color = (190, 34, 36)
_BLUE: Color = (30, 80, 160)
_WHITE: Color = (236, 236, 232)
_INK: Color = (30, 30, 32)
_ARROW = np.array([
    (-0.2, -0.6), (0.2, -0.6), (0.2, 0.1), (0.5, 0.1), (0, 0.7), (-0.5, 0.1), (-0.2, 0.1),
])  # fmt: skip
_FACES: dict[str, Face] = {
    "limit": [
        (disc(0, 0, 1), _RED), (disc(0, 0, 0.74), _WHITE),
        (box(-0.4, -0.1, -0.35, 0.35), _INK), (box(0.1, 0.4, -0.35, 0.35), _INK),
    ],
    "warning": [
        (disc(0, 0, 1.2, 3), _RED), (disc(0, 0, 0.75, 3), _WHITE),
        (box(-0.1, 0.1, -0.3, 0.4), _INK),
    ],
    "way": [(disc(0, 0, 1), _BLUE), (_ARROW, _WHITE)],
    "place": [(box(-1, 1, -1, 1), _BLUE), (_ARROW, _WHITE)],
    "no entry": [(disc(0, 0, 1), _RED), (box(-0.7, 0.7, -0.2, 0.2), _WHITE)],
    "stop": [(disc(0, 0, 1.05, 8, np.pi / 8), _RED), (box(-0.75, 0.75, -0.25, 0.25), _WHITE)],
    "back": [(disc(0, 0, 1), (110, 112, 114)), (box(-0.8, 0.8, -0.1, 0.1), (80, 82, 84))],
}  # fmt: skip
_BOARDS: tuple[Color, ...] = ((24, 92, 60), (34, 76, 150), _WHITE, (222, 186, 60))
_SHARES = {
    "limit": 3, "warning": 2, "way": 1.2, "place": 0.8, "no entry": 0.6, "stop": 0.4, "back": 0.7,
    "board": 2.5,
}  # fmt: skip
_LAMPS: tuple[Color, ...] = ((235, 40, 32), (240, 170, 40), (40, 225, 130))


def _draw_face(view: View, x: float, y: float, z: float, size: float, face: Face) -> None:
    """Paint a face centred at (x, y, z), `size` metres from centre to edge."""
    for outline, color in face:
        view.fill(billboard(x, z, outline * size + (0, y)), color, SIGN)


def draw_sign(view: View, x: float, z: float, height: float, color: Color) -> None:
    """Draw a traffic sign or a direction board on a pole, centred `height` metres up."""
    dice = view.dice
    draw_pole(view, x, z, height, 0.12, color)
    kind, size = dice.weighted(_SHARES), dice.between(0.36, 0.52)
    if kind != "board":
        _draw_face(view, x, height, z - 0.05, size, _FACES[kind])
        return
    wide, tall = dice.between(0.7, 1.4), dice.between(0.35, 0.8)
    board = dice.pick(_BOARDS)
    ink = _INK if sum(board) > 500 else _WHITE
    face = [(box(-wide, wide, -tall, tall), ink)]
    face.append((box(-0.95 * wide, 0.95 * wide, -0.92 * tall, 0.92 * tall), board))
    for line in np.arange(0.45 * tall, -0.6 * tall, -0.35):
        end = wide * dice.between(-0.1, 0.7)
        face.append((box(-0.75 * wide, end, line - 0.08, line + 0.08), ink))
    _draw_face(view, x, height, z - 0.05, 1.0, face)


def draw_traffic_light(view: View, x: float, z: float, color: Color) -> None:
    """Draw a traffic light on a pole; its head is SignSymbol, as in CamVid."""
    dice = view.dice
    height = dice.between(3.0, 3.6)
    draw_pole(view, x, z, height - 0.4, 0.13, color)
    face: Face = [
        (box(-0.38, 0.38, -0.7, 0.7), _INK),
        (box(-0.35, 0.35, -0.66, 0.66), (40, 44, 42)),
    ]
    if dice.chance(0.6):
        face.insert(0, (box(-0.42, 0.42, -0.75, 0.75), _WHITE))
    lit = dice.pick((0, 0, 1, 2))
    for k, lamp in enumerate(_LAMPS):
        up = 0.42 * (1 - k)
        gain = 1 / max(view.light.ambient[1], 0.3) if k == lit else 0.2
        face.append((disc(0, up, 0.16, 10), scaled(lamp, gain)))
        if k == lit:
            view.glow((x, height + up, z), 0.6, scaled(lamp, 0.7), SIGN)
    _draw_face(view, x, height, z, 1.0, face)


def draw_poster(view: View, x: float, z: float) -> None:
    """Draw a free-standing advertising panel, SignSymbol as in CamVid."""
    dice = view.dice
    wide, low, high = dice.between(0.5, 0.75), dice.between(0.35, 0.7), dice.between(2.1, 2.6)
    frame = dice.tone((60, 62, 66), 0.3)
    draw_pole(view, x, z, low, 0.2, frame)
    face = [
        (box(-wide, wide, low, high), frame),
        (box(-0.88 * wide, 0.88 * wide, low + 0.1, high - 0.1), dice.any_color(90, 240, 0.8)),
        (disc(0, (low + high) / 2 + 0.25, 0.5 * wide, 12), dice.any_color(60, 240, 0.8)),
        (box(-0.7 * wide, 0.7 * wide, low + 0.25, low + 0.5), dice.any_color(30, 240, 0.6)),
    ]
    _draw_face(view, x, 0.0, z, 1.0, face)
