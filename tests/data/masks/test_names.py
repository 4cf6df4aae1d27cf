import numpy as np
import pytest
from PIL import Image

from segmentation.classes import VOID
from segmentation.data.masks.labels import Labels
from segmentation.data.masks.names import Name, find_names
from segmentation.data.masks.proposal import propose_table

FILES = {
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nno:128,0,0::\n",
        [Name("background", color=(0, 0, 0)), Name("no", color=(128, 0, 0))],
    ),
    "LabelMap.txt": ("cat:::\ndog:::\n", [Name("cat"), Name("dog")]),
    "_classes.csv": (
        "Pixel Value, Class\n0, background\n1, disc\n",
        [Name("background", index=0), Name("disc", index=1)],
    ),
    "class_dict.csv": (
        "name,r,g,b\nroad,0.5,0.0,1.0\nsky,0.0,0.0,0.0\n",
        [Name("road", color=(128, 0, 255)), Name("sky", color=(0, 0, 0))],
    ),
    "label_colors.txt": (
        "64 128 64\tAnimal\n0 0 0\t\tVoid\n",
        [Name("Animal", color=(64, 128, 64)), Name("Void", color=(0, 0, 0))],
    ),
    "objectInfo150.txt": (
        "Idx\tRatio\tTrain\tVal\tName\n"
        "1\t0.16\t11664\t1172\twall\n2\t0.1\t6046\t612\tbuilding, edifice\n",
        [Name("unlabelled", index=0), Name("wall", index=1), Name("building", index=2)],
    ),
    "classes.txt": (
        "# mine\nroad\nside walk\nyes\n\n",
        [Name("road"), Name("side walk"), Name("yes")],
    ),
    "class_names.txt": ("0: road\n7: sky\n", [Name("road", index=0), Name("sky", index=7)]),
    "labels.txt": ("a\n1\n", [Name("a"), Name("1")]),
    "Classes.txt": (
        "name,r,g,b\nroad,1,2,3\nsky,4,5,6\n",
        [Name("road", color=(1, 2, 3)), Name("sky", color=(4, 5, 6))],
    ),
}


@pytest.mark.parametrize("file", list(FILES))
def test_files_of_names(tmp_path, file):
    text, names = FILES[file]
    (tmp_path / file).write_text(text)
    found = find_names([tmp_path])
    assert found.path.name == file
    assert list(found.names) == names


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "a\na\n"),
        ("class_dict.csv", "name,r,g,b\nroad,300,0,0\n"),
        ("class_dict.csv", "name,r\nroad,1,2\n"),
        ("class_dict.csv", "Kategorie,r,g,b\nroad,1,2,3\n"),
        ("label_colors.txt", f"{'9' * 400} 0 0 road\n"),
        ("class_names.txt", "a\n\nb\n"),
        ("_classes.csv", "a,b\n1,2\n"),
        ("labelmap.txt", "just words\n"),
        ("classes.txt", "\x00\xff"),
    ],
)
def test_what_is_no_file_of_names_is_said_and_passed_over(tmp_path, caplog, file, text):
    (tmp_path / file).write_text(text, encoding="latin-1")
    assert find_names([tmp_path]) is None
    assert "is not used for the names of classes" in caplog.text


def save(folder, values, palette=None):
    image = Image.fromarray(np.asarray(values, np.uint8))
    if palette:
        image.putpalette(palette)
    path = folder / f"{len(list(folder.iterdir()))}.png"
    image.save(path)
    return path


def propose(folder, file, text, values, palette=None):
    (folder / file).write_text(text)
    path = save(folder, np.repeat(np.asarray(values), 9, axis=0)[None].repeat(9, 0), palette)
    proposal = propose_table([path], names=find_names([folder]))
    labels = Labels(proposal.table)
    return proposal, labels.classes.names, labels.decode(labels.read(path), path)[0, ::9].tolist()


def test_places_are_indices(tmp_path):
    proposal, names, found = propose(tmp_path, "classes.txt", "a\nb\nc\n", [0, 1, 2])
    assert (names, found) == (("a", "b", "c"), [0, 1, 2])
    assert not proposal.guess
    assert "classes.txt" in proposal.reason


