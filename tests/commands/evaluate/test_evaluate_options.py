"""evaluate.py and predict.py with the options of test time, on whatever holds a model, and on data
with other classes."""

import json
import shutil

import numpy as np
import pytest
import torch
from commands import run, succeed
from fakes import CLASSES, LABELS, fake_camvid, write_targets
from PIL import Image
from torch import nn

from segmentation.classes import CITYSCAPES, CITYSCAPES_CAMVID, ClassTable
from segmentation.data.masks.labels import Labels
from segmentation.inference.options import InferenceOptions
from segmentation.inference.test_time import averaged
from segmentation.metrics.counting import confusion_matrix
from segmentation.models import build_model, build_target_model, load_model, save_model
from segmentation.targets import TargetColumns

TINY = [
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "augment=none", "data.batch_size=2", "data.workers=0",
    "trainer=cpu", "trainer.max_epochs=1", "trainer.log_every_n_steps=1", "logger=none",
    "trainer.precision=32-true",
]  # fmt: skip
EXACT = ["trainer=cpu", "trainer.precision=32-true", "data.workers=0"]
ENCODER = {"name": "test_resnet", "weights": "none"}
CITYSCAPES_CLASSES = Labels(CITYSCAPES).classes
COLUMNS = TargetColumns("scene", ("bright", "dark"), ("brightness",), (100.0,), (20.0,))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 4, "val": 3, "test": 7})


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "first"
    succeed("train.py", "data=camvid", f"data.root={data}", *TINY, f"hydra.run.dir={directory}")
    return directory


def saved(directory, classes, seed=0):
    """Save a model that knows no data, and predicts each of its classes somewhere."""
    torch.manual_seed(seed)
    model = build_model(ENCODER, {"channels": [16, 16, 8, 8, 8]}, len(classes)).eval()
    nn.init.normal_(model.head.weight, std=0.5)
    save_model(model, directory, classes, None)
    return directory


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("cityscapes") / "model", CITYSCAPES_CLASSES)


def metrics(directory):
    return json.loads((directory / "metrics.json").read_text())


def arrays(directory):
    with np.load(directory / "per_image.npz", allow_pickle=False) as kept:
        return dict(kept)


def images_of(data, split="test"):
    """Give each image's name, itself (1, 3, H, W) and its labels."""
    for path in sorted((data / split).iterdir()):
        image = torch.from_numpy(np.asarray(Image.open(path)).copy()).permute(2, 0, 1)[None]
        mask = np.asarray(Image.open(data / f"{split}annot" / path.name))
        yield path.stem, image, torch.from_numpy(LABELS.decode(mask, path))


def differing(found, expected):
    """Return the share of the pixels that lie in other cells."""
    return np.abs(found - expected).sum() / 2 / expected.sum()


# ---- views


def test_options_are_kept_named_and_what_they_say(trained, data):
    options = InferenceOptions(flip=True, scales=[0.75, 1], window=[32, 40], overlap=0.25)
    succeed("evaluate.py", f"run={trained}", *EXACT, "flip=true", "scales=[0.75,1]",
            "window=[32,40]", "overlap=0.25")  # fmt: skip
    name = "test_flip_scales0.75-1_window32x40_overlap0.25"
    there = trained / "evaluation" / name
    assert metrics(there)["inference"] == {
        "flip": True, "scales": [0.75, 1.0], "window": [32, 40], "overlap": 0.25
    }  # fmt: skip
    kept = arrays(there)
    model = averaged(load_model(trained).model, options)
    with torch.inference_mode():
        expected = {
            name: confusion_matrix(labels, model(image).argmax(dim=1)[0], 11).numpy()
            for name, image, labels in images_of(data)
        }
    assert kept["name"].tolist() == list(expected)
    assert differing(kept["confusion"], np.stack(list(expected.values()))) < 1e-3
    plain = arrays(trained)["confusion"]
    assert differing(kept["confusion"], plain) > 1e-3


