import pytest
from annotated import found, mask_of, names_of, write, write_images

from segmentation.data.annotations.regions import to_color
from segmentation.errors import DataError

META = """<meta><task><labels>
<label><name>car</name><color>#ff0000</color></label><label><name>no</name></label>
</labels></task></meta>"""
POLYGON = '<polygon label="car" points="2,2;8,2;8,8;2,8" z_order="1"/>'


def dataset(root, shapes, attributes="", before=""):
    """Write CVAT's XML as its documentation has it."""
    write_images(root, "images/a.png")
    image = f'<image id="0" name="a.png" width="16" height="12"{attributes}>{shapes}</image>'
    content = f"<annotations><version>1.1</version>{META}{image}</annotations>"
    write(root / "annotations.xml", f"<?xml version='1.0'?>{before}{content}")
    return root


def test_masks_boxes_and_layers(tmp_path):
    # Rows of a box 4 wide and 2 high: 1 pixel outside, 6 inside, 1 outside
    mask = '<mask label="no" rle="1, 6, 1" left="10" top="9" width="4" height="2" z_order="0"/>'
    box = '<box label="no" xtl="6" ytl="6" xbr="10" ybr="9" z_order="0"/>'
    splits = found(dataset(tmp_path, POLYGON + mask + box, ' subset="Validation"'))
    assert list(splits.samples) == ["val"]
    values = mask_of(splits, "a")
    assert (values == 1).sum() == 36  # its layer is above the later box
    assert values[9:11, 10:14].tolist() == [[0, 2, 2, 2], [2, 2, 2, 0]]
    assert names_of(splits) == ["background", "car", "no"]


def test_ellipses_and_what_has_no_area(tmp_path, caplog):
    shapes = (
        '<ellipse label="car" cx="8" cy="6" rx="4" ry="2"/>'
        '<polyline label="no" points="1,1;5,5"/><points label="no" points="1,1"/><tag label="no"/>'
    )
    values = mask_of(found(dataset(tmp_path, shapes)), "a")
    assert 22 <= (values == 1).sum() <= 28
    assert "2 points, lines and cuboids have no area" in caplog.text


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ('<polygon label="car" points="2,2;8"/>', r"the image 'a\.png'"),
        ('<polygon label="car" points="2,2;8,2;nan,4"/>', "a coordinate is not finite"),
        ('<mask label="no" rle="1" left="0" top="0" width="4" height="2"/>', "covers 1 pixels"),
        ('<mask label="no" rle="1" left="0" top="0" width="999" height="2"/>', "larger than its"),
        ('<box label="no" xtl="6"/>', "a coordinate is not finite"),
        ('<points label="no" points="1,1"/>', "hold no polygon, mask, box or ellipse"),
        ("<broken", "is not valid XML of CVAT"),
    ],
)
def test_invalid_shapes(tmp_path, shapes, message):
    with pytest.raises(DataError, match=message):
        found(dataset(tmp_path, shapes))


def test_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(DataError, match="is not valid XML of CVAT"):
        found(dataset(tmp_path, POLYGON, before=bomb))


def test_videos_are_named(tmp_path):
    write(tmp_path / "annotations.xml", '<annotations><meta/><track id="0"></track></annotations>')
    with pytest.raises(DataError, match="is CVAT for video, which is not supported"):
        found(tmp_path)


@pytest.mark.parametrize("label", ["", ' label=" "'])
def test_shapes_without_a_label(tmp_path, label):
    shape = f'<polygon points="2,2;8,2;8,8"{label}/>'
    with pytest.raises(DataError, match=r"the image 'a\.png': a polygon without a label"):
        found(dataset(tmp_path, shape))


@pytest.mark.parametrize("text", ["#-00001", "#+00001", "#0x001", "#1_000", "red", ""])
def test_what_is_no_colour_is_none(text):
    assert to_color(text) is None
