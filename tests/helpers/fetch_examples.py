"""A miniature of CamVid, its list of checksums, and a patience for tests."""

import hashlib
import random
from pathlib import Path

from segmentation.data.fetch.client import Patience

HASTE = Patience(pause=0.002)
LARGEST = 150_000


def content(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


FILES = {
    **{f"train/{i}.png": content(i, 20_000 * i) for i in range(7)},
    "train/a street.png": content(10, 100_000),
    "trainannot/a street.png": content(11, 3_000),
    "val/Straße #1?.png": content(12, 60_000),
}


def checksums(tmp_path: Path, files: dict[str, bytes]) -> Path:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items()]
    listing = tmp_path / "list.sha256"
    listing.write_text("".join(lines), encoding="utf-8")
    return listing


def below(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
