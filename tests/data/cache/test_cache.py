import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import LABELS, fake_camvid, pairs_of, samples_of, write_pair
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from segmentation.classes import CAMVID
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.cache import cache
from segmentation.data.cache import folder as folder_module
from segmentation.data.cache.cache import UncachedPairs, describe_cache, open_pairs
from segmentation.data.cache.folder import CacheFolder, disk_folder, share
from segmentation.data.cache.mapped_pairs import MARK, SEAL, CachedPairs, write_pairs
from segmentation.data.dataset import TrainDataset, collate
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.scanned_dataset import ScannedDataset, scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.data.images.channels import Channels
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.sampler import EpochSampler
from segmentation.errors import ConfigError, DataError

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def source_of(root: Path, classes: str = "camvid", **options: str) -> ScannedDataset:
    return scan_dataset(root, find_splits(root), classes, **options)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What this process has decoded since."""
    indices: list[int] = []
    original = Pairs.__getitem__

    def counting(self, index):
        indices.append(index)
        return original(self, index)

    monkeypatch.setattr(Pairs, "__getitem__", counting)
    return indices


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".pairs", ".partial"))


def assert_same(cached: Pairs, plain: Pairs) -> None:
    assert len(cached) == len(plain) > 0
    for (image, labels), (true_image, true_labels) in zip(cached, plain, strict=True):
        np.testing.assert_array_equal(image, true_image)
        np.testing.assert_array_equal(labels, true_labels)


class Arrays(Pairs):
    """Pairs that are in memory already."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        super().__init__([None] * len(sizes), LABELS)  # type: ignore[list-item]
        rng = np.random.default_rng(len(sizes))
        self.arrays = [
            (rng.integers(0, 256, (*s, 3), np.uint8), rng.integers(0, 11, s, np.uint8))
            for s in sizes
        ]

    def __getitem__(self, index):
        return self.arrays[index]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_pairs_of_any_sizes_come_back_as_they_were(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("any") / "0.pairs"
    pairs = Arrays(sizes)
    write_pairs(path, pairs, np.array(sizes), lambda: None)
    assert path.stat().st_size == 4 * sum(h * w for h, w in sizes) + SEAL.size
    cached = CachedPairs(path, pairs.samples, LABELS, np.array(sizes))
    assert_same(cached, pairs)
    np.testing.assert_array_equal(cached[-1][0], pairs[-1][0])
    with pytest.raises(IndexError):
        cached[len(sizes)]


CHANNELS = [
    Channels((1,), ("",)),
    Channels((1, 2, 3, 4, 5), ("",) * 5, "uint8"),
    Channels((1, 2, 4), ("",) * 3, "uint16"),
    Channels((1, 2), ("",) * 2, "float32"),
]


@pytest.mark.parametrize("channels", CHANNELS, ids=str)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
@settings(max_examples=10, deadline=None)
def test_any_channels_keep_their_type(tmp_path_factory, channels, sizes):
    path = tmp_path_factory.mktemp("any") / "0.pairs"
    pairs = Arrays(sizes)
    pairs.reader = ImageReader(channels)
    rng = np.random.default_rng(1)
    pairs.arrays = [
        ((rng.random((*labels.shape, len(channels))) * 255).astype(channels.dtype), labels)
        for _, labels in pairs.arrays
    ]
    write_pairs(path, pairs, np.array(sizes), lambda: None)
    cached = CachedPairs(path, pairs.samples, LABELS, np.array(sizes), pairs.reader)
    assert_same(cached, pairs)
    assert all(image.dtype == channels.dtype and image.flags.aligned for image, _ in cached)


def test_items_are_views_that_cannot_be_written_to(tmp_path):
    cached = open_pairs(source_of(fake_camvid(tmp_path)), "disk")["train"]
    image, labels = cached[1]
    for one, again in zip((image, labels), cached[1], strict=True):
        assert np.shares_memory(one, again)
        assert one.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            one[0, 0] = 0
    window, _ = TrainTransform(crop=(16, 16))(image, labels, seed=(0, 0, 0))
    window[:] = 0  # the crop is the caller's own


def test_a_crop_of_a_huge_image_takes_what_the_crop_takes(tmp_path):
    side, path = 20_000, tmp_path / "0.pairs"
    with path.open("wb") as file:  # 1.6 GB that take no room: nothing is written there
        file.truncate(4 * side * side)
        file.seek(4 * side * side)
        file.write(SEAL.pack(MARK, 1))
    os.utime(path, (1, 1))
    image, labels = CachedPairs(path, [], LABELS, np.array([[side, side]]))[0]
    transform = TrainTransform(crop=(64, 64), scale=(0.6, 1.6), class_balanced=True)
    tracemalloc.start()
    transform(image, labels, seed=(0, 0, 0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_a_crop_is_the_same_with_and_without(tmp_path):
    source = source_of(fake_camvid(tmp_path))
    transform = TrainTransform([{"HorizontalFlip": {"p": 0.5}}], crop=(32, 32), scale=(0.6, 1.6))
    plain, cached = (open_pairs(source, mode)["train"] for mode in ("off", "disk"))
    for index in range(len(plain)):
        one, other = (transform(*pairs[index], (0, 1, index)) for pairs in (plain, cached))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_images_of_different_sizes_and_colour_masks(tmp_path):
    for index, size in enumerate([(8, 8), (24, 40), (17, 9)]):
        labels = np.full(size, index, np.uint8)
        write_pair(tmp_path, "train", str(index), np.dstack([labels] * 3), labels)
        color = np.full((*size, 3), CAMVID[index].color, np.uint8)
        Image.fromarray(color).save(tmp_path / "trainannot" / f"{index}.png")
    fake_camvid(tmp_path, {"val": 1})
    cached = open_pairs(source_of(tmp_path), "disk")["train"]
    assert [labels.shape for _, labels in cached] == [(8, 8), (24, 40), (17, 9)]
    assert [np.unique(labels).tolist() for _, labels in cached] == [[0], [1], [2]]
    assert len(pickle.dumps(cached)) < 10_000  # not the 16 MB that look colours up


def test_a_later_run_decodes_nothing(tmp_path, decoded):
    source = source_of(fake_camvid(tmp_path))
    del decoded[:]
    open_pairs(source, "disk")
    assert len(decoded) == 12
    again = open_pairs(source, "auto", build=False)
    assert len(decoded) == 12
    assert_same(again["val"], pairs_of(tmp_path, "val"))


def test_a_changed_file_or_class_table_is_another_file(tmp_path):
    root = fake_camvid(tmp_path)
    open_pairs(source_of(root), "disk")
    assert len(files(disk_folder().path)) == 3
    mask = samples_of(root)[2].mask
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(mask)
    changed = open_pairs(source_of(root), "disk")
    assert not changed["train"][2][1].any()
    assert len(files(disk_folder().path)) == 4
    void = open_pairs(source_of(root, void="class"), "disk")
    assert void["train"][0][1].max() == 11
    assert len(files(disk_folder().path)) == 7


@pytest.mark.parametrize("damage", ["cut off", "longer", "written to", "empty", "another version"])
def test_a_damaged_file_is_built_again(tmp_path, damage):
    root = fake_camvid(tmp_path, {"train": 4, "val": 2})
    open_pairs(source_of(root), "disk")
    for path in files(disk_folder().path):
        content = bytearray(path.read_bytes())
        if damage == "cut off":
            del content[-100:]
        elif damage == "written to":
            content[100] ^= 255
        content = content + b"x" if damage == "longer" else content[: len(content)]
        times = path.stat().st_mtime_ns
        path.write_bytes(b"" if damage == "empty" else content)
        if damage == "another version":
            path.write_bytes(content[: -SEAL.size] + SEAL.pack(b"cityseg0", times // 10**9))
            os.utime(path, ns=(times, times))
    assert_same(open_pairs(source_of(root), "disk")["train"], pairs_of(root))


def test_a_file_that_went_bad_since_the_look_is_named(tmp_path):
    source = source_of(fake_camvid(tmp_path))
    sample = source.samples["train"][4]
    sample.mask.write_bytes(sample.mask.read_bytes()[:50])
    with pytest.raises(DataError, match=r"train_004\.png cannot be read"):
        open_pairs(source, "disk")
    write_pair(tmp_path, "train", "train_004", *np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"train_004\.png has changed its size"):
        open_pairs(source, "disk")
    assert not files(disk_folder().path)


def test_files_that_change_while_they_are_read_are_not_cached(tmp_path, monkeypatch):
    source = source_of(fake_camvid(tmp_path, {"train": 2, "val": 2}))
    write = write_pairs

    def meanwhile(*arguments):
        write(*arguments)
        os.utime(source.samples["train"][0].image, ns=(1, 1))

    monkeypatch.setattr(cache, "write_pairs", meanwhile)
    with pytest.raises(DataError, match="changed while they were read"):
        open_pairs(source, "disk")
    assert not files(disk_folder().path)


PROCESS = """
import sys, time
from pathlib import Path
from segmentation.data.cache.cache import open_pairs
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits

root, pause = sys.argv[1:]
source = scan_dataset(Path(root), find_splits(Path(root)), "camvid")
original, count = Pairs.__getitem__, 0

def slow(self, index):
    global count
    count += 1
    sys.stdout.write("decoding\\n")  # in one piece: several threads decode
    sys.stdout.flush()
    time.sleep(float(pause))
    return original(self, index)

Pairs.__getitem__ = slow
print("looked", flush=True)
sys.stdin.readline()
pairs = open_pairs(source, "disk")
print("open", count, sum(int(image.sum()) for image, _ in pairs["train"]), flush=True)
sys.stdin.readline()
"""


@contextmanager
def process(root: Path, pause: float) -> Iterator[subprocess.Popen]:
    """Another program that opens the pairs when it is told to, and ends when it is told to."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(root), str(pause)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert _line(child) == "looked"
        yield child
    finally:
        child.kill()
        child.communicate()


def _tell(child: subprocess.Popen) -> None:
    child.stdin.write("\n")
    child.stdin.flush()


def _line(child: subprocess.Popen, skip: str = "nothing") -> str:
    while (line := child.stdout.readline().strip()) == skip:
        pass
    return line


def test_of_two_processes_one_builds_and_both_use_it(tmp_path):
    root = fake_camvid(tmp_path, {"train": 5, "val": 3})
    source_of(root)
    with process(root, 0.1) as one, process(root, 0.1) as other:
        _tell(one)
        _tell(other)
        results = [_line(child, skip="decoding").split() for child in (one, other)]
    assert sorted(int(count) for _, count, _ in results) == [0, 8]
    total = sum(int(image.sum()) for image, _ in pairs_of(root))
    assert [int(pixels) for _, _, pixels in results] == [total, total]


def test_a_killed_builder_leaves_nothing_that_counts(tmp_path):
    root = fake_camvid(tmp_path, {"train": 5, "val": 3})
    folder = disk_folder().path
    with process(root, 60) as child:
        _tell(child)
        assert _line(child) == "decoding"
        child.kill()
        child.wait()
    (partial,) = files(folder)
    assert partial.name.endswith(f".{child.pid}.partial")
    assert_same(open_pairs(source_of(root), "disk")["train"], pairs_of(root))
    assert {path.suffix for path in files(folder)} == {".pairs"}


def _drop(pairs: dict[str, Pairs]) -> None:
    pairs.clear()
    gc.collect()


def test_files_in_use_stay_when_a_forked_process_ends(tmp_path, monkeypatch):
    pairs = open_pairs(source_of(fake_camvid(tmp_path)), "disk")
    child = multiprocessing.get_context("fork").Process(target=_drop, args=(pairs,))
    child.start()
    child.join(10)
    assert child.exitcode == 0
    monkeypatch.setattr(folder_module, "MAX_BYTES", 0)
    disk_folder().make_room(1)
    assert len(files(disk_folder().path)) == len(pairs)
    _drop(pairs)
    disk_folder().make_room(1)
    assert not files(disk_folder().path)


def test_no_room_is_said_before_anything_is_decoded(tmp_path, monkeypatch, decoded):
    source = source_of(fake_camvid(tmp_path))
    del decoded[:]
    monkeypatch.setattr(CacheFolder, "free_bytes", lambda self: 100_000)
    with pytest.raises(DataError, match=r"takes 147 kB .* room for 100 kB\. Type data\.cache=off"):
        open_pairs(source, "disk")
    assert not decoded


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    source = source_of(fake_camvid(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cannot be used: .*File too large.*XDG_CACHE_HOME"):
            open_pairs(source, "disk")
        assert "cannot be used" in describe_cache(list(open_pairs(source, "auto").values()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not files(disk_folder().path)


def test_auto_builds_what_is_small_and_read_often(tmp_path, monkeypatch):
    source = source_of(fake_camvid(tmp_path))

    def said(mode: str, source: ScannedDataset = source, **options: bool) -> str:
        return describe_cache(list(open_pairs(source, mode, **options).values()))

    assert said("off") == "off: files are decoded at every access"
    assert said(False) == said("off")  # how YAML reads a bare off
    monkeypatch.setattr(cache, "AUTO_LIMIT", 100_000)
    assert said("auto") == "off: 147 kB, more than 100 kB; data.cache=disk builds it"
    monkeypatch.undo()
    monkeypatch.setattr(CacheFolder, "free_bytes", lambda self: 400_000)
    assert said("auto").startswith("off: 147 kB, much of the 400 kB free in ")
    monkeypatch.undo()
    assert said("auto", build=False) == "off: each image is read once"
    assert isinstance(open_pairs(source, "auto", build=False)["train"], UncachedPairs)
    assert said("auto") == f"147 kB in {disk_folder().path}"
    assert said("auto", build=False) == said("auto")


def test_scoring_alone_builds_nothing_unasked(tmp_path):
    source = source_of(fake_camvid(tmp_path, {"val": 3, "test": 2}))
    assert (
        describe_cache(list(open_pairs(source, "auto").values())) == "off: each image is read once"
    )
    assert isinstance(open_pairs(source, "disk")["val"], CachedPairs)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("memory", r"'memory': use auto, disk or off\.$"),
        ("ram", r"auto, disk or off \(ram was removed"),
    ],
)
def test_an_invalid_mode_is_refused(tmp_path, mode, message):
    with pytest.raises(ConfigError, match=message):
        open_pairs(source_of(fake_camvid(tmp_path)), mode)


def test_room_is_made_by_what_was_used_longest_ago_and_nobody_uses(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "MAX_BYTES", 3000)
    folder = CacheFolder(tmp_path)
    for age, name in enumerate("abcd"):
        folder.file(name).write_bytes(bytes(1000))
        os.utime(folder.file(name), (age, 0))
    with folder.file("a").open("rb") as file:
        assert share(file)
        os.utime(folder.file("a"), (0, 0))
        folder.make_room(1000)
        assert files(tmp_path) == [folder.file("a"), folder.file("d")]


def test_every_use_counts_as_one(tmp_path):
    source = source_of(fake_camvid(tmp_path))
    path = open_pairs(source, "disk")["train"].path
    os.utime(path, ns=(1, path.stat().st_mtime_ns))
    open_pairs(source, "disk")
    assert path.stat().st_atime_ns > 1


READER = """
import pickle, sys
pairs = pickle.load(sys.stdin.buffer)
print(sum(int(image.sum()) + int(labels.sum()) for image, labels in pairs), flush=True)
sys.stdin.readline()
"""


def _mapped(process: int, path: Path) -> dict[str, int]:
    """Return the bytes that a process has of a file in its memory, from /proc."""
    sums = {"Rss": 0, "Pss": 0, "Private_Dirty": 0}
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        key = line.split(":")[0]
        if key in sums:
            sums[key] += 1024 * int(line.split()[1]) * inside
        elif "-" in line.split()[0]:
            inside = line.endswith(str(path))
    return sums


@LINUX
def test_processes_share_the_pages(tmp_path):
    source = source_of(fake_camvid(tmp_path, {"train": 4, "val": 1}, size=(480, 640)))
    cached = open_pairs(source, "disk")["train"]
    total = sum(int(image.sum()) + int(labels.sum()) for image, labels in cached)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for reader in readers:  # what a spawned worker gets
            reader.stdin.write(pickle.dumps(cached))
            reader.stdin.flush()
        assert [int(reader.stdout.readline()) for reader in readers] == [total, total]
        maps = [_mapped(pid, cached.path) for pid in (os.getpid(), *(r.pid for r in readers))]
    finally:
        for reader in readers:
            reader.communicate(b"\n")
    size = cached.path.stat().st_size
    for one in maps:
        assert one["Rss"] >= 0.9 * size  # each has all of it
        assert one["Private_Dirty"] == 0
    assert sum(one["Pss"] for one in maps) <= 1.05 * size  # and it is there once


@pytest.mark.parametrize("method", [None, "fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_loaders_give_the_same_uint8_batches_with_and_without(tmp_path, method):
    source = source_of(fake_camvid(tmp_path))
    batches = {}
    for mode in ("off", "disk"):
        dataset = TrainDataset(
            open_pairs(source, mode)["train"], TrainTransform(crop=(32, 32), scale=(0.6, 1.6)), 0
        )
        loader = DataLoader(
            dataset,
            batch_size=3,
            sampler=EpochSampler(len(dataset), 3, seed=0),
            num_workers=0 if method is None else 1,
            multiprocessing_context=method,
            collate_fn=collate,
        )
        batches[mode] = list(loader)
    for plain, cached in zip(batches["off"], batches["disk"], strict=True):
        for key in ("image", "mask"):
            assert cached[key].dtype == torch.uint8
            assert torch.equal(plain[key], cached[key])
        assert cached["image"].is_contiguous(memory_format=torch.channels_last)