def test_predict_writes_what_was_scored_with_the_same_options(trained, data, tmp_path):
    options = ["flip=true", "window=[32,32]"]
    succeed("evaluate.py", f"run={trained}", *EXACT, *options)
    succeed("predict.py", f"model={trained}", f"input={data / 'test'}", f"output={tmp_path}",
            "precision=32-true", "device=cpu", *options)  # fmt: skip
    found = [
        confusion_matrix(
            labels, torch.from_numpy(np.array(Image.open(tmp_path / f"{name}.png"))), 11
        )
        for name, _, labels in images_of(data)
    ]
    scored = arrays(trained / "evaluation" / "test_flip_window32x32")["confusion"]
    assert differing(torch.stack(found).numpy(), scored) < 1e-3


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate.py", "run=nowhere", "window=[0,512]"],
        ["predict.py", "model=nowhere", "input=x", "output=y", "window=[0,512]"],
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_looked_for(command):
    result = run(*command)
    assert result.returncode == 1
    assert "window[0]=0: must be greater than or equal to 1" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_the_precision_is_checked_before_the_data_are_read(trained, tmp_path):
    result = run("evaluate.py", f"run={trained}", f"data.root={tmp_path / 'nowhere'}",
                 "trainer.precision=7-true")  # fmt: skip
    assert result.returncode == 1
    assert "precision" in result.stderr.lower()
    assert "nowhere" not in result.stderr


# ---- what is scored, and where it goes


@pytest.mark.slow
def test_a_run_its_checkpoints_and_a_model_that_was_moved_away(trained, data, tmp_path):
    expected = arrays(trained)["confusion"]
    for source, folder in (
        (trained, "test"),
        (trained / "checkpoints" / "best.ckpt", "test"),
        (trained / "model", "test"),
        (trained / "checkpoints" / "last.ckpt", "last_test"),
    ):
        there = trained / "evaluation" / folder
        shutil.rmtree(there, ignore_errors=True)
        succeed("evaluate.py", f"run={source}", *EXACT, "split=test")
        assert metrics(there)["model"] == str(source)
        if folder == "test":
            np.testing.assert_array_equal(arrays(there)["confusion"], expected)
    shutil.copytree(trained / "model", tmp_path / "mine")
    refused = run("evaluate.py", f"run={tmp_path / 'mine'}", "split=val")
    assert refused.returncode == 1
    assert "does not know its data. Set them: data=" in refused.stderr
    succeed("evaluate.py", f"run={tmp_path / 'mine'}", *EXACT, "data=camvid", f"data.root={data}",
            "split=val", "data.batch_size=2")  # fmt: skip
    values = metrics(tmp_path / "mine" / "evaluation" / "camvid_val")
    assert values["split"] == "val"
    assert values["miou"] == pytest.approx(metrics(trained)["val_miou"], abs=1e-7)


