import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from populations import Scenes

from segmentation.classes import ClassTable
from segmentation.errors import DataError
from segmentation.runs import per_image_file
from segmentation.runs.results import write_results
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.scored_images import ScoredImages
from segmentation.system.files import MAX_JSON_BYTES

CLASSES = ClassTable(tuple("abcde"), ((0, 0, 0),) * 5)
CONFUSION = Scenes(np.random.default_rng(0), 6).predict()
NAMES = [f"street_{n}" for n in range(6)]


def counted(names=NAMES, confusion=CONFUSION) -> ScoredImages:
    return ScoredImages.from_counts(Path("run"), names, CLASSES, confusion)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_results(tmp_path, counted(), split="val", data_fingerprint="f00d")
    return tmp_path


def rewrite(run: Path, **changes) -> None:
    """Replace arrays of per_image.npz; None leaves one out."""
    with np.load(run / "per_image.npz") as kept:
        arrays = {**kept, **changes}
    np.savez(run / "per_image.npz", **{k: v for k, v in arrays.items() if v is not None})


def test_what_a_run_wrote_is_read(run):
    scored = read_scored(run)
    assert scored.names == tuple(NAMES)
    assert scored.classes == tuple("abcde")
    np.testing.assert_array_equal(scored.confusion, CONFUSION)
    np.testing.assert_array_equal(scored.truth, CONFUSION.sum(axis=2))
    assert (scored.source, len(scored), scored.data_fingerprint) == (run, 6, "f00d")
    assert scored.metrics["split"] == "val"


def test_images_without_a_score_are_no_hindrance(tmp_path):
    write_results(tmp_path, counted(NAMES[:2], np.zeros((2, 5, 5), dtype=np.int64)))
    assert read_scored(tmp_path).metrics["miou"] is None


def test_a_training_keeps_its_fingerprint_beside_its_scores(tmp_path):
    write_results(tmp_path, counted(), split="val")
    assert read_scored(tmp_path).data_fingerprint is None
    environment = {"data": {"train": "1", "val": "2"}}
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    assert read_scored(tmp_path).data_fingerprint == "2"


def test_images_are_put_in_another_order(run):
    scored = read_scored(run)
    turned = scored.ordered_like(NAMES[::-1])
    assert turned.names == tuple(NAMES[::-1])
    np.testing.assert_array_equal(turned.confusion, CONFUSION[::-1])


def test_a_run_that_was_not_scored_is_told_how(tmp_path):
    with pytest.raises(DataError, match=r"per_image.npz is missing.*python evaluate.py run="):
        read_scored(tmp_path)


def test_or_that_it_has_no_classes_to_score(run):
    (run / "per_image.npz").unlink()
    with pytest.raises(DataError, match="A model that does not segment has none"):
        read_scored(run)


def test_or_where_its_scores_are(tmp_path):
    write_results(tmp_path / "new" / "evaluation" / "test", counted())
    with pytest.raises(DataError, match=r"evaluation/test has one"):
        read_scored(tmp_path / "new")


def test_missing_metrics_are_named(run):
    (run / "metrics.json").unlink()
    with pytest.raises(DataError, match=r"metrics.json is missing"):
        read_scored(run)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": None}, "name"),
        ({"name": np.array(NAMES, dtype=object)}, "allow_pickle=False"),
        ({"name": np.array([*NAMES[:5], NAMES[0]])}, "names of images repeat"),
        ({"name": np.arange(6)}, "names are not text"),
        ({"name": np.array(NAMES[:5])}, "do not fit matrices"),
        ({"classes": np.array(list("abcd"))}, "do not fit matrices"),
        ({"confusion": CONFUSION[0]}, "do not fit matrices"),
        ({"confusion": CONFUSION / 2}, "counts are not whole numbers"),
        ({"confusion": -CONFUSION}, "counts that no image has"),
        ({"confusion": CONFUSION * 2**50}, "counts that no image has"),
    ],
)
def test_damaged_matrices_are_refused(run, changes, reason):
    rewrite(run, **changes)
    with pytest.raises(DataError, match=rf"per_image.npz is damaged: .*{reason}"):
        read_scored(run)


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_file_cut_short_is_refused(run, keep):
    path = run / "per_image.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"per_image.npz is damaged"):
        read_scored(run)


def test_changed_bytes_are_refused(run):
    path = run / "per_image.npz"
    content = bytearray(path.read_bytes())
    content[content.index(b"confusion.npy") + 100] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"per_image.npz is damaged"):
        read_scored(run)


def test_a_header_that_promises_too_much_is_refused(run):
    path = run / "per_image.npz"
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("name", "confusion", "classes"):
            header = "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }"
            text = header.ljust(117) + "\n"
            packed.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00\x76\x00" + text.encode())
    with pytest.raises(DataError, match=r"per_image.npz is damaged"):
        read_scored(run)


def test_a_file_that_unpacks_to_too_much_is_refused(run, monkeypatch):
    monkeypatch.setattr(per_image_file, "MOST_UNPACKED", 1000)
    with pytest.raises(DataError, match=r"unpacks to [0-9,]+ bytes; at most 1,000"):
        read_scored(run)


def test_no_image_is_refused(run):
    rewrite(run, name=np.array([], dtype="U1"), confusion=CONFUSION[:0])
    with pytest.raises(DataError, match="holds no image"):
        read_scored(run)


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "Expecting"), ("[1]", "not a JSON object"), ("[" * 10**5, "recursion"), ('{"miou": "high"}', "miou='high': must be a number")]
)
def test_damaged_metrics_are_refused(run, text, reason):
    (run / "metrics.json").write_text(text)
    with pytest.raises(DataError, match=rf"metrics.json is damaged: .*{reason}"):
        read_scored(run)


def test_metrics_too_large_are_refused(run):
    (run / "metrics.json").write_text(" " * (MAX_JSON_BYTES + 1))
    with pytest.raises(DataError, match=r"metrics.json is damaged: it is larger than 4,194,304 b"):
        read_scored(run)


@pytest.mark.parametrize("changes", [{"miou": 0.5}, {"images": 5}])
def test_scores_of_another_evaluation_are_refused(run, changes):
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, **changes}))
    with pytest.raises(DataError, match="are of different evaluations"):
        read_scored(run)
