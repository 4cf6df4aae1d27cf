"""Models with image-level targets come back the same; descriptions are checked as all the rest."""

import functools
import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import WIDTHS, pictures, small_unet

from segmentation.classes import ClassTable
from segmentation.errors import ModelError
from segmentation.models import Encoder, TargetModel, UNet, describe_model, load_model, save_model
from segmentation.models.saving import restore_model
from segmentation.targets import TargetColumns

CLASSES = ClassTable(tuple("abcde"), ((0, 0, 0),) * 5)
COLUMNS = TargetColumns("scene", ("day", "night"), ("x", "y"), (0.1, -1e6), (3.0, 1e-7))


def build(kind):
    torch.manual_seed(0)
    encoder = Encoder("test_resnet", 3, weights="none")
    if kind == "alone":
        return TargetModel(encoder, COLUMNS, 0.4).eval(), None
    return UNet(encoder, 5, COLUMNS, 0.4, channels=WIDTHS).eval(), CLASSES


@pytest.mark.parametrize("kind", ["alone", "besides"])
@pytest.mark.parametrize("place", ["directory", "checkpoint"])
def test_there_and_back(kind, place, tmp_path):
    model, classes = build(kind)
    if place == "directory":
        save_model(model, tmp_path / "model", classes, (32, 48))
        loaded = load_model(tmp_path / "model")
    else:
        content = {
            "model": describe_model(model, classes, (32, 48)),
            "state_dict": {f"model.{key}": value for key, value in model.state_dict().items()},
        }
        torch.save(content, tmp_path / "best.ckpt")
        loaded = load_model(tmp_path / "best.ckpt")
    images = pictures(2, 3, 40, 50)
    with torch.no_grad():
        before, after = model.forward_all(images), loaded.model.forward_all(images)
    assert torch.equal(before.targets.category, after.targets.category)
    head = loaded.model.target_head
    units = head.in_units(after.targets.values)
    assert torch.equal(units, model.target_head.in_units(before.targets.values))
    assert head.columns == COLUMNS
    assert head.dropout.p == 0.4
    assert loaded.classes == classes
    assert loaded.size == (32, 48)
    if kind == "besides":
        assert torch.equal(before.logits, after.logits)
    else:
        assert type(loaded.model) is TargetModel


def test_the_description_is_plain_json():
    description = describe_model(*build("alone"), None)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert description["decoder"] is description["classes"] is None
    assert description["targets"] == COLUMNS.to_dict() | {"dropout": 0.4}


def test_a_description_of_the_first_version_can_be_read():
    model = small_unet()
    description = describe_model(model, CLASSES, None)
    del description["targets"]
    description["classes"]["void"] = 11
    loaded = restore_model(description | {"format": 1}, model.state_dict(), "file")
    assert loaded.model.target_head is None
    assert loaded.classes == CLASSES
    with pytest.raises(ModelError, match=r"classes\.void does not exist"):
        restore_model(description | {"format": 2}, model.state_dict(), "file")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(targets=None), "a decoder, targets or both"),
        (lambda d: d.update(classes=CLASSES.to_dict()), "classes need a decoder"),
        (lambda d: d.update(targets=[]), r"targets=\[\]: must be a mapping"),
        (lambda d: d["targets"].update(weights=1), "targets.weights does not exist"),
        (lambda d: d["targets"].update(category=5), "targets.category=5: must be text"),
        (lambda d: d["targets"].update(category=None), "2 categories for the column None"),
        (lambda d: d["targets"].update(categories=["a"]), "1 categories"),
        (lambda d: d["targets"].update(categories=["a", 2]), r"categories\[1\]=2: must be text"),
        (lambda d: d["targets"].update(categories="ab"), "categories='ab': must be a list"),
        (
            lambda d: d["targets"].update(categories=list(map(str, range(9**4)))),
            "at most 1000 items",
        ),
        (lambda d: d["targets"].update(values=["x", "x"]), "target columns repeat"),
        (lambda d: d["targets"].update(values=["x"]), "not 1 with 2 and 2"),
        (lambda d: d["targets"].update(mean=[0.0, float("nan")]), r"mean\[1\]=nan: must be"),
        (lambda d: d["targets"].update(mean=[0.0, 10**400]), r"mean\[1\]=1000"),
        (lambda d: d["targets"].update(std=[1.0, 0.0]), "std not between"),
        (lambda d: d["targets"].update(std=[1.0, True]), r"std\[1\]=True: must be a number"),
        (lambda d: d["targets"].update(dropout=1.5), "targets.dropout=1.5"),
        (lambda d: d["targets"].update(categories=["a", "b", "c"]), "tensors do not fit"),
        (lambda d: d["encoder"].update(mean=[10**400] * 3), r"encoder.mean\[0\]=1000"),
    ],
)
def test_unsound_descriptions_are_refused(change, reason):
    model, _ = build("alone")
    description = describe_model(model, None, None)
    change(description)
    with pytest.raises(ModelError, match=reason):
        restore_model(description, model.state_dict(), "file")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@functools.cache
def shared():
    return build("alone")[0]


@given(key=st.sampled_from([None, *COLUMNS.to_dict(), "dropout"]), junk=JUNK)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_junk_never_raises_anything_else(key, junk):
    description = json.loads(json.dumps(describe_model(shared(), None, None)))
    if key is None:
        description["targets"] = junk
    else:
        description["targets"][key] = junk
    try:
        loaded = restore_model(description, shared().state_dict(), "file")
    except ModelError:
        return
    assert len(loaded.model.target_head.columns.categories) == 2
