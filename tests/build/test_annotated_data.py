"""From annotation files to the first batch of a training."""

import shutil

import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir

from segmentation.build.data import build_data, find_dataset
from segmentation.data.discovery.scanned_dataset import select_usable

FIXTURES = ROOT / "tests" / "fixtures" / "annotations"


def data_of(root, *overrides):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        words = ["data=folder", f"data.root={root}", "data.batch_size=2", "data.workers=0"]
        return compose("train", [*words, *overrides])


@pytest.mark.parametrize(
    "name",
    ["coco_supervision", "coco_datumaro", "yolo_supervision", "cvat_datumaro", "labelme_labelme",
     "label_studio_json", "label_studio_png", "voc_datumaro", "parquet_datasets"],
)  # fmt: skip
def test_training_starts_on_every_format(tmp_path, name):
    root = shutil.copytree(FIXTURES / name, tmp_path / "data")
    cfg = data_of(root)
    source = select_usable(find_dataset(cfg.data, directory=tmp_path), "stop")
    data = build_data(cfg.data, source, cfg.augment, seed=0)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape[:2] == (2, 3)
    assert batch["mask"].shape == (2, *batch["image"].shape[2:])
    classes = source.labels.classes.names
    assert len(classes) == 3
    if name not in ("parquet_datasets", "voc_datumaro"):  # whose files tell no names or colours
        assert {"road", "no"} < set(classes)
    assert set(batch["mask"].unique().tolist()) <= {0, 1, 2, 255}


def test_image_masks_come_first_and_annotations_are_named(tmp_path):
    root = shutil.copytree(FIXTURES / "voc_datumaro", tmp_path / "data")
    shutil.copy(FIXTURES / "coco_datumaro/annotations/instances_train.json", root / "coco.json")
    source = find_dataset(data_of(root).data, directory=tmp_path)
    assert "COCO (coco.json) annotations are not used: image masks come first" in (
        source.splits.description
    )
    chosen = find_dataset(data_of(root, "data.annotations=coco.json").data, directory=tmp_path)
    assert chosen.splits.description.startswith("COCO annotations: 1 JSON file")
    assert "scene5" not in [one.name for rows in chosen.samples.values() for one in rows]
    folds = find_dataset(
        data_of(root, "data.annotations=coco.json", "data.folds=2", "data.fold=0").data,
        directory=tmp_path,
    )
    assert {split: len(rows) for split, rows in folds.samples.items()} == {"train": 2, "val": 2}


def test_a_class_table_of_the_data_is_not_taken_for_that_of_the_annotations(tmp_path, caplog):
    root = shutil.copytree(FIXTURES / "coco_datumaro", tmp_path / "data")
    (root / "classes.yaml").write_text("- {name: class_0, color: [0, 0, 0], index: 0}\n")
    source = find_dataset(data_of(root).data, directory=tmp_path)
    assert source.labels.classes.names == ("background", "road", "no")
    assert f"{root}/classes.yaml is not used: the annotations bring a class table" in caplog.text
