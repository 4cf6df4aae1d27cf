"""Weather, time of day, and the light that surfaces reflect."""

import math
from dataclasses import dataclass

from segmentation.streets.colors import Color, scaled
from segmentation.streets.dice import Dice

Vector = tuple[float, float, float]
Range = tuple[float, float]

UP: Vector = (0.0, 1.0, 0.0)
FACING: Vector = (0.0, 0.0, -1.0)
"""The normal of a surface that faces the camera."""


@dataclass(frozen=True)
class Weather:
    """Ranges and base colours that the light of a kind of weather is drawn from.

    Args:
        share: relative frequency.
        sun, ambient: gain of direct and of ambient light.
        warmth, tint: RGB of the two.
        zenith, horizon: RGB of the sky.
        height: of the sun, in radians.
        haze: extinction for each metre.
        clouds: 0 (none) to 1 (covered).
    """

    share: float
    sun: Range
    ambient: Range
    warmth: Color
    tint: Color
    zenith: Color
    horizon: Color
    height: Range
    haze: Range
    clouds: Range


WEATHERS = {
    "clear": Weather(
        0.34, (0.5, 0.85), (0.36, 0.55), (1, 0.95, 0.84), (0.92, 1, 1.12),
        (70, 120, 190), (200, 215, 232), (0.35, 1.1), (0.001, 0.004), (0.0, 0.6),
    ),
    "pale": Weather(
        0.18, (0.25, 0.5), (0.45, 0.7), (1, 1, 0.9), (1, 1, 1),
        (222, 228, 236), (242, 242, 240), (0.35, 1.1), (0.003, 0.011), (0.0, 0.4),
    ),
    "overcast": Weather(
        0.22, (0.07, 0.07), (0.58, 0.82), (1, 1, 1), (0.97, 1, 1.03),
        (162, 169, 180), (188, 188, 190), (0.35, 1.1), (0.002, 0.008), (0.5, 1.0),
    ),
    "rain": Weather(
        0.08, (0.07, 0.07), (0.48, 0.66), (1, 1, 1), (0.97, 1, 1.03),
        (126, 132, 140), (148, 148, 150), (0.35, 1.1), (0.006, 0.014), (0.5, 1.0),
    ),
    "dusk": Weather(
        0.12, (0.25, 0.6), (0.26, 0.44), (1.1, 0.75, 0.5), (1, 0.92, 1.05),
        (86, 96, 140), (236, 170, 120), (0.09, 0.3), (0.002, 0.007), (0.2, 0.9),
    ),
    "night": Weather(
        0.06, (0.02, 0.02), (0.26, 0.4), (1, 1, 1), (1.1, 1, 0.95),
        (26, 30, 50), (86, 76, 80), (0.35, 1.1), (0.002, 0.008), (0.2, 0.9),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Light:
    """The light of one scene.

    Args:
        weather: a key of `WEATHERS`.
        sun: RGB gain of direct light on a surface that faces the sun, about 0..1.
        ambient: RGB gain of ambient light.
        toward_sun: unit vector from the ground to the sun (x right, y up, z ahead).
        zenith: RGB of the sky above, 0..255.
        horizon: RGB of the sky at the horizon, also the colour of the haze.
        haze: extinction for each metre.
        clouds: 0 (none) to 1 (covered).
    """

    weather: str
    sun: Vector
    ambient: Vector
    toward_sun: Vector
    zenith: Color
    horizon: Color
    haze: float
    clouds: float

    @property
    def dark(self) -> bool:
        """Whether lamps and headlights are on."""
        return self.weather in ("dusk", "night")

    @property
    def shadow(self) -> float:
        """Share of the ground's light that a cast shadow removes, 0..1."""
        direct = sum(self.sun) * self.toward_sun[1]
        return direct / (direct + sum(self.ambient))

    def on(self, color: Color, normal: Vector, distance: float) -> Color:
        """Return the colour of a matt surface as seen through the haze.

        By Lambert's cosine law, then Koschmieder's law, c * t + haze * (1 - t) with
        t = exp(-extinction * distance).
        """
        toward, sun, ambient, haze = self.toward_sun, self.sun, self.ambient, self.horizon
        cosine = normal[0] * toward[0] + normal[1] * toward[1] + normal[2] * toward[2]
        cosine = max(float(cosine), 0.0)
        clear = math.exp(-self.haze * distance)
        return (
            color[0] * (ambient[0] + sun[0] * cosine) * clear + haze[0] * (1 - clear),
            color[1] * (ambient[1] + sun[1] * cosine) * clear + haze[1] * (1 - clear),
            color[2] * (ambient[2] + sun[2] * cosine) * clear + haze[2] * (1 - clear),
        )


def random_light(dice: Dice) -> Light:
    """Return the light of a random weather."""
    kind = dice.weighted({name: weather.share for name, weather in WEATHERS.items()})
    weather = WEATHERS[kind]
    azimuth, height = dice.between(-math.pi, math.pi), dice.between(*weather.height)
    return Light(
        weather=kind,
        sun=scaled(weather.warmth, dice.between(*weather.sun)),
        ambient=scaled(weather.tint, dice.between(*weather.ambient)),
        toward_sun=(
            math.cos(height) * math.sin(azimuth),
            math.sin(height),
            math.cos(height) * math.cos(azimuth),
        ),
        zenith=dice.tone(weather.zenith, 0.2),
        horizon=dice.tone(weather.horizon, 0.12),
        haze=dice.between(*weather.haze),
        clouds=dice.between(*weather.clouds),
    )
