"""The state of a job, as a file."""

import pytest

from segmentation.errors import DataError
from segmentation.runs.directory import read_metrics
from segmentation.sweep.jobs.state import JobState, read_job, write_job


def test_a_state_is_read_as_it_was_written(tmp_path):
    assert read_job(tmp_path) is None
    assert read_metrics(tmp_path) is None
    job = JobState(["encoder=ä"], "failed", None, 3.5, 1, "line\nlast", "host", 1e9)
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]
    (tmp_path / "job.json").write_text('{"overrides": [], "stat": 1}')
    with pytest.raises(DataError, match=r"job.json is damaged: state is missing. Remove it"):
        read_job(tmp_path)


def test_half_a_state_is_never_seen(tmp_path, monkeypatch):
    write_job(tmp_path, JobState([], "running"))
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_job(tmp_path, JobState([], "finished"))
    assert read_job(tmp_path).state == "running"
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]


@pytest.mark.parametrize(
    ("state", "done"),
    [("running", False), ("finished", True), ("pruned", True), ("failed", False)],
)
def test_finished_and_pruned_are_final(state, done):
    assert JobState([], state).done is done