@pytest.mark.slow
def test_a_batch_changes_next_to_nothing_and_a_scoring_never_another(trained, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")  # with no scoring yet
    shutil.rmtree(copy / "evaluation", ignore_errors=True)
    there = copy / "evaluation"
    scores = []
    for batch in (1, 3, 7):
        result = succeed("evaluate.py", f"run={copy}", *EXACT, f"data.batch_size={batch}")
        scores.append(metrics(there / "test")["miou"])
        assert ("in place of an earlier evaluation" in result.stdout) == (batch > 1)
    assert np.ptp(scores) < 1e-4
    assert metrics(there / "test")["inference"]["flip"] is False
    succeed("evaluate.py", f"run={copy}", *EXACT, "trainer.precision=bf16-mixed")
    assert metrics(there / "test-2")["precision"] == "bf16-mixed"
    assert metrics(there / "test")["precision"] == "32-true"
    succeed("evaluate.py", f"run={copy}", *EXACT, "data.size=[24,32]")
    assert metrics(there / "test-3")["size"] == [24, 32]
    succeed("evaluate.py", f"run={copy}", *EXACT, "trainer.precision=bf16-mixed")
    assert {path.name for path in there.iterdir()} == {"test", "test-2", "test-3"}


# ---- image-level targets


@pytest.mark.slow
def test_targets_see_whole_images(tmp_path):
    data = write_targets(fake_camvid(tmp_path / "data", {"train": 2, "val": 5}))
    torch.manual_seed(0)
    model = build_model(ENCODER, {"channels": [8] * 5}, len(CLASSES), COLUMNS).eval()
    save_model(model, tmp_path / "both", CLASSES, None)
    save_model(build_target_model(ENCODER, COLUMNS).eval(), tmp_path / "alone", None, None)
    other = [*EXACT, "data=camvid", f"data.root={data}"]
    succeed("evaluate.py", f"run={tmp_path / 'both'}", *other, "flip=true", "window=[24,24]")
    values = metrics(tmp_path / "both" / "evaluation" / "camvid_val_flip_window24x24")
    assert values["images"] == 5
    assert set(values) >= {"miou", "targets"}
    succeed("evaluate.py", f"run={tmp_path / 'alone'}", *other, "flip=true")
    for option, message in (
        ("window=[24,24]", "predicts targets of whole images"),
        ("class_map={a: b}", "has no classes, it does not segment"),
    ):
        result = run("evaluate.py", f"run={tmp_path / 'alone'}", *other, option)
        assert result.returncode == 1
        assert message in result.stderr


# ---- other classes


def expected_confusion(model, data, merged):
    """Sum probabilities, as NumPy does it; `merged` holds the label of each class, or None."""
    loaded = load_model(model).model
    found = []
    for _, image, labels in images_of(data):
        with torch.inference_mode():
            probabilities = loaded(image).double().softmax(dim=1)[0].numpy()
        sums = np.zeros((11, *probabilities.shape[1:]))
        for label, part in zip(merged, probabilities, strict=True):
            if label is not None:
                sums[label] += part
        found.append(confusion_matrix(labels, torch.from_numpy(sums.argmax(axis=0)), 11).numpy())
    return np.stack(found)


def test_a_cityscapes_model_on_camvid(cityscapes, data):
    result = succeed("evaluate.py", f"run={cityscapes}", *EXACT, "data=camvid", f"data.root={data}")
    assert "mapped to the data's by the table camvid12" in result.stdout + result.stderr
    there = cityscapes / "evaluation" / "camvid_test"
    values = metrics(there)
    assert list(values["iou"]) == list(CLASSES.names)
    assert values["class_map"]["rider"] == "Bicyclist"
    groups = {entry.name: entry.merge for entry in CITYSCAPES_CAMVID}
    merged = [CLASSES.names.index(groups[name]) for name in CITYSCAPES_CLASSES.names]
    expected = expected_confusion(cityscapes, data, merged)
    assert (expected.sum(axis=(0, 1)) > 0).sum() > 3  # several classes are predicted
    assert differing(arrays(there)["confusion"], expected) < 1e-3
    assert arrays(there)["classes"].tolist() == list(CLASSES.names)


def test_a_class_map_from_a_file_and_from_the_command_line(cityscapes, data, tmp_path):
    chosen = dict.fromkeys(CITYSCAPES_CLASSES.names, "Road") | {
        "traffic light": "SignSymbol", "sky": "Sky", "building": None
    }  # fmt: skip
    file = tmp_path / "map.yaml"
    file.write_text(json.dumps(chosen))
    inline = ",".join(f"{name}: {value or 'null'}" for name, value in chosen.items())
    other = ["data=camvid", f"data.root={data}"]
    kept = []
    for given in (str(file), f"{{{inline}}}"):
        result = succeed("evaluate.py", f"run={cityscapes}", *EXACT, *other, f"class_map={given}")
        there = cityscapes / "evaluation" / "camvid_test_mapped"
        said = metrics(there)["warnings"]
        assert any("no class of the model counts as Building, Pole" in text for text in said)
        assert "never predicted" in result.stdout
        assert metrics(there)["class_map"] == chosen
        kept.append(arrays(there)["confusion"])
    np.testing.assert_array_equal(*kept)
    merged = [
        None if value is None else CLASSES.names.index(value)
        for value in (chosen[name] for name in CITYSCAPES_CLASSES.names)
    ]
    assert differing(kept[0], expected_confusion(cityscapes, data, merged)) < 1e-3
    chosen["sky"] = "Tree"
    file.write_text(json.dumps(chosen))
    succeed("evaluate.py", f"run={cityscapes}", *EXACT, *other, f"class_map={file}")
    assert metrics(there)["class_map"]["sky"] == "Sky"
    assert metrics(there.with_name("camvid_test_mapped-2"))["class_map"]["sky"] == "Tree"


def test_maps_that_do_not_fit(data, tmp_path):
    model = saved(tmp_path / "model", ClassTable(("way", "air"), ((1, 1, 1), (2, 2, 2))))
    for given, message in (
        ([], "class_map={<model's class>: <data's class or null>, ...}"),
        (["class_map={way: Raod, air: Sky}"], "Did you mean 'Road'?"),
        (["class_map={}"], "class_map is not a map"),
    ):
        result = run("evaluate.py", f"run={model}", "data=camvid", f"data.root={data}", *given)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
    assert not (model / "evaluation").exists()
