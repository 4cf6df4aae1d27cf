"""The drawn street scenes: the same everywhere, like CamVid in their shares, exact in their masks,
and safe to write from several processes."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segmentation.classes import CAMVID
from segmentation.errors import DataError
from segmentation.streets import draw_scene, write_streets
from segmentation.streets import write as writing
from segmentation.streets.lens import majority

CAMVID_NAMES = [entry.name for entry in CAMVID]
CAMVID_SHARES = {
    "Sky": 16.9, "Building": 23.3, "Pole": 1.0, "Road": 31.7, "Pavement": 4.5, "Tree": 9.7,
    "SignSymbol": 1.2, "Fence": 1.1, "Car": 5.9, "Pedestrian": 0.6, "Bicyclist": 0.3,
    "Unlabelled": 4.0,
}  # fmt: skip
SKY, POLE, ROAD, UNLABELLED = (CAMVID_NAMES.index(n) for n in ("Sky", "Pole", "Road", "Unlabelled"))
SMALL = (60, 80)
FEW = {"train": 3, "val": 2, "test": 2}


@pytest.fixture(scope="module")
def scenes() -> tuple[np.ndarray, np.ndarray]:
    """Return 100 pictures (100, 120, 160, 3) and their masks (100, 120, 160)."""
    drawn = [draw_scene(0, index, (120, 160)) for index in range(100)]
    return np.stack([image for image, _ in drawn]), np.stack([mask for _, mask in drawn])


def digest(index: int, size: tuple[int, int]) -> str:
    image, mask = draw_scene(3, index, size)
    return hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest()


def child(code: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


class TestScene:
    def test_is_the_same_in_every_process(self):
        code = (
            "import hashlib, sys\n"
            "from segmentation.streets import draw_scene\n"
            "for index in (4, 5, 6):\n"
            "    image, mask = draw_scene(3, index, (97, 131))\n"
            "    print(hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest())\n"
            "assert 'torch' not in sys.modules\n"
        )
        process = child(code)
        here = [digest(index, (97, 131)) for index in (6, 5, 4)]  # another order: nothing is kept
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.split() == here[::-1]

    def test_differs_by_index_and_by_seed(self):
        drawn = [draw_scene(seed, index, SMALL) for seed in (0, 1) for index in range(8)]
        assert len({image.tobytes() for image, _ in drawn}) == 16
        assert len({mask.tobytes() for _, mask in drawn}) == 16

    @pytest.mark.parametrize("index", range(5))
    def test_size_changes_only_how_finely_it_is_drawn(self, index):
        _, fine = draw_scene(0, index, (240, 320))
        _, coarse = draw_scene(0, index, (120, 160))
        assert (fine[::2, ::2] == coarse).mean() > 0.93

    @settings(max_examples=25, deadline=None)
    @given(
        index=st.integers(0, 10**9),
        seed=st.integers(0, 2**40),
        height=st.integers(32, 140),
        width=st.integers(32, 180),
    )
    def test_any_size_gives_a_whole_picture_and_mask(self, index, seed, height, width):
        image, mask = draw_scene(seed, index, (height, width))
        assert image.shape == (height, width, 3)
        assert mask.shape == (height, width)
        assert image.dtype == mask.dtype == np.uint8
        assert image.flags.c_contiguous
        assert mask.flags.c_contiguous
        assert mask.max() <= UNLABELLED

    @pytest.mark.parametrize("size", [(31, 80), (60, 0), (240,)])
    def test_refuses_a_size_it_cannot_draw(self, size):
        with pytest.raises(DataError, match="at least 32 pixels"):
            draw_scene(0, 0, size)


class TestLikeCamVid:
    def test_shares_of_pixels(self, scenes):
        shares = 100 * np.bincount(scenes[1].ravel(), minlength=12) / scenes[1].size
        for name, share in zip(CAMVID_NAMES, shares, strict=True):
            slack = 1.25 if CAMVID_SHARES[name] > 9 else 3.0 if CAMVID_SHARES[name] < 1 else 1.8
            assert CAMVID_SHARES[name] / slack < share < CAMVID_SHARES[name] * slack, name

    def test_every_class_occurs_in_many_scenes(self, scenes):
        counts = np.stack([np.bincount(mask.ravel(), minlength=12) for mask in scenes[1]])
        occurs = dict(zip(CAMVID_NAMES, (counts >= 10).mean(axis=0), strict=True))
        assert min(occurs.values()) >= 0.35, occurs
        assert min(occurs[name] for name in ("Sky", "Building", "Road", "Pavement")) >= 0.95

    def test_sky_is_above_the_road(self, scenes):
        rows = np.arange(scenes[1].shape[1])[None, :, None]
        sky, road = (
            (rows * (scenes[1] == label)).sum((1, 2)) / (scenes[1] == label).sum((1, 2))
            for label in (SKY, ROAD)
        )
        assert (sky + 20 < road).all()
        assert not (scenes[1][:, -40:] == SKY).any()
        assert not (scenes[1][:, :40] == ROAD).any()

    def test_light_varies(self, scenes):
        brightness = scenes[0].mean(axis=(1, 2, 3))
        assert brightness.min() < 70
        assert brightness.max() > 130
        assert np.ptp(scenes[0].reshape(100, -1), axis=1).min() > 100  # and none is flat

    def test_poles_are_thin_and_upright(self):
        across: list[int] = []
        down: list[int] = []
        for index in range(12):
            pole = draw_scene(0, index, (240, 320))[1] == POLE
            across += runs(pole)
            down += runs(pole.T)
        assert np.median(across) <= 3
        assert np.mean(down) > 3 * np.mean(across)


def runs(inside: np.ndarray) -> list[int]:
    """Return the lengths of all runs of True along the rows of a (H, W) array."""
    edges = np.diff(np.pad(inside.astype(int), ((0, 0), (1, 1))), axis=1)
    return (np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1]).tolist()


class TestExactMasks:
    @given(hnp.arrays(np.uint8, (6, 10), elements=st.integers(0, 3)))
    def test_a_pixel_has_the_class_that_covers_most_of_it(self, labels):
        mask = majority(labels)
        assert mask.shape == (3, 5)
        for (row, column), label in np.ndenumerate(mask):
            block = labels[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            counts = np.bincount(block.ravel(), minlength=4)
            assert counts[label] == counts.max()

    def test_borders_of_the_mask_are_where_the_picture_changes(self, scenes):
        """The colour step across a border of the mask is the largest at no offset at all."""
        images, masks = scenes[0].astype(int), scenes[1]
        for axis in (1, 2):
            step = np.abs(np.diff(images, axis=axis)).sum(axis=3)
            border = np.diff(masks.astype(int), axis=axis) != 0
            means = {
                shift: step[np.roll(border, shift, axis=axis)].mean() for shift in range(-3, 4)
            }
            assert max(means, key=means.__getitem__) == 0
            assert means[0] > 1.5 * max(means[-2], means[2])


@pytest.mark.slow
def test_colour_and_position_alone_do_not_solve_it():
    """A classifier of single pixels stays under mIoU 35 on scenes that it has not seen."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)

    def pixels(indices: range) -> tuple[np.ndarray, np.ndarray]:
        features, labels = [], []
        for index in indices:
            image, mask = draw_scene(0, index, (120, 160))
            at = rng.choice(mask.size, 800, replace=False)
            row, column = np.divmod(at, 160)
            features.append(np.column_stack([image.reshape(-1, 3)[at], row, column]))
            labels.append(mask.ravel()[at])
        known = np.concatenate(labels) != UNLABELLED
        return np.concatenate(features)[known], np.concatenate(labels)[known]

    model = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=0)
    model.fit(*pixels(range(0, 300, 3)))
    features, labels = pixels(range(2, 182, 3))
    confusion = np.zeros((UNLABELLED, UNLABELLED))
    np.add.at(confusion, (labels, model.predict(features)), 1)
    hits = np.diag(confusion)
    miou = 100 * (hits / (confusion.sum(0) + confusion.sum(1) - hits)).mean()
    assert 10 < miou < 35


