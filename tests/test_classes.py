import numpy as np
import pytest

from segmentation.classes import CAMVID_NAMES, VOID, ClassTable, camvid
from segmentation.errors import ConfigError


def test_camvid_follows_the_fields_protocol_by_default_and_the_original_study_on_request():
    ignore, scored = camvid("ignore"), camvid("class")
    assert (len(ignore), ignore.void) == (11, 11)
    assert (len(scored), scored.void) == (12, None)
    assert scored.names == CAMVID_NAMES
    assert scored.names[:11] == ignore.names
    with pytest.raises(ConfigError, match=r"data\.void=ignore or data\.void=class"):
        camvid("drop")


def test_lookup_turns_the_void_index_on_disk_into_void_in_memory():
    table = camvid("ignore").lookup()
    np.testing.assert_array_equal(table[:12], [*range(11), VOID])
    np.testing.assert_array_equal(camvid("class").lookup()[:12], range(12))


def test_unknown_indices():
    assert camvid("ignore").unknown([0, 10, 11]) == []
    assert camvid("ignore").unknown([12, 3, 255]) == [12, 255]
    assert camvid("class").unknown([11, 12]) == [12]


def test_round_trip():
    table = camvid("ignore")
    assert ClassTable.from_dict(table.to_dict()) == table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("a", "a"), ((0, 0, 0), (1, 1, 1))), "repeat"),
        ((("a", "b"), ((0, 0, 0),)), "2 class names but 1 colours"),
        ((("a", "b"), ((0, 0, 0), (1, 1, 1)), 1), "void index 1 is also a class"),
        (((), ()), "1 to 254"),
    ],
)
def test_bad_tables(arguments, message):
    with pytest.raises(ConfigError, match=message):
        ClassTable(*arguments)
