"""Place traffic on the carriageway: moving and parked vehicles, bicyclists, pedestrians."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from segmentation.streets import people, traffic
from segmentation.streets.stage import Stage
from segmentation.streets.street import FAR


def place_traffic(stage: Stage) -> None:
    """Place everything between the kerbs."""
    dice, street = stage.dice, stage.street
    cars = list(_crossing(stage)) if street.end < FAR else []
    for side in (-1, 1):
        parked = street.half > 3.7 and dice.chance(0.6)
        cars += _lane(stage, side, street.half - 2.0 if parked else street.half)
        if parked:
            cars += _parked(stage, side)
    for car in cars:
        put_car(stage, car)
    _bicyclists(stage, cars)
    if dice.chance(0.15):
        z = dice.between(9, 24)
        x = street.x(dice.between(-0.9, 0.9) * street.half, z)
        stage.stand(people.draw_pedestrian, x, z, 0.6, dice.between(1.5, 1.9))
        stage.cast(x, z, 0.25, 1.7)


def put_car(stage: Stage, car: traffic.Car) -> None:
    """Place a vehicle with its shadow and the dark ground below it."""
    if not stage.view.sees(car.x, car.z, car.length):
        return
    outline = car.footprint(0.12)
    # Sorted by its near end, so that what stands beside it is drawn first.
    stage.add(float(outline[:, 2].min()) + 0.3, traffic.draw_car, car)
    stage.shadows.append((outline, 0.62))
    right, up, ahead = stage.view.light.toward_sun
    stage.cast_polygon(car.footprint() - np.array([right, 0, ahead]) * min(1.2 / up, 4))


def _lane(stage: Stage, side: int, room: float) -> Iterator[traffic.Car]:
    """Yield moving traffic: the rear is visible in our lane, the front in the other."""
    dice, street = stage.dice, stage.street
    ours = side == street.drive
    z = (4.5 if ours else 6.0) + dice.between(0, 20)
    while z < min(street.end - 3, 85) and dice.chance(0.6):
        car = _queue(stage, z, side * room / 2 + dice.between(-0.25, 0.25), ours, traffic.ALL)
        yield car
        z += car.length + dice.between(2.5, 20)


def _parked(stage: Stage, side: int) -> Iterator[traffic.Car]:
    """Yield parked cars along one kerb, with gaps."""
    dice, street = stage.dice, stage.street
    z = dice.between(3.5, 14)
    while z < min(street.end - 4, 70) and dice.chance(0.85):
        car = _queue(stage, z, side * (street.half - 1.0), dice.chance(0.7), traffic.PRIVATE)
        yield car
        z += car.length + dice.between(1.2, 4)


def _queue(
    stage: Stage, rear: float, across: float, away: bool, kinds: Mapping[str, float]
) -> traffic.Car:
    """Return a vehicle along the street whose near end is at z = `rear`."""
    kind = stage.dice.weighted(kinds)
    z = rear + traffic.length_of(kind) / 2
    angle = stage.street.heading(z) + (0 if away else math.pi)
    return traffic.random_car(stage.dice, kind, stage.street.x(across, z), z, angle)


def _crossing(stage: Stage) -> Iterator[traffic.Car]:
    """Yield vehicles on the crossing road at the end of the street."""
    dice, street = stage.dice, stage.street
    for _ in range(int(dice.between(0, 2.5))):
        z, x = street.end + street.half * dice.between(0.3, 1.2), dice.between(-14, 14)
        kind, angle = dice.weighted(traffic.PRIVATE), dice.pick((-1, 1)) * math.pi / 2
        yield traffic.random_car(dice, kind, x, z, angle)


def _bicyclists(stage: Stage, cars: list[traffic.Car]) -> None:
    """Place a bicyclist who rides ahead and one who crosses, where no car is."""
    dice, street = stage.dice, stage.street
    for across, share in ((False, 0.62), (True, 0.4)):
        z = dice.between(6.5, 17)
        lane = dice.between(-1, 1) if across else dice.pick((-0.8, 0.8))
        x = street.x(lane * street.half, z)
        free = not any(abs(car.x - x) < 1.6 and abs(car.z - z) < car.length for car in cars)
        if free and dice.chance(share):
            stage.stand(people.draw_bicyclist, x, z, 1, across)
            stage.cast(x, z, 0.3, 1.7)
