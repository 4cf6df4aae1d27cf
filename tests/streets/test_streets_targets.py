"""The image-level targets of the drawn streets: as stated, and of what is in the picture."""

import csv
import math

import numpy as np
import pytest

from segmentation.data.discovery.layouts import Sample
from segmentation.data.targets.table import TargetCells
from segmentation.streets import COUNTS, draw_scene, write_streets
from segmentation.streets.light import WEATHERS
from segmentation.streets.scene import plan_scene
from segmentation.streets.street import STYLES
from segmentation.streets.targets import COLUMNS, targets

SPLITS = ("train", "val", "test")
ROAD, CAR, TREE, PEDESTRIAN, BICYCLIST, SKY = 3, 8, 5, 9, 10, 0


class Plan:
    """Stands for a street and for a light."""

    def __init__(self, weather="clear", style="park"):
        self.weather, self.style = weather, style


def of(mask, weather="clear"):
    return targets(Plan(), Plan(weather), np.array([mask], dtype=np.uint8))


def test_the_formulas_by_hand():
    mask = [CAR, ROAD, ROAD, ROAD, PEDESTRIAN, SKY, SKY, TREE] + [1] * 92
    found = of(mask, "night")
    assert list(found) == list(COLUMNS)
    assert found["scene"] == found["time_of_day"] == "night"
    assert found["street"] == "park"
    assert found["traffic"] == 0.25
    assert found["arousal"] == round(math.tanh(4 * 0.25 + 20 * 0.01 - 0.01 + 0.4 - 0.9), 4)
    assert found["valence"] == round(math.tanh(3 * 0.01 + 2 * 0.02 - 0.25 - 0.75 - 0.6), 4)
    assert of([1] * 9)["traffic"] == 0  # neither road nor car


def test_busy_and_dark_arouses_light_and_green_pleases():
    calm, busy = [ROAD] * 4 + [TREE] * 4, [ROAD] * 2 + [CAR] * 2 + [BICYCLIST] + [1] * 3
    assert of(busy)["arousal"] > of(calm)["arousal"]
    assert of(calm, "rain")["arousal"] > of(calm, "overcast")["arousal"]
    assert of(calm)["valence"] > of(busy)["valence"]
    order = [of(calm, weather)["valence"] for weather in ("pale", "dusk", "overcast", "night")]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == 4


@pytest.mark.parametrize("weather", WEATHERS)
def test_every_weather_is_a_scene_and_a_time_of_day(weather):
    found = of([ROAD], weather)
    assert found["scene"] in ("sunny", "overcast", "rain", "dusk", "night")
    assert found["time_of_day"] in ("day", "dusk", "night")


def test_the_file_says_of_each_picture_what_is_drawn_on_it(tmp_path):
    counts = {"train": 6, "val": 3, "test": 2}
    write_streets(tmp_path / "streets", seed=5, size=(60, 80), counts=counts)
    with (tmp_path / "streets" / "targets.csv").open(encoding="utf-8", newline="") as file:
        rows = {row.pop("image"): row for row in csv.DictReader(file)}
    assert len(rows) == sum(counts.values())
    for split, count in counts.items():
        for number in range(count):
            index = 3 * number + SPLITS.index(split)
            _, mask = draw_scene(5, index, (60, 80))
            expected = targets(*plan_scene(5, index), mask)
            assert rows[f"{split}/{number:04d}.png"] == {k: str(v) for k, v in expected.items()}
    text = (tmp_path / "streets" / "README.txt").read_text()
    for part in ("targets.csv", "tanh(4 traffic + 20 people", "tanh(3 trees + 2 sky", *COLUMNS):
        assert part in text, part


def test_it_is_read_as_any_other(tmp_path):
    root, counts = tmp_path / "streets", {"train": 12, "val": 2}
    write_streets(root, size=(32, 40), counts=counts)
    splits = {
        split: [
            Sample(f"{k:04d}", root / split / f"{k:04d}.png", root / f"{split}annot" / f"{k:04d}")
            for k in range(count)
        ]
        for split, count in counts.items()
    }
    cells = TargetCells(root, splits, "street", ["traffic", "arousal", "valence"])
    columns = cells.columns(splits["train"])
    for split, rows in splits.items():
        table = cells.table(rows, columns)
        assert (table.category >= 0).all()
        assert np.isfinite(table.values).all(), split


def test_every_category_is_in_every_split_by_default():
    for split, count in COUNTS.items():
        plans = [plan_scene(0, 3 * k + SPLITS.index(split)) for k in range(count)]
        found = [targets(*plan, np.zeros((1, 1), np.uint8)) for plan in plans]
        assert {one["scene"] for one in found} == {"sunny", "overcast", "rain", "dusk", "night"}
        assert {one["street"] for one in found} == set(STYLES)


def test_values_fill_their_range_and_hardly_depend_on_the_size():
    fine, coarse = (
        [targets(*plan_scene(0, k), draw_scene(0, k, size)[1]) for k in range(40)]
        for size in ((120, 160), (60, 80))
    )
    for column, least in (("traffic", 0), ("arousal", -1), ("valence", -1)):
        a, b = (np.array([one[column] for one in drawn]) for drawn in (fine, coarse))
        assert (a >= least).all()
        assert (a <= 1).all()
        assert a.std() > (0.1 if column == "traffic" else 0.35)
        assert np.abs(a - b).max() < 0.12, column
    arousal, valence = (np.array([one[c] for one in fine]) for c in ("arousal", "valence"))
    assert abs(np.corrcoef(arousal, valence)[0, 1]) < 0.75  # two things, not one
