import numpy as np
from fakes import fake_camvid
from PIL import Image

from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.report.check.overlays import TILE, write_overlays


def test_the_first_images_under_their_masks(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 18, "val": 4, "test": 1})
    for path in (root / "train" / "train_000.png", root / "trainannot" / "train_001.png"):
        path.write_text("damaged")
    source = scan_dataset(root, find_splits(root), "camvid")
    assert write_overlays(tmp_path / "overlays.png", source) == 20
    picture = np.asarray(Image.open(tmp_path / "overlays.png"))
    assert picture.shape[0] > 5 * TILE[0]
    assert picture.shape[1] > 4 * TILE[1]
    colors = source.labels.classes.palette()[:11]
    legend = picture[-60:].reshape(-1, 3)
    assert all((legend == color).all(axis=1).any() for color in colors)


def test_without_masks_there_is_no_picture(tmp_path):
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    Image.new("RGB", (8, 6)).save(root / "images" / "a.png")
    Image.new("RGB", (8, 6), (9, 9, 9)).save(root / "images" / "b.png")
    Image.new("RGB", (8, 6), (90, 9, 9)).save(root / "images" / "c.png")
    Image.new("RGB", (8, 6), (90, 90, 9)).save(root / "images" / "d.png")
    source = scan_dataset(root, find_splits(root, masks=False))
    assert write_overlays(tmp_path / "overlays.jpg", source) == 0
    assert not (tmp_path / "overlays.jpg").exists()
