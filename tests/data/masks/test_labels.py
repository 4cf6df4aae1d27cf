from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.classes import CAMVID, VOID, Entry
from segmentation.data.masks.labels import Labels, pack, read_guess, read_table, write_table
from segmentation.errors import ConfigError, DataError

ROAD = Entry("road", (1, 0, 0), 7)
LANE = Entry("lane", (2, 0, 0), 9, merge="road")
SKY = Entry("sky", (0, 0, 200), 40)
DIRT = Entry("dirt", (0, 0, 0), 0, void=True)
STAIN = Entry("stain", (9, 9, 9), 1, merge="dirt")
TABLE = (DIRT, ROAD, LANE, SKY, STAIN)


def test_camvid_follows_the_fields_protocol_by_default_and_the_original_study_on_request():
    ignore, scored = Labels(CAMVID), Labels(CAMVID, void="class")
    assert (len(ignore.classes), len(scored.classes)) == (11, 12)
    assert scored.classes.names[:11] == ignore.classes.names
    values = np.arange(12, dtype=np.uint8)[None]
    np.testing.assert_array_equal(ignore.decode(values, "x")[0], [*range(11), VOID])
    np.testing.assert_array_equal(scored.decode(values, "x")[0], range(12))


def test_indices_colours_merges_and_void():
    labels = Labels(TABLE)
    assert labels.classes.names == ("road", "sky")
    indices = np.array([[7, 9, 40, 0, 1]], dtype=np.uint8)
    colors = np.array([[entry.color for entry in (ROAD, LANE, SKY, DIRT, STAIN)]], dtype=np.uint8)
    for values in (indices, colors):
        np.testing.assert_array_equal(labels.decode(values, "x"), [[0, 0, 1, VOID, VOID]])


def test_what_the_table_does_not_have_is_named_or_void():
    mask = np.array([[7, 8, 8, 200]], dtype=np.uint8)
    with pytest.raises(DataError, match=r"m\.png holds labels outside .*: 8, 200 \(75.0% of its"):
        Labels(TABLE).decode(mask, "m.png")
    found = Labels(TABLE, unknown="void").decode(mask, "m.png")
    np.testing.assert_array_equal(found, [[0, VOID, VOID, VOID]])
    colors = np.array([[[1, 0, 0], [5, 6, 7]]], dtype=np.uint8)
    with pytest.raises(DataError, match=r"holds colours outside .*: \[5, 6, 7\]"):
        Labels(TABLE).decode(colors, "m.png")


def test_one_colour_of_two_classes_is_only_wrong_where_it_occurs():
    labels = Labels((ROAD, Entry("tar", ROAD.color, 8)))
    np.testing.assert_array_equal(labels.decode(np.array([[7, 8]], np.uint8), "x"), [[0, 1]])
    with pytest.raises(DataError, match="colours outside"):
        labels.decode(np.array([[ROAD.color]], np.uint8), "x")


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=30, unique=True))
def test_every_colour_finds_its_class(colors):
    table = [Entry(f"c{number}", color) for number, color in enumerate(colors)]
    found = Labels(table).decode(np.array([colors], dtype=np.uint8), "x")
    np.testing.assert_array_equal(found[0], range(len(colors)))
    assert pack(np.array(colors, np.uint8)).tolist() == [r << 16 | g << 8 | b for r, g, b in colors]


def test_a_table_is_written_and_read_again(tmp_path):
    write_table(tmp_path / "classes.yaml", TABLE)
    assert read_table(tmp_path / "classes.yaml") == TABLE
    assert len((tmp_path / "classes.yaml").read_text().splitlines()) == 3 + len(TABLE)
    assert [path.name for path in tmp_path.iterdir()] == ["classes.yaml"]