def files(root: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path in it."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def names(parent: Path) -> list[str]:
    """Return what lies in a folder, but for the lock file."""
    return sorted(path.name for path in parent.iterdir() if path.suffix != ".lock")


class TestFiles:
    def test_layout_is_camvids(self, tmp_path):
        root = tmp_path / "a" / "streets"
        write_streets(root, seed=5, size=SMALL, counts=FEW)
        expected = {
            f"{split}{kind}/{number:04d}.png"
            for split, count in FEW.items()
            for kind in ("", "annot")
            for number in range(count)
        }
        assert set(files(root)) == expected | {"README.txt", "streets.json", "targets.csv"}
        assert "11 Unlabelled (void)" in (root / "README.txt").read_text()
        stamp = json.loads((root / "streets.json").read_text())
        sizes = {name: len(content) for name, content in files(root).items()}
        assert stamp.pop("files") == {name: sizes[name] for name in sizes if name != "streets.json"}
        assert stamp == {"generator": writing.VERSION, "seed": 5, "size": [60, 80], "counts": FEW}
        assert names(root.parent) == ["streets"]

    def test_files_hold_the_scenes_and_no_scene_twice(self, tmp_path):
        write_streets(tmp_path / "streets", seed=5, size=SMALL, counts=FEW)
        written = set()
        for split, count in FEW.items():
            for number in range(count):
                name = f"{number:04d}.png"
                image = cv2.imread(str(tmp_path / "streets" / split / name), cv2.IMREAD_UNCHANGED)
                mask = cv2.imread(
                    str(tmp_path / "streets" / f"{split}annot" / name), cv2.IMREAD_UNCHANGED
                )
                assert image.shape == (*SMALL, 3)
                assert mask.shape == SMALL
                index = 3 * number + list(FEW).index(split)
                for found, drawn in zip(
                    (image[..., ::-1], mask), draw_scene(5, index, SMALL), strict=True
                ):
                    np.testing.assert_array_equal(found, drawn)
                written.add(image.tobytes())
        assert len(written) == sum(FEW.values())

    def test_a_split_stays_the_same_when_another_grows(self, tmp_path):
        write_streets(tmp_path / "few", size=SMALL, counts=FEW)
        write_streets(tmp_path / "more", size=SMALL, counts=FEW | {"train": 5})
        few, more = files(tmp_path / "few"), files(tmp_path / "more")
        assert len(more) == len(few) + 4
        assert all(more[name] == few[name] for name in few if name.endswith(".png"))

    def test_helpers_write_the_same_even_for_a_script_without_main_guard(self, tmp_path):
        code = (
            "import subprocess, sys\n"
            "from pathlib import Path\n"
            "from segmentation.streets import write, write_streets\n"
            "started, popen = [], subprocess.Popen\n"
            "write.available_cores = lambda: 3\n"
            "def start(*arguments, **options):\n"
            "    started.append(popen(*arguments, **options))\n"
            "    return started[-1]\n"
            "write.subprocess.Popen = start\n"
            f"root = Path({str(tmp_path / 'helped')!r})\n"
            "write_streets(root, size=(32, 40), counts={'val': 42})\n"
            "assert [helper.returncode for helper in started] == [0, 0], started\n"
            "assert 'torch' not in sys.modules\n"
        )
        (tmp_path / "script.py").write_text(code)
        done = subprocess.run(
            [sys.executable, tmp_path / "script.py"], timeout=60, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        for number in range(42):
            image, mask = draw_scene(0, 3 * number + 1, (32, 40))
            for kind, pixels in (("val", image[..., ::-1]), ("valannot", mask)):
                path = tmp_path / "helped" / kind / f"{number:04d}.png"
                found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
                np.testing.assert_array_equal(found, pixels)

    def test_the_share_of_a_helper_that_dies_is_drawn_all_the_same(
        self, tmp_path, monkeypatch, caplog
    ):
        monkeypatch.setattr(writing, "available_cores", lambda: 3)
        monkeypatch.setattr(writing, "_HELPER", "raise SystemExit('killed')")
        write_streets(tmp_path / "streets", size=(32, 40), counts={"test": 41})
        assert len(list((tmp_path / "streets").rglob("*.png"))) == 82
        assert "failed: killed" in caplog.text

    def test_a_second_call_draws_nothing(self, tmp_path, monkeypatch):
        write_streets(tmp_path / "streets", size=SMALL, counts=FEW)
        monkeypatch.setattr(writing, "_replace", lambda *_: pytest.fail("drawn again"))
        write_streets(tmp_path / "streets", size=SMALL, counts=FEW)

    @pytest.mark.parametrize(
        ("change", "held"),
        [
            ({"seed": 1}, "drawn with seed 0. To use them, type data.draw.seed=0; to"),
            ({"size": (64, 80)}, "size [60,80]. To use them, type 'data.draw.size=[60,80]'; to"),
            (
                {"counts": {"train": 2, "val": 2}},
                "drawn with counts {train:3,val:2,test:2}. To use them, type "
                "data.draw.counts.train=3 data.draw.counts.test=2; to",
            ),
            (
                {"seed": 1, "counts": FEW | {"val": 9}},
                "data.draw.seed=0 data.draw.counts.val=2; to",
            ),
        ],
        ids=["seed", "size", "counts", "two"],
    )
    def test_scenes_of_other_arguments_are_not_drawn_over(self, tmp_path, change, held):
        root = tmp_path / "streets"
        write_streets(root, size=SMALL, counts=FEW)
        before = files(root)
        with pytest.raises(DataError) as error:
            write_streets(root, **{"seed": 0, "size": SMALL, "counts": FEW, **change})
        assert held in str(error.value)
        assert str(error.value).endswith("to draw others, type another data.root=<folder>.")
        assert files(root) == before

    def test_a_split_that_the_folder_lacks_is_named_as_one_to_omit(self, tmp_path):
        write_streets(tmp_path / "streets", size=SMALL, counts={"train": 1})
        with pytest.raises(DataError, match=r"type '~data\.draw\.counts\.val'; to"):
            write_streets(tmp_path / "streets", size=SMALL, counts={"train": 1, "val": 1})

    def test_scenes_of_another_version_are_drawn_anew(self, tmp_path, monkeypatch):
        root = tmp_path / "streets"
        write_streets(root, size=SMALL, counts=FEW)
        monkeypatch.setattr(writing, "VERSION", 9)
        write_streets(root, size=SMALL, counts=FEW)
        assert json.loads((root / "streets.json").read_text())["generator"] == 9
        assert names(tmp_path) == ["streets"]

    def test_damaged_scenes_of_other_arguments_are_drawn_anew(self, tmp_path):
        root = tmp_path / "streets"
        write_streets(root, size=SMALL, counts=FEW)
        (root / "train" / "0000.png").unlink()
        write_streets(root, size=SMALL, counts={"train": 2})
        assert not (root / "val").exists()

    @pytest.mark.parametrize("key", ["counts", "size", "seed"])
    @pytest.mark.parametrize("value", [7.5, "x", None])
    def test_a_stamp_of_other_types_is_a_damaged_one(self, tmp_path, key, value):
        root = tmp_path / "streets"
        write_streets(root, size=SMALL, counts={"train": 1})
        stamp = json.loads((root / "streets.json").read_text())
        (root / "streets.json").write_text(json.dumps(stamp | {key: value}))
        write_streets(root, size=SMALL, counts={"train": 1})
        assert json.loads((root / "streets.json").read_text()) == stamp

    def test_an_empty_folder_is_filled(self, tmp_path):
        (tmp_path / "streets").mkdir()
        write_streets(tmp_path / "streets", size=SMALL, counts=FEW)
        assert (tmp_path / "streets" / "test" / "0001.png").is_file()

    def test_a_folder_of_somebody_else_is_left_alone(self, tmp_path):
        root = tmp_path / "streets"
        (root / "train").mkdir(parents=True)
        (root / "train" / "mine.png").write_bytes(b"mine")
        with pytest.raises(DataError, match=r"has no streets\.json.*data\.root=<folder>"):
            write_streets(root, size=SMALL, counts=FEW)
        assert files(root) == {"train/mine.png": b"mine"}
        (root / "streets.json").write_text("{ not json")
        with pytest.raises(DataError, match="left unchanged"):
            write_streets(root, size=SMALL, counts=FEW)

    @pytest.mark.parametrize("name", ["streets.json", "train/0000.png", "targets.csv"])
    @pytest.mark.parametrize("content", [b"", b"{", b'{"files": {}}', None])
    def test_what_was_damaged_is_drawn_again(self, tmp_path, name, content):
        root = tmp_path / "streets"
        write_streets(root, size=SMALL, counts=FEW)
        before = files(root)
        if content is None:
            (root / name).unlink()
            if name == "streets.json":  # nothing says that it is a folder of scenes
                with pytest.raises(DataError, match="left unchanged"):
                    write_streets(root, size=SMALL, counts=FEW)
                return
        else:
            (root / name).write_bytes(content)
        write_streets(root, size=SMALL, counts=FEW)
        assert files(root) == before

    def test_a_place_that_cannot_be_written_to(self, tmp_path):
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(DataError, match=r"cannot be written to .*data\.root=<folder>"):
            write_streets(tmp_path / "file" / "streets", size=SMALL, counts=FEW)

    def test_a_full_disk_leaves_nothing_half_done(self, tmp_path, monkeypatch):
        write_png, written = writing._write_png, []

        def fail_at_last(path, pixels):
            written.append(path)
            if len(written) > 5:
                raise OSError(28, "No space left on device")
            write_png(path, pixels)

        monkeypatch.setattr(writing, "_write_png", fail_at_last)
        with pytest.raises(DataError, match="No space left on device"):
            write_streets(tmp_path / "streets", size=SMALL, counts=FEW)
        assert names(tmp_path) == []

    def test_leftovers_of_a_killed_process_do_no_harm(self, tmp_path):
        for leftover in (".streets.partial", ".streets.old"):
            (tmp_path / leftover / "train").mkdir(parents=True)
        write_streets(tmp_path / "streets", size=SMALL, counts=FEW)
        assert names(tmp_path) == ["streets"]

    @pytest.mark.parametrize("outdated", [False, True], ids=["absent", "outdated"])
    def test_two_processes_at_once_end_with_one_whole_folder(self, tmp_path, monkeypatch, outdated):
        root, counts = tmp_path / "streets", {"train": 12, "val": 6, "test": 6}
        if outdated:
            with monkeypatch.context() as earlier:
                earlier.setattr(writing, "VERSION", 1)
                write_streets(root, size=SMALL, counts=counts)
        code = (
            "from pathlib import Path\n"
            "from segmentation.streets import write_streets\n"
            f"write_streets(Path({str(root)!r}), size={SMALL}, counts={counts})\n"
            f"assert len(list(Path({str(root)!r}).rglob('*.png'))) == 48\n"
        )
        processes = [child(code) for _ in range(2)]
        for process in processes:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        write_streets(tmp_path / "alone", size=SMALL, counts=counts)
        assert files(root) == files(tmp_path / "alone")
        assert names(tmp_path) == ["alone", "streets"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"counts": {}}, "1 or more"),
            ({"counts": {"train": 0}}, "1 or more"),
            ({"counts": {"training": 3}}, r"pass 1 or more for each of train, val, test"),
            ({"size": (16, 80)}, "at least 32 pixels"),
            ({"seed": -1}, "pass 0 or more"),
        ],
    )
    def test_refuses_arguments_that_cannot_be_drawn(self, tmp_path, arguments, message):
        with pytest.raises(DataError, match=message):
            write_streets(tmp_path / "streets", **arguments)
        assert names(tmp_path) == []
