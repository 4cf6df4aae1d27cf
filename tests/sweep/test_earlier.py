"""An unfinished sweep of the same command is found, and no other."""

import pytest
from filelock import FileLock

from segmentation.sweep.earlier import COMMAND_FILE, SWEEP_LOCK, note_command, unfinished_sweep

WORDS = ["-m", "encoder=a,b", "sweep.storage=postgresql://me:hunter2@host/db"]


@pytest.fixture
def new(tmp_path):
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        note_command(tmp_path / name, WORDS, ended=False)
    return tmp_path / "3"


def test_the_newest_is_found_whatever_the_order_of_the_words(new):
    assert unfinished_sweep(new, WORDS[::-1]) == new.parent / "2"
    assert unfinished_sweep(new, [*WORDS, "seed=1"]) is None
    assert unfinished_sweep(new.parent / "2", WORDS) == new.parent / "1"


def test_what_has_ended_is_at_work_or_damaged_is_passed_over(new):
    note_command(new.parent / "2", WORDS, ended=True)
    assert unfinished_sweep(new, WORDS) == new.parent / "1"
    with FileLock(new.parent / "1" / SWEEP_LOCK):
        assert unfinished_sweep(new, WORDS) is None
    (new.parent / "1" / COMMAND_FILE).write_text("{")
    assert unfinished_sweep(new, WORDS) is None


def test_no_password_is_kept(new):
    assert "hunter2" not in (new.parent / "1" / COMMAND_FILE).read_text()
