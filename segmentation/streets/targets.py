"""Image-level targets of a scene: its light, its street, its mood.

All follow from the plan and the mask of a scene, and so are visible in the image:

- ``scene``: the light. sunny (clear or hazy), overcast, rain, dusk or night.
- ``time_of_day``: day, dusk or night.
- ``street``: its style: terrace, high street, suburb, avenue or park.
- ``traffic``: the share of the carriageway behind vehicles, Car / (Car + Road), 0..1.
- ``arousal`` = tanh(4 traffic + 20 people - trees + A - 0.9), -1..1; A: night 0.4, rain 0.3,
  dusk 0.2, else 0.
- ``valence`` = tanh(3 trees + 2 sky - traffic + V - 0.6), -1..1; V: sunny 0.6, dusk 0.3,
  overcast 0, rain and night -0.75.

people (Pedestrian and Bicyclist), trees and sky are shares of the image. The formulas are invented,
after the common finding that busy, dark places arouse and light, green, open ones please.
"""

import math

import numpy as np

from segmentation.streets.light import Light
from segmentation.streets.street import Street
from segmentation.streets.view import BICYCLIST, CAR, PEDESTRIAN, ROAD, SKY, TREE, UNLABELLED

COLUMNS = ("scene", "time_of_day", "street", "traffic", "arousal", "valence")
DIGITS = 4

_SUNNY = ("clear", "pale")
_AROUSAL = {"night": 0.4, "rain": 0.3, "dusk": 0.2}
_VALENCE = {"sunny": 0.6, "dusk": 0.3, "rain": -0.75, "night": -0.75}


def targets(street: Street, light: Light, mask: np.ndarray) -> dict[str, str | float]:
    """Return the targets of a scene by column name.

    Args:
        street, light: of `plan_scene`.
        mask: `uint8` (H, W), of `draw_scene`.
    """
    scene = "sunny" if light.weather in _SUNNY else light.weather
    pixels = np.bincount(mask.ravel(), minlength=UNLABELLED + 1).tolist()
    share = [count / mask.size for count in pixels]
    people = share[PEDESTRIAN] + share[BICYCLIST]
    traffic = pixels[CAR] / max(pixels[CAR] + pixels[ROAD], 1)
    arousal = 4 * traffic + 20 * people - share[TREE] + _AROUSAL.get(scene, 0.0) - 0.9
    valence = 3 * share[TREE] + 2 * share[SKY] - traffic + _VALENCE.get(scene, 0.0) - 0.6
    return {
        "scene": scene,
        "time_of_day": scene if scene in ("dusk", "night") else "day",
        "street": street.style,
        "traffic": round(traffic, DIGITS),
        "arousal": round(math.tanh(arousal), DIGITS),
        "valence": round(math.tanh(valence), DIGITS),
    }
