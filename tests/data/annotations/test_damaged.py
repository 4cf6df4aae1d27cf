"""Whatever is in an annotation file: masks, or an error that a user can read."""

import contextlib
import json
import os
import shutil

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.data.annotations.convert import find_annotations
from segmentation.errors import SegmentationError

FIXTURES = ROOT / "tests" / "fixtures" / "annotations"
FILES = {
    "coco_supervision": "train/_annotations.coco.json",
    "labelme_labelme": "val/scene4.json",
    "label_studio_json": "project-1.json",
}
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4),
    st.just([]), st.just({}), st.just([[]]), st.just([None]), st.just(10**400),
)  # fmt: skip
FEW = settings(
    max_examples=int(os.environ.get("EXAMPLES", 15)),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(values, path=()):
    """Yield the way to every value inside of JSON."""
    items = (
        values.items() if isinstance(values, dict)
        else enumerate(values[:3]) if isinstance(values, list) else ()
    )  # fmt: skip
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def read_or_refused(root):
    with contextlib.suppress(SegmentationError):
        find_annotations(root)


@pytest.mark.parametrize("name", FILES)
@FEW
@given(data=st.data())
def test_any_value_in_any_place_of_json(name, data, tmp_path_factory):
    root = shutil.copytree(FIXTURES / name, tmp_path_factory.mktemp("any") / "data")
    path = root / FILES[name]
    values = json.loads(path.read_text())
    *way, last = data.draw(st.sampled_from(list(places(values))))
    place = values
    for key in way:
        place = place[key]
    if data.draw(st.booleans()) and isinstance(place, dict):
        del place[last]
    else:
        place[last] = data.draw(VALUES)
    path.write_text(json.dumps(values))
    read_or_refused(root)


@pytest.mark.parametrize(
    ("name", "file"), [*FILES.items(), ("cvat_datumaro", "train.xml"),
                       ("yolo_supervision", "data.yaml"),
                       ("yolo_supervision", "train/labels/scene0.txt")],
)  # fmt: skip
@FEW
@given(data=st.data())
def test_any_bytes_in_any_place_of_a_file(name, file, data, tmp_path_factory):
    root = shutil.copytree(FIXTURES / name, tmp_path_factory.mktemp("any") / "data")
    content = (root / file).read_bytes()
    at = data.draw(st.integers(0, len(content)))
    length = data.draw(st.sampled_from([0, 1, 5, len(content)]))
    put = data.draw(
        st.binary(max_size=6) | st.sampled_from([b"1e999", b"&a;", b"[[", b"\n0 ", b"-"])
    )
    (root / file).write_bytes(content[:at] + put + content[at + length :])
    read_or_refused(root)
