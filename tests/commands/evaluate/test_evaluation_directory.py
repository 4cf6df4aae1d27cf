"""Where an evaluation goes, who may write there, and what is left of the one before."""

import numpy as np
import pytest
from filelock import FileLock

from segmentation.classes import ClassTable
from segmentation.commands.evaluate.directory import EVALUATION_LOCK, evaluation_directory, writing
from segmentation.commands.results import discard_evaluation
from segmentation.errors import ConfigError
from segmentation.inference.options import InferenceOptions
from segmentation.runs.directory import read_metrics
from segmentation.runs.results import write_results
from segmentation.runs.scored_images import ScoredImages

CLASSES = ClassTable(("a", "b"), ((1, 1, 1), (2, 2, 2)))
FACTS = {
    "split": "val", "data_fingerprint": "d", "targets_fingerprint": "t", "precision": "32-true",
    "inference": {}, "size": None, "class_map": None, "classes": ["a", "b"],
}  # fmt: skip


def write(directory, right=8, **facts):
    confusion = np.array([[[right, 2], [1, 9]]] * 3)
    scored = ScoredImages.from_counts(directory, ["x", "y", "z"], CLASSES, confusion)
    return write_results(directory, scored, **facts)


def test_other_targets_are_another_evaluation(tmp_path):
    def chosen(**changed):
        facts = FACTS | changed
        return evaluation_directory(tmp_path, None, InferenceOptions(), False, facts).name

    write(tmp_path / "evaluation" / "val", **FACTS)
    assert chosen() == "val"
    assert chosen(targets_fingerprint="u") == chosen(targets_fingerprint=None) == "val-2"


def test_one_process_writes_at_a_time(tmp_path):
    there = tmp_path / "evaluation" / "val"
    with writing(there):
        write(there)
        with (
            pytest.raises(ConfigError, match=r"another process writes an evaluation to .*Wait"),
            writing(there),
        ):
            pass
        assert (there / "metrics.json").is_file()
    assert not (there / EVALUATION_LOCK).exists()
    with writing(there), pytest.raises(TimeoutError):
        FileLock(there / EVALUATION_LOCK, timeout=0).acquire()


def test_a_failure_leaves_no_empty_directory(tmp_path):
    with pytest.raises(RuntimeError), writing(tmp_path / "evaluation" / "val"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_scoring_that_is_killed_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    write(tmp_path)
    before = (tmp_path / "per_image.npz").read_bytes()
    for name in ("report.html", "slices.csv"):
        (tmp_path / name).write_text("old")
    discard_evaluation(tmp_path)

    def killed(file, **arrays):
        getattr(file, "write", lambda _: (tmp_path / "per_image.npz").write_bytes(b"half"))(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, right=7)
    assert read_metrics(tmp_path) is None
    assert not (tmp_path / "report.html").exists()
    assert not (tmp_path / "slices.csv").exists()
    assert (tmp_path / "per_image.npz").read_bytes() == before
