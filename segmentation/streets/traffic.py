"""Cars, vans, lorries and buses: side profiles with a width, seen from any side."""

import math
from dataclasses import dataclass

import numpy as np

from segmentation.streets.colors import Color, mixed, scaled
from segmentation.streets.dice import Dice
from segmentation.streets.light import Vector
from segmentation.streets.view import CAR, View

Lengths = np.ndarray | float
Profile = tuple[tuple[float, float, bool], ...]
"""Points from the rear over the roof to the front: metres along, metres up, and whether the surface
to the next point is glass."""

_PROFILES: dict[str, Profile] = {
    "hatchback": (
        (0.0, 0.3, False), (0.02, 0.88, True), (0.45, 1.4, False), (2.0, 1.46, True),
        (2.85, 0.98, False), (3.75, 0.78, False), (3.9, 0.3, False),
    ),
    "saloon": (
        (0.0, 0.32, False), (0.03, 0.9, False), (0.7, 0.98, True), (1.35, 1.4, False),
        (2.5, 1.42, True), (3.25, 0.95, False), (4.4, 0.75, False), (4.55, 0.3, False),
    ),
    "estate": (
        (0.0, 0.36, False), (0.02, 1.0, True), (0.3, 1.62, False), (2.7, 1.66, True),
        (3.4, 1.1, False), (4.4, 0.92, False), (4.55, 0.36, False),
    ),
    "van": (
        (0.0, 0.36, False), (0.0, 1.25, True), (0.05, 1.85, False), (0.1, 2.1, False),
        (3.7, 2.12, True), (4.5, 1.25, False), (5.0, 1.0, False), (5.05, 0.36, False),
    ),
    "bus": (
        (0.0, 0.36, False), (0.0, 1.5, True), (0.02, 2.6, False), (0.08, 3.05, False),
        (9.9, 3.05, True), (10.05, 1.2, False), (10.1, 0.36, False),
    ),
    "lorry": (
        (0.0, 0.6, False), (0.0, 3.2, False), (5.2, 3.2, False), (5.25, 2.5, True),
        (6.4, 1.4, False), (6.5, 0.45, False),
    ),
}  # fmt: skip
_HALF_WIDTHS = {"hatchback": 0.84, "saloon": 0.88, "estate": 0.92, "van": 0.98, "bus": 1.25,
                "lorry": 1.2}  # fmt: skip
ALL = {"hatchback": 0.36, "saloon": 0.25, "estate": 0.19, "van": 0.11, "bus": 0.05, "lorry": 0.04}
PRIVATE = {"hatchback": 4, "saloon": 3, "estate": 2, "van": 1}
"""Weights of parked vehicles."""
_PAINTS: tuple[Color, ...] = (
    (28, 30, 34), (70, 74, 80), (140, 142, 146), (196, 198, 202), (228, 228, 226), (150, 34, 34),
    (38, 58, 112), (40, 76, 60), (184, 160, 60), (122, 98, 76), (86, 110, 140), (104, 30, 44),
)  # fmt: skip
_DARK: Color = (30, 30, 33)
_DETAIL = 45.0  # metres; details are omitted beyond


@dataclass(frozen=True)
class Car:
    """A vehicle at (x, z) in metres; at `angle` 0 it drives away from the camera, at pi towards."""

    kind: str
    x: float
    z: float
    angle: float
    paint: Color

    @property
    def length(self) -> float:
        """Length in metres."""
        return length_of(self.kind)

    @property
    def half(self) -> float:
        """Half the width in metres."""
        return _HALF_WIDTHS[self.kind]

    def world(self, along: Lengths, up: Lengths, across: Lengths) -> np.ndarray:
        """Return world points (..., 3): metres from the rear, up, and to the right of its axis."""
        along = along - self.length / 2
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        points = np.empty((*np.broadcast_shapes(np.shape(along), np.shape(up)), 3))
        points[..., 0] = self.x + along * sine + across * cosine
        points[..., 1] = up
        points[..., 2] = self.z + along * cosine - across * sine
        return points

    def turn(self, along: float, up: float, across: float) -> Vector:
        """Rotate a direction of the car into the world."""
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        return along * sine + across * cosine, up, along * cosine - across * sine

    def footprint(self, margin: float = 0.0) -> np.ndarray:
        """Return the outline on the ground, (4, 3), wider by `margin` metres."""
        rear, front, half = -margin, self.length + margin, self.half + margin
        return self.world(np.array([rear, rear, front, front]), np.zeros(4),
                          np.array([-half, half, half, -half]))  # fmt: skip


