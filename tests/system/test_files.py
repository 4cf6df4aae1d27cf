"""Files of ours are read whole, or refused in words."""

import pytest

from segmentation.system import files
from segmentation.system.files import read_json, write_json


def test_what_was_written_is_read(tmp_path):
    assert read_json(tmp_path / "none.json") is None
    write_json(tmp_path / "a.json", {"a": [1, None]})
    assert read_json(tmp_path / "a.json") == {"a": [1, None]}
    (tmp_path / "list.json").write_text("[1]")
    assert read_json(tmp_path / "list.json") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"{", "Expecting"), (b"[" * 10**5, "recursion"), (b"\xff", "utf-8"), (b"9" * 5000, "digits")],
)
def test_what_is_damaged_is_a_value_error(tmp_path, content, reason):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_json(tmp_path / "a.json")


def test_what_is_too_large_or_no_file_is_a_value_error(tmp_path, monkeypatch):
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ValueError, match="directory"):
        read_json(tmp_path / "folder.json")
    monkeypatch.setattr(files, "MOST_JSON", 10)
    (tmp_path / "a.json").write_text('{"a": 1}  ')
    assert read_json(tmp_path / "a.json") == {"a": 1}
    (tmp_path / "a.json").write_text('{"a": 1}   ')
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        read_json(tmp_path / "a.json")
