"""CamVid from one archive that breaks off, and what then comes file by file."""

import io
import tarfile
import zlib
from pathlib import Path

import pytest
from bad_server import BadServer
from fetch_examples import HASTE, LARGEST, below, checksums, content
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data.fetch.archive import members
from segmentation.data.fetch.camvid import fetch
from segmentation.data.fetch.client import DroppedError
from segmentation.data.fetch.download import FEW, RemoteDataset
from segmentation.errors import DataError

MANY = {f"train/{i:03}.png": content(i, 3_000) for i in range(FEW + 20)}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in {"README.md": b"read me", **files}.items():
            folder = "tutorial" if path == "README.md" else "tutorial/CamVid"
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "camvid"


@pytest.fixture
def server():
    with BadServer({**MANY, "all.tar.gz": packed(MANY)}) as running:
        running.chunked = True
        running.ranges = False
        yield running


@pytest.fixture
def source(tmp_path: Path, server: BadServer) -> RemoteDataset:
    archive = f"{server.url}/all.tar.gz"
    return RemoteDataset(checksums(tmp_path, MANY), server.url, LARGEST, archive, "CamVid")


def test_the_archive_is_one_request(root, server, source):
    fetch(root, source, HASTE)
    assert below(root) == MANY
    assert server.asked() == ["all.tar.gz"]


def test_a_broken_archive_keeps_what_came(root, server, source):
    server.faults["all.tar.gz"] = ["drop", "busy"]
    fetch(root, source, HASTE)
    assert below(root) == MANY
    assert server.asked() == ["all.tar.gz"] * 3


@pytest.mark.parametrize("fault", ["drop", "wrong", "refuse"])
def test_what_no_archive_brings_comes_file_by_file(root, server, source, capsys, fault):
    server.faults["all.tar.gz"] = [fault] * 20
    fetch(root, source, HASTE)
    assert below(root) == MANY
    singles = [path for path in server.asked() if path != "all.tar.gz"]
    assert len(singles) == len(set(singles))
    if fault == "drop":
        assert 20 < len(singles) < len(MANY) - 20  # half of it came
    else:
        assert len(singles) == len(MANY)
    assert f"{len(singles)} missing files are fetched one by one" in capsys.readouterr().out


def test_a_few_missing_files_need_no_archive(root, server, source):
    for path in sorted(MANY)[FEW:]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(MANY[path])
    fetch(root, source, HASTE)
    assert sorted(server.asked()) == sorted(MANY)[:FEW]


ARCHIVE = packed(dict(list(MANY.items())[:3]))
WHOLE = list(members(iter([ARCHIVE]), LARGEST))


@given(st.integers(0, len(ARCHIVE)), st.integers(1, 5_000))
def test_an_archive_cut_anywhere_gives_its_first_files(cut, size):
    pieces = (ARCHIVE[:cut][begin : begin + size] for begin in range(0, cut, size))
    found = []
    try:
        for member in members(pieces, LARGEST):
            found.append(member)
        assert found == WHOLE
    except DroppedError:
        assert cut < len(ARCHIVE)
    assert found == WHOLE[: len(found)]
    assert len(WHOLE) == 4


def test_an_archive_without_end_is_cut_off():
    packer = zlib.compressobj(wbits=31)
    header = tarfile.TarInfo("huge")
    header.size = 2**40
    first = packer.compress(header.tobuf())
    pieces = (packer.compress(bytes(2**16)) for _ in range(2**30))

    def endless():
        yield first
        yield from filter(None, pieces)

    with pytest.raises(DataError, match="larger than 5000000 bytes"):
        list(members(endless(), LARGEST, limit=5_000_000))
