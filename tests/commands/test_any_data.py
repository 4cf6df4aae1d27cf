"""People's own folders, from the path alone to a scored model."""

import json

import numpy as np
import pytest
import yaml
from commands import run, succeed
from fakes import fake_mask
from PIL import Image

from segmentation.classes import CAMVID

QUICK = (
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[8,8,8,8,8]", "logger=none", "trainer=cpu", "trainer.max_epochs=1",
    "data.batch_size=4", "data.workers=0",
)  # fmt: skip
PALETTE = np.array([entry.color for entry in CAMVID], dtype=np.uint8)


def own_folder(root, count=20):
    """Write JPEG images of mixed sizes with masks in RGB colours whose names end in _L."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        size = (48, 64) if number % 3 else (70, 50)
        mask = fake_mask(rng, size)
        image = mask[..., None] * 20 + rng.integers(0, 20, (*size, 3))
        name = f"tour {number // 4}_{number:02d} ü"
        Image.fromarray(image.astype(np.uint8)).save(root / "images" / f"{name}.jpg", quality=95)
        Image.fromarray(PALETTE[mask]).save(root / "masks" / f"{name}_L.png")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = own_folder(tmp_path_factory.mktemp("my data"))
    directory = tmp_path_factory.mktemp("runs") / "run"
    result = succeed(
        "train.py", "data=folder", f"data.root='{root}'", 'data.group="^(.*?)_"', *QUICK,
        f"hydra.run.dir={directory}",
    )  # fmt: skip
    return root, directory, result.stdout


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_what_was_found_is_said_before_training(trained):
    root, _, printed = trained
    assert "images/ + masks/, masks end in _L; val and test taken from it at random" in printed
    assert "12 train + 4 val + 4 test images, 48x50 to 70x64, crops 32x64" in printed
    assert f"written to {root / 'classes.yaml'}: edit the names there" in printed


def test_frames_of_a_tour_are_in_one_split(trained):
    _, directory, _ = trained
    with np.load(directory / "per_image.npz") as kept:
        assert len({name.split("_")[0] for name in kept["name"]}) == 1


def test_the_run_keeps_its_class_table_and_evaluates_without_the_datas_own(trained):
    root, directory, _ = trained
    kept = yaml.safe_load((directory / "classes.yaml").read_text())
    assert [row["name"] for row in kept] == [entry.name for entry in CAMVID]
    table = root / "classes.yaml"
    text = table.read_text()
    table.write_text(text.replace("Sky", "Heaven"))
    succeed("evaluate.py", f"run={directory}")
    table.write_text(text)
    again = metrics(directory / "evaluation" / "test")
    assert again["iou"] == metrics(directory)["iou"]


def test_images_are_scored_at_their_own_sizes(trained):
    root, directory, _ = trained
    with np.load(directory / "per_image.npz") as kept:
        for name, matrix in zip(kept["name"], kept["confusion"], strict=True):
            mask = np.asarray(Image.open(root / "masks" / f"{name}_L.png"))
            assert matrix.sum() == (mask.any(axis=2)).sum()  # black is void


@pytest.mark.slow
def test_the_next_training_takes_the_edited_names(trained, tmp_path):
    root, _, _ = trained
    table = root / "classes.yaml"
    text = table.read_text()
    merged = text.replace("[64, 64, 128], index: 7", "[64, 64, 128], merge: Building")
    table.write_text(merged)
    result = succeed(
        "train.py", "data=folder", f"data.root='{root}'", *QUICK, f"hydra.run.dir={tmp_path}/run"
    )
    table.write_text(text)
    assert "Fence" not in metrics(tmp_path / "run")["iou"]
    assert len(metrics(tmp_path / "run")["iou"]) == 10
    assert "pass a pattern that groups them" in result.stdout


@pytest.mark.slow
def test_colours_outside_the_table_are_listed_or_void(trained, tmp_path):
    root, _, _ = trained
    (tmp_path / "few.yaml").write_text("- {name: Sky, color: [128, 128, 128]}\n")
    options = ("data=folder", f"data.root='{root}'", f"data.classes={tmp_path}/few.yaml", *QUICK)
    refused = run("train.py", *options, f"hydra.run.dir={tmp_path}/a")
    assert refused.returncode == 1
    assert "20 of 20 pairs cannot be used" in refused.stderr
    assert "_L.png holds colours outside the class table: [" in refused.stderr
    assert "Traceback" not in refused.stderr
    succeed("train.py", *options, "data.unknown=void", f"hydra.run.dir={tmp_path}/b")
    assert list(metrics(tmp_path / "b")["iou"]) == ["Sky"]


def test_masks_of_nought_and_255(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
        for number in range(4):
            mask = (fake_mask(rng, (32, 40)) > 5).astype(np.uint8) * 255
            Image.fromarray(mask).convert("RGB").save(
                tmp_path / "data" / split / "images" / f"{number}.webp"
            )
            Image.fromarray(mask).save(tmp_path / "data" / split / "masks" / f"{number}.png")
    succeed(
        "train.py", "data=folder", f"data.root={tmp_path}/data", *QUICK,
        f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert list(metrics(tmp_path / "run")["iou"]) == ["background", "foreground"]


def test_images_without_masks_are_enough_for_image_level_targets(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    rows = ["image,mood,arousal"]
    for number in range(20):
        level = 40 + 150 * (number % 2)
        image = np.full((40, 48, 3), level, np.uint8) + np.uint8(number)
        Image.fromarray(image).save(root / f"{number}.jpg")
        rows.append(f"{number}.jpg,{'calm' if number % 2 else 'tense'},{number % 2}")
    (root / "targets.csv").write_text("\n".join(rows))
    options = ("data=folder", f"data.root={root}", *QUICK)
    targets = ("task.targets.category=mood", "task.targets.values=[arousal]")
    refused = run("train.py", *options, *targets, f"hydra.run.dir={tmp_path}/a")
    assert "no images with masks were found" in refused.stderr
    succeed(
        "train.py", *options, *targets, "task.segmentation=false", f"hydra.run.dir={tmp_path}/b"
    )
    succeed("evaluate.py", f"run={tmp_path}/b")
    first, again = metrics(tmp_path / "b"), metrics(tmp_path / "b" / "evaluation" / "test")
    assert first["targets"] == again["targets"]
    assert "miou" not in first
    assert not (root / "classes.yaml").exists()


def test_predict_goes_into_folders_and_past_images_that_cannot_be_read(trained, tmp_path):
    root, directory, _ = trained
    first, second, *_ = sorted((root / "images").iterdir())
    for place, path in (("a.jpg", first), ("in ü/a.jpg", second), ("in ü/b.jpg", first)):
        (tmp_path / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / place).write_bytes(path.read_bytes())
    (tmp_path / "in" / "bad.png").write_bytes(b"")
    for _ in range(2):  # the masks of the first time are no images of the second
        result = run(
            "predict.py", f"model={directory}", f"input={tmp_path}/in", f"output={tmp_path}/in/out"
        )
        assert result.returncode == 1
        assert "1 of 4 images cannot be read" in result.stderr
        assert "bad.png" in result.stderr
    out = tmp_path / "in" / "out"
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert found == ["a.png", "in ü/a.png", "in ü/b.png"]


def test_what_is_to_be_typed_next_keeps_what_was_said_of_the_data(trained):
    _, _, printed = trained
    again = next(line for line in printed.splitlines() if "encoder=resnet34" in line)
    assert "data=folder" in again
    assert "data.group=" in again
    assert "data.batch_size=4" in again
