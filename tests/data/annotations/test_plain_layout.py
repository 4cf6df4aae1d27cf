from pathlib import Path

import numpy as np
import pytest
from fakes import CLASSES, fake_camvid, samples_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmentation.data.annotations.plain_layout import inner_path, write_plain
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


@pytest.mark.parametrize("typed", ["../../{}", "../../x/../{}", "{root}/{}"])
def test_pairs_that_lie_elsewhere_are_written_inside(tmp_path, typed):
    root = tmp_path / "set" / "tables"
    for folder in (root, tmp_path / "photos", tmp_path / "x", tmp_path / "out" / "photos"):
        folder.mkdir(parents=True)
    rows = ["image,mask"]
    for number in range(4):
        Image.new("RGB", (8, 6), (number,) * 3).save(tmp_path / "photos" / f"{number}.png")
        mask = np.full((6, 8), number % 2, dtype=np.uint8)
        Image.fromarray(mask).save(tmp_path / f"gt{number}.png")
        cells = (f"photos/{number}.png", f"gt{number}.png")
        rows.append(",".join(typed.format(cell, root=tmp_path) for cell in cells))
    (root / "pairs.csv").write_text("\n".join(rows))
    mine = tmp_path / "out" / "photos" / "0.png"
    mine.write_text("mine")
    source = scan_dataset(root, find_splits(root, pairs=root / "pairs.csv"))
    assert write_plain(source, tmp_path / "out" / "plain", root) == 4
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photos", "plain"]
    plain = tmp_path / "out" / "plain"
    after = scan_dataset(plain, find_splits(plain))
    assert sum(map(len, after.samples.values())) == 4
    for sample in (one for rows in after.samples.values() for one in rows):
        number = int(np.asarray(Image.open(sample.image))[0, 0, 0])
        assert (np.asarray(Image.open(sample.mask)) == number % 2).all()


def test_names_that_become_one_are_numbered(tmp_path):
    root = tmp_path / "set" / "tables"
    root.mkdir(parents=True)
    rows = ["image,mask"]
    for number, home in enumerate(["../p", "../../p", "../P", "../../q"]):
        (root / home).mkdir()
        Image.new("RGB", (8, 6), (number,) * 3).save(root / home / "1.png")
        Image.new("L", (8, 6), number % 2).save(root / home / "m.png")
        rows.append(f"{home}/1.png,{home}/m.png")
    (root / "pairs.csv").write_text("\n".join(rows))
    source = scan_dataset(root, find_splits(root, pairs=root / "pairs.csv"))
    assert write_plain(source, tmp_path / "plain", root) == 4
    images = tmp_path / "plain/images"
    names = [path.relative_to(images) for path in images.rglob("*.png")]
    assert len({str(name).lower() for name in names}) == 4
    for name in names:
        number = int(np.asarray(Image.open(images / name))[0, 0, 0])
        assert (np.asarray(Image.open(tmp_path / "plain/masks" / name)) == number % 2).all()


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "b.c", "~"]), min_size=1).map("/".join))
def test_no_name_leads_out(name):
    path = inner_path(name)
    assert not path.is_absolute()
    assert path.parts
    assert ".." not in path.parts
    assert Path("x", path).resolve().is_relative_to(Path("x").resolve())
