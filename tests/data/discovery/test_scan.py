import io
import os
from dataclasses import fields

import numpy as np
import pytest
from fakes import LABELS, fake_camvid, samples_of, write_pair
from PIL import Image
from platformdirs import user_cache_path

from segmentation.classes import CAMVID
from segmentation.data.discovery import scan as module
from segmentation.data.discovery.scan import cache_key, scan_samples
from segmentation.data.masks.labels import Labels


def test_counts_sizes_and_brightness(tmp_path):
    samples = samples_of(fake_camvid(tmp_path))
    found = scan_samples(samples, LABELS)
    for row, sample in zip(range(len(found)), samples, strict=True):
        mask = np.asarray(Image.open(sample.mask))
        luma = np.asarray(Image.open(sample.image).convert("L"), dtype=float)
        np.testing.assert_array_equal(
            found.pixels[row], [(mask == index).sum() for index in range(11)]
        )
        assert found.void[row] == (mask == 11).sum()
        np.testing.assert_allclose(found.brightness[row], (luma.mean(), luma.std()), rtol=1e-5)
    np.testing.assert_array_equal(found.sizes, [[48, 64]] * 6)
    assert len(set(found.image_hash)) == 6
    assert not any(found.problem)


def test_images_that_look_alike_differ_in_few_bits(tmp_path, camvid_root):
    one, other = (samples_of(camvid_root)[index].image for index in (0, 200))
    for name, path, quality in (("a", one, 95), ("b", one, 40), ("c", other, 95)):
        image = np.asarray(Image.open(path).convert("RGB"))
        write_pair(tmp_path, "test", name, image, np.zeros(image.shape[:2], np.uint8))
        Image.fromarray(image).save(tmp_path / "test" / f"{name}.jpg", quality=quality)
        (tmp_path / "test" / f"{name}.png").unlink()
    a, b, c = scan_samples(samples_of(tmp_path, "test"), LABELS).appearance.tolist()
    assert (a ^ b).bit_count() <= 4
    assert (a ^ c).bit_count() > 10


def test_the_second_look_reads_no_file(tmp_path, monkeypatch):
    samples = samples_of(fake_camvid(tmp_path))
    first = scan_samples(samples, LABELS)
    monkeypatch.setattr(module, "_scan_pair", lambda *_: pytest.fail("looked again"))
    again = scan_samples(samples, LABELS)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert again.fingerprint(samples) == first.fingerprint(samples)


def test_a_damaged_scan_is_made_again(tmp_path):
    samples = samples_of(fake_camvid(tmp_path / "data", {"train": 2, "val": 1}))
    first = scan_samples(samples, LABELS)
    (kept,) = (user_cache_path("cityseg") / "scans").iterdir()
    whole = kept.read_bytes()
    columns = {one.name: getattr(first, one.name) for one in fields(first)}
    packed = {}
    for name, change in {
        "older": {"problem": None},
        "other type": {"pixels": columns["pixels"].astype(str)},
        "other length": {"void": columns["void"][:1]},
        "objects": {"problem": np.array([{}, {}], dtype=object)},
    }.items():
        arrays = {key: value for key, value in (columns | change).items() if value is not None}
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        packed[name] = file.getvalue()
    half = len(whole) // 2
    flipped = whole[:half] + bytes([whole[half] ^ 255]) + whole[half + 1 :]
    broken = [b"", b"PK", whole[:half], whole[half:], bytes(len(whole)), flipped, *packed.values()]
    for content in broken:
        kept.write_bytes(content)
        again = scan_samples(samples, LABELS)
        for name, column in columns.items():
            np.testing.assert_array_equal(getattr(again, name), column)
        assert kept.read_bytes() != content


