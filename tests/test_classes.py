import pytest
from cityscapesscripts.helpers.labels import labels as official

from segmentation.classes import CITYSCAPES, CITYSCAPES_CAMVID, ClassTable, with_train_ids
from segmentation.data.masks.labels import Labels
from segmentation.errors import ConfigError


def test_round_trip():
    table = Labels(CITYSCAPES).classes
    assert ClassTable.from_dict(table.to_dict()) == table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("a", "a"), ((0, 0, 0), (1, 1, 1))), "repeat"),
        ((("a", "b"), ((0, 0, 0),)), "2 class names but 1 colours"),
        (((), ()), "1 to 254"),
    ],
)
def test_bad_tables(arguments, message):
    with pytest.raises(ConfigError, match=message):
        ClassTable(*arguments)


def test_cityscapes_is_the_official_table():
    drawn = {label.id: label for label in official if label.id >= 0}  # license plate is never drawn
    assert {entry.index for entry in CITYSCAPES} == set(drawn)
    for entry in CITYSCAPES:
        label = drawn[entry.index]
        assert (entry.name, entry.color) == (label.name, label.color)
        assert entry.void == label.ignoreInEval
    trained = [label.name for label in sorted(official, key=lambda one: one.trainId)
               if 0 <= label.trainId < 19]  # fmt: skip
    assert list(Labels(CITYSCAPES).classes.names) == trained
    ids = {entry.name: entry.index for entry in with_train_ids(CITYSCAPES) if not entry.void}
    assert ids == {name: number for number, name in enumerate(trained)}


def test_cityscapes_as_camvid():
    groups = {entry.name: entry.merge for entry in CITYSCAPES_CAMVID if entry.merge}
    assert len(groups) == 34
    assert groups["wall"] == groups["tunnel"] == "Building"
    assert groups["rider"] == groups["motorcycle"] == "Bicyclist"
    assert groups["ego vehicle"] == "Unlabelled"
    assert len(Labels(CITYSCAPES_CAMVID).classes) == 11
    assert len(Labels(CITYSCAPES_CAMVID, void="class").classes) == 12
    assert len(Labels(with_train_ids(CITYSCAPES_CAMVID)).classes) == 11
