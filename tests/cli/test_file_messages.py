"""What a user is told where the system refuses a file."""

import errno
import fcntl
import os

import pytest

from segmentation.cli.messages import explain
from segmentation.errors import ConfigError
from segmentation.runs.directory import at_work


def said(error):
    return explain(error, "train", composed=True)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "/a/b cannot be read or written: Permission denied. Choose another place"),
        (errno.EROFS, "/a/b cannot be read or written: Read-only file system."),
        (errno.EIO, "/a/b cannot be read or written: Input/output error."),
        (errno.ENOSPC, "the disk is full (/a/b). Free some space."),
        (errno.EFBIG, "/a/b is larger than this process may write (ulimit -f)."),
        (errno.ENOLCK, "the file system has no locks"),
        (errno.ENOENT, "/a/b is gone, with its folder: was that removed in the meantime?"),
    ],
)
def test_a_refused_file_is_named_with_the_reason(number, words):
    assert words in said(OSError(number, os.strerror(number), "/a/b"))
    wrapped = RuntimeError("while training")
    wrapped.__cause__ = OSError(number, os.strerror(number), "/a/b")
    assert words in said(wrapped)


def test_a_missing_file_in_a_folder_that_is_there_is_a_defect(tmp_path):
    assert said(FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "a"))) is None
    assert said(OSError(errno.EINVAL, "Invalid argument", "/a/b")) is None


@pytest.mark.filterwarnings("ignore:flock not supported")
def test_a_file_system_without_locks_still_keeps_two_trainings_apart(tmp_path, monkeypatch):
    def without(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", without)
    with (
        at_work(tmp_path / "run"),
        pytest.raises(ConfigError, match="another process trains"),
        at_work(tmp_path / "run"),
    ):
        pass
    with at_work(tmp_path / "run"):
        pass