def length_of(kind: str) -> float:
    """Return the length of a kind of vehicle in metres."""
    return _PROFILES[kind][-1][0]


def random_car(dice: Dice, kind: str, x: float, z: float, angle: float) -> Car:
    """Return a vehicle of this kind in a random colour."""
    return Car(kind, x, z, angle, dice.tone(dice.pick(_PAINTS), 0.25))


def draw_car(view: View, car: Car) -> None:
    """Draw a vehicle: top surfaces from far to near, then the visible side and end."""
    profile = _PROFILES[car.kind]
    along, up = (np.array([p[k] for p in profile]) for k in (0, 1))
    belt = 1.0 if up.max() < 1.8 else up.max()
    inset = np.where(up > belt + 0.05, 0.16, 0.0)  # the cabin is narrower than the body
    half = car.half - inset
    toward = np.array([-car.x, view.eye, -car.z])
    glass = view.dice.tone((46, 52, 58), 0.3)

    faces = []
    for k in range(len(profile) - 1):
        step, rise = along[k + 1] - along[k], up[k + 1] - up[k]
        normal = car.turn(-rise / np.hypot(step, rise), step / np.hypot(step, rise), 0.0)
        quad = car.world(along[[k, k, k + 1, k + 1]], up[[k, k, k + 1, k + 1]],
                         np.array([-half[k], half[k], half[k + 1], -half[k + 1]]))  # fmt: skip
        middle = quad.mean(axis=0)
        if np.dot(normal, np.array([0, view.eye, 0]) - middle) > 0:
            faces.append((float(np.hypot(middle[0], middle[2])), quad, normal, k))
    for _, quad, normal, k in sorted(faces, key=lambda face: -face[0]):
        view.fill(quad, car.paint, CAR, normal)
        if profile[k][2]:
            middle = quad.mean(axis=0)
            view.fill(middle + (quad - middle) * (0.88, 0.84, 0.88), glass, CAR, normal)
            if view.light.weather not in ("night", "dusk"):  # a streak of sky in the glass
                shine = middle + (quad - middle) * (0.5, 0.8, 0.5)
                view.fill(shine[[0, 1, 2]], mixed((64, 64, 64), view.light.horizon, 0.3), CAR)

    rear_shows = np.dot(car.turn(-1, 0, 0), toward) > 0
    right_shows = np.dot(car.turn(0, 0, 1), toward) > 0
    if car.z < _DETAIL:
        _draw_wheels_at_end(view, car, rear_shows)
    _draw_side(view, car, along, up, half, 1 if right_shows else -1, glass)
    _draw_end(view, car, rear_shows)