def test_n_names_for_0_to_n_leave_0_to_the_background(tmp_path):
    _, names, found = propose(tmp_path, "classes.txt", "a\nb\n", [0, 1, 2])
    assert (names, found) == (("background", "a", "b"), [0, 1, 2])


@pytest.mark.parametrize("text", ["sky\nroad\n", "road\n"])
def test_0_and_255_take_two_names_or_the_foregrounds(tmp_path, text):
    _, names, found = propose(tmp_path, "classes.txt", text, [0, 255])
    assert names == (("sky", "road") if "sky" in text else ("background", "road"))
    assert found == [0, 1]


def test_255_without_a_name_is_void(tmp_path):
    _, names, found = propose(tmp_path, "classes.txt", "a\nb\nc\nd\n", [0, 1, 2, 3, 255])
    assert (names, found) == (("a", "b", "c", "d"), [0, 1, 2, 3, VOID])


def test_names_that_say_so_are_void(tmp_path):
    text = "64 128 64\tAnimal\n1 2 3\tSky\n0 0 0\tVoid\n"
    colors = [(64, 128, 64), (0, 0, 0), (1, 2, 3)]
    _, names, found = propose(tmp_path, "label_colors.txt", text, colors)
    assert (names, found) == (("Animal", "Sky"), [0, VOID, 1])


def test_a_palette_says_which_index_has_a_names_colour(tmp_path):
    text = "background:0,0,0::\nbar:0,128,0::\ndisc:128,0,0::\n"
    palette = [0, 0, 0, 128, 0, 0, 0, 128, 0]
    _, names, found = propose(tmp_path, "labelmap.txt", text, [0, 1, 2], palette)
    assert (names, found) == (("background", "bar", "disc"), [0, 2, 1])


@pytest.mark.parametrize(
    ("text", "values"),
    [("a\nb\n", [0, 1, 7]), ("1 2 3 a\n", [(0, 0, 0), (9, 9, 8)]), ("a\nb\n", [0, 1, 255])],
)
def test_names_that_do_not_fit_are_said_and_not_used(tmp_path, text, values):
    (tmp_path / "label_colors.txt").write_text(text)
    path = save(tmp_path, np.repeat(np.asarray(values), 9, axis=0)[None].repeat(9, 0))
    names = find_names([tmp_path])
    if values[-1] == 255:
        with pytest.raises(Exception, match="could lose a class"):
            propose_table([path], names=names)
        return
    proposal = propose_table([path], names=names)
    assert proposal.guess
    assert "label_colors.txt is not used" in proposal.doubts[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [("road\ncar\nperson\n", [0, 1]), ("road\ncar\nignore\nsky\n", [0, 1, 2])],
)
def test_names_of_absent_values_are_a_guess_that_is_said(tmp_path, text, values):
    proposal, _, _ = propose(tmp_path, "classes.txt", text, values)
    assert proposal.guess
    assert "the first name, road, is taken for 0" in proposal.doubts[0]


def test_a_background_in_front_leaves_no_doubt(tmp_path):
    proposal, names, _ = propose(tmp_path, "labels.txt", "_background_\ncar\nbus\n", [0, 1])
    assert names == ("_background_", "car", "bus")
    assert not proposal.guess


def test_labelmes_first_name_is_its_255(tmp_path):
    text = "__ignore__\n_background_\ncar\nbus\n"
    _, names, found = propose(tmp_path, "labels.txt", text, [0, 1, 2, 255])
    assert names == ("_background_", "car", "bus")
    assert found == [0, 1, 2, VOID]


def test_greys_saved_as_rgb_take_names_with_colours(tmp_path):
    text = "background:0,0,0::\nbar:0,128,0::\ndisc:128,0,0::\n"
    values = [(0, 0, 0), (1, 1, 1), (2, 2, 2)]
    _, names, found = propose(tmp_path, "labelmap.txt", text, values)
    assert (names, found) == (("background", "bar", "disc"), [0, 1, 2])


def test_names_without_colours_have_those_of_voc(tmp_path):
    text = "background:::\ncar:::\nbus:::\n"
    colors = [(0, 0, 0), (0, 128, 0), (128, 0, 0)]
    _, names, found = propose(tmp_path, "labelmap.txt", text, colors)
    assert (names, found) == (("background", "car", "bus"), [0, 2, 1])