def test_what_was_wrong_is_looked_at_again(tmp_path, monkeypatch):
    samples = samples_of(fake_camvid(tmp_path))
    right = scan_samples(samples, LABELS)
    real = module._scan_pair

    def fails_once(pairs, index):
        row = real(pairs, index)
        return (*row[:-1], "too many open files") if index == 2 else row

    changed = Labels(CAMVID, unknown="void")  # another key
    monkeypatch.setattr(module, "_scan_pair", fails_once)
    assert scan_samples(samples, changed).problem[2] == "too many open files"
    looked = []
    monkeypatch.setattr(module, "_scan_pair", lambda pairs, i: looked.append(i) or real(pairs, i))
    again = scan_samples(samples, changed)
    assert looked == [2]
    np.testing.assert_array_equal(again.pixels, right.pixels)
    assert list(again.image_hash) == list(right.image_hash)
    assert not any(again.problem)


def test_a_file_rewritten_within_the_same_times_is_looked_at_again(tmp_path):
    samples = samples_of(fake_camvid(tmp_path))
    before, state = cache_key(samples, LABELS), samples[3].mask.stat()
    samples[3].mask.write_bytes(samples[3].mask.read_bytes())
    os.utime(samples[3].mask, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert cache_key(samples, LABELS) != before


def test_a_changed_file_or_class_table_is_looked_at_again(tmp_path):
    samples = samples_of(fake_camvid(tmp_path))
    before = cache_key(samples, LABELS)
    assert cache_key(samples, Labels(CAMVID, void="class")) != before
    assert cache_key(samples, Labels(CAMVID, unknown="void")) != before
    os.utime(samples[3].mask, ns=(1, 1))
    assert cache_key(samples, LABELS) != before


def test_copies_of_the_data_share_a_fingerprint_and_changes_do_not(tmp_path):
    one, other = (fake_camvid(tmp_path / name) for name in ("one", "other"))

    def fingerprint(root):
        return scan_samples(samples_of(root), LABELS).fingerprint(samples_of(root))

    first = fingerprint(one)
    assert first == fingerprint(other)
    victim = other / "trainannot" / "train_000.png"
    Image.fromarray(np.asarray(Image.open(victim)) * 0).save(victim)
    assert fingerprint(other) != first


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path, monkeypatch):
    samples = samples_of(fake_camvid(tmp_path))
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "user_cache_path", lambda _: tmp_path / "file")
    assert scan_samples(samples, LABELS).pixels.shape == (6, 11)


def test_every_bad_pair_is_noted_with_its_reason(tmp_path):
    root = fake_camvid(tmp_path)
    image, mask = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8)
    write_pair(root, "train", "label", image, mask + 12)
    write_pair(root, "train", "shape", image, mask[:24])
    write_pair(root, "train", "colours", image, image + 1)
    write_pair(root, "train", "cut", image, mask)
    cut = root / "train" / "cut.png"
    cut.write_bytes(cut.read_bytes()[:60])
    (root / "trainannot" / "text.png").write_text("no image")
    Image.fromarray(image).save(root / "train" / "text.png")
    samples = samples_of(root)
    for _ in range(2):  # kept in the cache as well
        found = scan_samples(samples, LABELS)
        problems = {s.name: text for s, text in zip(samples, found.problem, strict=True) if text}
        assert set(problems) == {"label", "shape", "colours", "cut", "text"}
        assert "holds labels outside the class table: 12" in problems["label"]
        assert "shape.png is 64x24 but its image shape.png is 64x48" in problems["shape"]
        assert "holds colours outside the class table: [1, 1, 1]" in problems["colours"]
        assert "cut.png cannot be read" in problems["cut"]
        assert "text.png cannot be read" in problems["text"]
    assert len(found.select(found.problem == "")) == 6


def test_real_camvid_has_the_shares_that_are_known(camvid_root):
    found = scan_samples(samples_of(camvid_root), LABELS)
    share = 100 * found.pixels.sum(axis=0) / (367 * 360 * 480)
    known = [16.9, 23.3, 1.0, 31.7, 4.5, 9.7, 1.2, 1.1, 5.9, 0.6, 0.3]
    np.testing.assert_allclose(share, known, atol=0.1)
