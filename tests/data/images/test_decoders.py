"""Only the decoders of the formats that are named open a picture, and none decodes a bomb."""

import ast
import struct
import subprocess
import zlib

import pytest
from conftest import ROOT
from PIL import Image

from segmentation.data.files import read_image, read_mask
from segmentation.data.images.image_format import FORMATS, read_format
from segmentation.errors import DataError

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 4 4
%%EndComments
(touched) (w) file closefile
%%EOF
"""


def test_every_picture_is_opened_by_named_decoders():
    calls = [
        (path, node)
        for path in (ROOT / "segmentation").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open"
    ]
    assert len(calls) > 5
    for path, call in calls:
        assert "formats" in [word.arg for word in call.keywords], f"{path}:{call.lineno}"


def write_others(folder):
    """Write pictures of formats that Pillow knows and this project does not name."""
    image = Image.new("RGB", (4, 4))
    for suffix, kind in {"ppm": "PPM", "tga": "TGA", "ico": "ICO", "jp2": "JPEG2000"}.items():
        file = folder / f"{suffix}.png"
        image.save(file, kind)
        yield file


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.eps"])
def test_postscript_starts_no_program(tmp_path, monkeypatch, name):
    def refuse(*words, **_):
        raise AssertionError(f"{words} was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(subprocess, "check_call", refuse)
    (tmp_path / name).write_bytes(EPS)
    for read in (read_image, read_mask, read_format):
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / name)


def test_other_formats_are_refused_whatever_their_name(tmp_path):
    for file in write_others(tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_image(file)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_named_formats_are_read_whatever_their_name(tmp_path, kind):
    Image.new("RGB", (4, 6)).save(tmp_path / "a.png", kind)
    assert read_image(tmp_path / "a.png").shape == (6, 4, 3)


def bomb(width, height):
    """A PNG of a few bytes with the header of a huge one."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, size):
    (tmp_path / "a.png").write_bytes(bomb(*size))
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=r"pixels .*more than data\.max_pixels|cannot be read"):
            read(tmp_path / "a.png")
