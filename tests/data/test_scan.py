import os

import numpy as np
import pytest
from fakes import fake_camvid, write_pair
from PIL import Image

from segmentation.classes import camvid
from segmentation.data import scan as module
from segmentation.data.layouts import find_samples
from segmentation.data.scan import cache_key, scan
from segmentation.errors import DataError

CLASSES = camvid("ignore")


def test_counts_and_sizes(tmp_path):
    samples = find_samples(fake_camvid(tmp_path), "train")
    found = scan(samples, CLASSES)
    for row, sample in zip(found.pixels, samples, strict=True):
        mask = np.asarray(Image.open(sample.mask))
        np.testing.assert_array_equal(row, [(mask == index).sum() for index in range(11)])
    np.testing.assert_array_equal(found.sizes, [[48, 64]] * 6)


def test_the_second_look_reads_no_file(tmp_path, monkeypatch):
    samples = find_samples(fake_camvid(tmp_path), "train")
    first = scan(samples, CLASSES)
    monkeypatch.setattr(module, "_look", lambda *_: pytest.fail("looked again"))
    np.testing.assert_array_equal(scan(samples, CLASSES).pixels, first.pixels)


def test_a_changed_file_or_class_table_is_looked_at_again(tmp_path):
    samples = find_samples(fake_camvid(tmp_path), "train")
    before = cache_key(samples, CLASSES)
    assert cache_key(samples, camvid("class")) != before
    os.utime(samples[3].mask, ns=(1, 1))
    assert cache_key(samples, CLASSES) != before


def test_copies_of_the_data_share_a_fingerprint_and_changes_do_not(tmp_path):
    one, other = (fake_camvid(tmp_path / name) for name in ("one", "other"))
    prints = [scan(find_samples(root, "train"), CLASSES).fingerprint for root in (one, other)]
    assert prints[0] == prints[1]
    victim = other / "trainannot" / "train_000.png"
    Image.fromarray(np.asarray(Image.open(victim)) * 0).save(victim)
    assert scan(find_samples(other, "train"), CLASSES).fingerprint != prints[0]


def test_an_exif_rotation_is_refused(tmp_path):
    root = fake_camvid(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 3
    path = root / "train" / "train_000.png"
    Image.open(path).convert("RGB").save(path, exif=exif)
    with pytest.raises(DataError, match=r"train_000\.png carries an EXIF rotation"):
        scan(find_samples(root, "train"), CLASSES)


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path, monkeypatch):
    samples = find_samples(fake_camvid(tmp_path), "train")
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "user_cache_path", lambda _: tmp_path / "file")
    assert scan(samples, CLASSES).pixels.shape == (6, 11)


def test_every_bad_pair_is_named_with_its_reason(tmp_path):
    root = fake_camvid(tmp_path)
    image, mask = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8)
    write_pair(root, "train", "label", image, mask + 12)
    write_pair(root, "train", "shape", image, mask[:24])
    write_pair(root, "train", "colours", image, image)
    write_pair(root, "train", "cut", image, mask)
    cut = root / "train" / "cut.png"
    cut.write_bytes(cut.read_bytes()[:60])
    (root / "trainannot" / "text.png").write_text("no image")
    Image.fromarray(image).save(root / "train" / "text.png")
    with pytest.raises(DataError, match="5 of 11 pairs cannot be used") as error:
        scan(find_samples(root, "train"), CLASSES)
    for part in (
        r"label.png holds labels outside the class table: [12]",
        "shape.png is 64x24 but its image shape.png is 64x48",
        "colours.png is no index mask (mode RGB)",
        "cut.png cannot be read",
        "text.png cannot be read",
    ):
        assert part in str(error.value)


def test_real_camvid_has_the_shares_that_are_known(camvid_root):
    found = scan(find_samples(camvid_root, "train"), CLASSES)
    share = 100 * found.pixels.sum(axis=0) / (367 * 360 * 480)
    known = [16.9, 23.3, 1.0, 31.7, 4.5, 9.7, 1.2, 1.1, 5.9, 0.6, 0.3]
    np.testing.assert_allclose(share, known, atol=0.1)
