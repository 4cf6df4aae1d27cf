"""A job's child, whatever happens to the clock and the folder meanwhile."""

import os
import sys
import time

from segmentation.sweep.jobs import child


def attempt(directory, code):
    directory.mkdir(exist_ok=True)
    command = [sys.executable, "-S", "-c", code]
    return child.attempt(
        command, [], directory, None, directory.parent, directory, dict(os.environ)
    )


def test_its_time_is_right_when_the_clock_goes_back(tmp_path, monkeypatch):
    hour = iter(range(10**6, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(hour)))
    state = attempt(tmp_path / "job", "raise SystemExit('wrong')")
    assert (state.state, state.error) == ("failed", "wrong")
    assert 0 <= state.seconds < 60


def test_a_folder_that_is_deleted_under_it_is_an_error_that_names_it(tmp_path):
    job = tmp_path / "sweep" / "job"
    job.parent.mkdir()
    code = f"import shutil; shutil.rmtree({str(job.parent)!r})"
    state = attempt(job, code)
    assert "is gone: was the sweep's directory removed" in (state.error or "")