def _draw_side(
    view: View, car: Car, along: np.ndarray, up: np.ndarray, half: np.ndarray, side: int,
    glass: Color,
) -> None:  # fmt: skip
    """Draw the side: body, windows with pillars, door line, wheels."""
    normal = car.turn(0, 0, side)
    view.fill(car.world(along, up, side * half), car.paint, CAR, normal)
    top, reach = up.max(), along[up > up.max() - 0.12]
    low, high = {"bus": (1.35, 2.55), "van": (1.25, 1.9), "lorry": (1.5, 2.3)}.get(
        car.kind, (0.98 if top < 1.5 else 1.08, top - 0.1)
    )
    rear, front = reach.min() + 0.02, reach.max() + (0.35 if car.kind != "bus" else 0.0)
    if car.kind == "van":
        rear = front - 1.0
    if car.kind == "lorry":
        rear, front = 5.35, 6.0
    count = {"bus": 7, "van": 1, "lorry": 1}.get(car.kind, 2)
    edges = np.linspace(rear, front, count + 1)
    inner = side * (half.min() + 0.02)
    slant = 0.0 if car.kind == "bus" else 0.3
    for k in range(count):
        a, b = edges[k] + 0.05, edges[k + 1] - 0.05
        bottom_a = a - (slant if k == 0 and car.kind in ("hatchback", "saloon") else 0)
        bottom_b = b + (slant if k == count - 1 and car.kind != "bus" else 0)
        window = car.world(np.array([bottom_a, bottom_b, b, a]), np.array([low, low, high, high]),
                           np.array([side * car.half, side * car.half, inner, inner]))  # fmt: skip
        view.fill(window, glass, CAR, normal)
    if car.z > _DETAIL:
        return
    sill = car.world(np.array([0.1, car.length - 0.1]), np.array([0.45, 0.45]), side * car.half)
    view.lines([sill], scaled(car.paint, 0.6), CAR, 0.08, normal)
    radius = 0.3 if car.length < 5 else 0.45
    angle = np.arange(12) * (np.pi / 6)
    for at in (0.19 * car.length, 0.8 * car.length):
        for size, color in ((radius + 0.05, _DARK), (radius * 0.55, (120, 122, 126))):
            wheel = car.world(at + size * np.cos(angle), radius + size * np.sin(angle),
                              side * (car.half + 0.01))  # fmt: skip
            view.fill(wheel, color, CAR, normal)


def _end_panel(
    view: View,
    car: Car,
    along: float,
    left: float,
    right: float,
    low: float,
    high: float,
    color: Color,
    normal: Vector,
) -> None:
    """Fill a rectangle on the front or the rear."""
    panel = car.world(along, np.array([low, low, high, high]), np.array([left, right, right, left]))
    view.fill(panel, color, CAR, normal)


def _draw_wheels_at_end(view: View, car: Car, rear: bool) -> None:
    """Draw the wheels visible below the bumper."""
    at = 0.35 if rear else car.length - 0.35
    normal = car.turn(-1 if rear else 1, 0, 0)
    for side in (-1, 1):
        inner, outer = sorted((side * (car.half - 0.24), side * (car.half - 0.02)))
        _end_panel(view, car, at, inner, outer, 0.0, 0.45, _DARK, normal)


def _draw_end(view: View, car: Car, rear: bool) -> None:
    """Draw lamps, bumper, number plate and grille on the visible end."""
    at = -0.01 if rear else car.length + 0.01
    normal = car.turn(-1 if rear else 1, 0, 0)
    toward = np.array([-car.x, 0, -car.z]) / np.hypot(car.x, car.z)
    if np.dot(normal, toward) < 0.15:
        return
    half, base = car.half, _PROFILES[car.kind][0 if rear else -1][1]
    night = view.light.weather == "night"
    gain = 3.0 if night else 1.0
    _end_panel(view, car, at, -half, half, base, base + 0.17,
               mixed(car.paint, (20, 20, 20), 0.5), normal)  # fmt: skip
    low = base + (0.3 if rear else 0.26)
    high = low + (0.24 if rear else 0.15)
    lamp = (190, 30, 26) if rear else (226, 226, 216)
    if car.z > _DETAIL:
        return
    if car.kind == "bus" and not rear:
        _end_panel(view, car, at, -half * 0.8, half * 0.8, 2.62, 2.92, (40, 40, 36), normal)
        _end_panel(view, car, at, -half * 0.3, half * 0.4, 2.68, 2.86, (230, 190, 70), normal)
    for side in (-1, 1):
        inner, outer = sorted((side * half * 0.62, side * half * 0.96))
        _end_panel(view, car, at, inner, outer, low, high, scaled(lamp, gain), normal)
        point = car.world(np.array(at), np.array((low + high) / 2), np.array(side * half * 0.8))
        halo = (90, 14, 10) if rear else (170, 160, 130)
        x, y, z = point.tolist()
        view.glow((x, y, z), 0.5 if rear else 0.9, halo, CAR)
    plate = ((214, 186, 70), (226, 226, 222))[view.dice.chance(0.5)]
    _end_panel(view, car, at, -0.26, 0.26, base + 0.2, base + 0.33, plate, normal)
    if not rear:
        _end_panel(view, car, at, -half * 0.5, half * 0.5, base + 0.34, base + 0.44, _DARK, normal)
