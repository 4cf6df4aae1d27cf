import numpy as np
import pytest
from fakes import CLASSES, fake_camvid, samples_of
from PIL import Image

from segmentation.data.annotations.plain_layout import write_plain
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.errors import DataError


def source_of(root):
    return scan_dataset(root, find_splits(root), "camvid")


def test_the_plain_layout_reads_as_the_data_did(tmp_path):
    root = fake_camvid(tmp_path / "data")
    before = source_of(root)
    assert write_plain(before, tmp_path / "plain", root) == 12
    splits = find_splits(tmp_path / "plain")
    after = scan_dataset(tmp_path / "plain", splits)
    assert after.labels.classes == CLASSES
    for split, scan in before.scans.items():
        assert [one.name for one in after.samples[split]] == [
            one.name for one in before.samples[split]
        ]
        assert (after.scans[split].pixels == scan.pixels).all()
        assert (after.scans[split].image_hash == scan.image_hash).all()
    values = np.asarray(Image.open(tmp_path / "plain" / "masks" / "train" / "train_000.png"))
    truth = np.asarray(Image.open(samples_of(root)[0].mask))
    assert (values == np.where(truth == 11, 255, truth)).all()


def test_splits_that_were_drawn_stay_to_be_drawn(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for number in range(8):
        Image.new("RGB", (8, 6), (number,) * 3).save(tmp_path / "data/images" / f"{number}.png")
        Image.new("L", (8, 6), number % 2).save(tmp_path / "data/masks" / f"{number}.png")
    root = tmp_path / "data"
    before = scan_dataset(root, find_splits(root))
    write_plain(before, tmp_path / "plain", root)
    assert len(list((tmp_path / "plain" / "images").iterdir())) == 8
    after = find_splits(tmp_path / "plain").samples
    assert {split: [one.name for one in rows] for split, rows in after.items()} == {
        split: [one.name for one in rows] for split, rows in before.samples.items()
    }


def test_nothing_is_overwritten(tmp_path):
    root = fake_camvid(tmp_path / "data")
    source = source_of(root)
    (tmp_path / "plain").mkdir()
    write_plain(source, tmp_path / "plain", root)  # an empty folder is as good as none
    before = sorted(path for path in (tmp_path / "plain").rglob("*"))
    with pytest.raises(DataError, match="is there already: nothing is overwritten"):
        write_plain(source, tmp_path / "plain", root)
    assert sorted(path for path in (tmp_path / "plain").rglob("*")) == before
    with pytest.raises(DataError, match="is inside of the data set"):
        write_plain(source, root / "plain", root)


def test_a_failure_leaves_nothing(tmp_path):
    root = fake_camvid(tmp_path / "data")
    source = source_of(root)
    source.samples["val"][0].image.unlink()
    with pytest.raises(DataError, match="cannot be written"):
        write_plain(source, tmp_path / "plain", root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