@given(
    st.lists(
        st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1).filter(str.strip),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_any_name_comes_out_as_it_was_written(names):
    table = tuple(Entry(name, (0, 0, number), number) for number, name in enumerate(names))
    with TemporaryDirectory() as folder:
        write_table(Path(folder) / "t.yaml", table)
        assert read_table(Path(folder) / "t.yaml") == table


@pytest.mark.parametrize(
    "name", ["no", "yes", "null", "on", "~", "1", "1.50", "0x1F", "2020-01-01"]
)
def test_what_yaml_takes_for_something_else_is_a_name(tmp_path, name):
    (tmp_path / "t.yaml").write_text(f"- {{name: {name}, color: [0, 0, 0], index: 3}}\n")
    assert read_table(tmp_path / "t.yaml")[0].name == name


def test_an_entry_of_several_indices(tmp_path):
    table = (ROAD, Entry("edges", (63, 63, 63), 63, void=True, more=(127, 191)))
    write_table(tmp_path / "t.yaml", table, "a few values")
    assert read_table(tmp_path / "t.yaml") == table
    assert read_guess(tmp_path / "t.yaml") == "a few values"
    found = Labels(table).decode(np.array([[7, 63, 127, 191]], np.uint8), "x")
    np.testing.assert_array_equal(found, [[0, VOID, VOID, VOID]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a class table"),
        ("a: 1", "not a class table"),
        ("- [1", "cannot be read"),
        ("- 3", "entry 1: expected"),
        ("- {name: a, color: [0, 0, 0], colour: 1}", r"no field 'colour'\. Did you mean 'color'"),
        ("- {name: a, color: [0, 0, 256]}", "entry 1: color is"),
        ("- {name: a, color: red}", "entry 1: color is 'red'"),
        ("- {name: a, color: [0, 0, 0], index: 256}", "index 256 is not"),
        ("- {name: a, color: [0, 0, 0], index: true}", "index True is not"),
        ("- {name: a, color: [0, 0, 0], index: []}", r"index \[\] is not"),
        ("- {name: [a], color: [0, 0, 0]}", "expected a word"),
        ("- {name: a, color: [0, 0, 0], merge: [b]}", "merge is .*expected a word"),
        ("- {name: 2020-13-45, color: [0, 0, 0]}", "cannot be read"),
        ("- &a {name: a, color: [0, 0, 0]}\n- {<<: *a, index: 1}", r"cannot be read: an alias"),
        ("[" * 5000, "cannot be read: more than 64 levels"),
        ("- {name: a, color: [0, 0, 0], void: 1}", "void is 1"),
        ("- {name: a, color: [0, 0, 0], void: true, merge: b}", "remove one of the two"),
        ("- !!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_bad_table_files(tmp_path, text, message):
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_table(tmp_path / "t.yaml")


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ((ROAD, Entry("x", (3, 3, 3), 3, merge="rod")), {}, r"merges into 'rod'.*mean 'road'"),
        ((ROAD, Entry("x", (3, 3, 3), 7)), {}, "has index 7 twice"),
        ((ROAD, Entry("road", (3, 3, 3), 9, void=True)), {}, "several entries named 'road'"),
        (TABLE, {"void": "drop"}, r"data\.void=ignore or data\.void=class"),
        (TABLE, {"unknown": "skip"}, r"data\.unknown=error or data\.unknown=void"),
        ((DIRT,), {}, "1 to 254 classes, this one 0"),
    ],
)
def test_tables_that_contradict_themselves(table, options, message):
    with pytest.raises(ConfigError, match=message):
        Labels(table, **options)


def test_index_masks_need_indices():
    with pytest.raises(DataError, match="only colours"):
        Labels((Entry("a", (1, 2, 3)),)).decode(np.zeros((2, 2), np.uint8), "x")


def test_a_message_stays_short_whatever_the_file_holds(tmp_path):
    (tmp_path / "t.yaml").write_text(f"- {{name: [{'x, ' * 1000}], color: [{'0, ' * 1000}]}}")
    with pytest.raises(ConfigError) as error:
        read_table(tmp_path / "t.yaml")
    assert len(str(error.value)) < 500
