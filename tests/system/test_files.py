"""Files are complete or absent, and invalid ones are refused with a reason."""

import os
import subprocess
import sys

import pytest

from segmentation.errors import ConfigError, DataError
from segmentation.system.files import (
    MAX_JSON_BYTES,
    atomic_file,
    make_folder,
    read_json,
    write_atomic,
    write_json,
)


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_writer_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(TypeError), atomic_file(path) as partial:
        partial.write_text("ne") and partial.write_bytes("w")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


WRITER = """
import sys, time
from pathlib import Path
from segmentation.system.files import atomic_file

with atomic_file(Path(sys.argv[1])) as partial, partial.open("w") as file:
    file.write("new, ")
    file.flush()
    print("half", flush=True)
    time.sleep(60)
"""


def test_a_writer_that_is_killed_halfway_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half\n"
        assert path.read_text() == "old"
        writer.kill()
    assert path.read_text() == "old"
    partial = f"a.txt.{writer.pid}.partial"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", partial]
    write_atomic(path, "another's")
    assert (tmp_path / partial).read_text() == "new, "


def test_two_processes_write_to_different_partial_files(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    with atomic_file(path) as first:
        first.write_text("first, in full")
        monkeypatch.setattr(os, "getpid", lambda: 7)
        with atomic_file(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert first != second
    assert path.read_text() == "first, in full"


@pytest.mark.parametrize("content", ["text, ä", b"\xff\x00"])
def test_text_is_written_as_utf8_and_bytes_unchanged(tmp_path, content):
    write_atomic(tmp_path / "a", content)
    expected = content.encode("utf-8") if isinstance(content, str) else content
    assert (tmp_path / "a").read_bytes() == expected


def test_what_was_written_is_read(tmp_path):
    assert read_json(tmp_path / "none.json") is None
    write_json(tmp_path / "a.json", {"a": [1, None]})
    assert read_json(tmp_path / "a.json") == {"a": [1, None]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting"),
        (b"{", "Expecting"),
        (b"[1]", "not a JSON object"),
        (b"[" * 10**5, "recursion"),
        (b"\xff", "utf-8"),
        (b'{"a": "\\ud800"}', "surrogates"),
        (b"9" * 5000, "digits"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path, content, reason):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"a.json is damaged: .*{reason}.*\. Mend it."):
        read_json(tmp_path / "a.json", "Mend it.")


def test_what_is_too_large_or_not_a_file_is_refused(tmp_path):
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("folder.json", "pipe.json"):
        with pytest.raises(DataError, match="it is not a file"):
            read_json(tmp_path / name)
    (tmp_path / "a.json").write_text('{"a": 1}  ')
    assert read_json(tmp_path / "a.json", most=10) == {"a": 1}
    (tmp_path / "a.json").write_text('{"a": 1}   ')
    with pytest.raises(DataError, match="larger than 10 bytes"):
        read_json(tmp_path / "a.json", most=10)


def test_json_takes_little_memory(tmp_path):
    lists = MAX_JSON_BYTES // len("[],")
    assert lists * (sys.getsizeof([]) + 8) < 100e6
    (tmp_path / "a.json").write_text("[]" * (MAX_JSON_BYTES // 2 + 1))
    with pytest.raises(DataError, match="larger than 4,194,304 bytes"):
        read_json(tmp_path / "a.json")


def test_bytes_are_synced_before_the_file_gets_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "scores.json", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path.exists()))
    write_atomic(path, "{}")
    assert synced == [False]
    assert path.read_text() == "{}"


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none", "/dev/null"])
def test_a_folder_that_cannot_be_made_is_named_with_its_option(place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=f"^output={tmp_path / place} (is not a folder|can't be)"):
        make_folder(tmp_path / place)


def test_a_folder_is_made_with_those_above_it(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
