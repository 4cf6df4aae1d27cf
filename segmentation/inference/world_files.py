"""Carry the files that say where on the earth an image is along with its mask."""

import filecmp
from pathlib import Path

WORLD_SUFFIXES = (".pgw", ".jgw", ".tfw", ".wld", ".pngw", ".jpgw", ".tifw")
"""Endings of the six numbers that map pixels to coordinates, beside an image of the same stem."""
PROJECTION = ".prj"
"""The ending of the coordinates' reference system."""


def world_files(image: Path, mask: Path) -> dict[Path, Path]:
    """Return the files to copy beside a PNG mask, with what each is a copy of.

    Args:
        image: has the files beside it, or none.
        mask: of the image.
    """
    world = next(filter(Path.is_file, map(image.with_suffix, WORLD_SUFFIXES)), None)
    if world is None:
        return {}
    copies = {mask.with_suffix(".pgw"): world}
    if (projection := image.with_suffix(PROJECTION)).is_file():
        copies[mask.with_suffix(PROJECTION)] = projection
    return copies


def differ(target: Path, source: Path) -> bool:
    """Tell whether a file is there and is not a copy of another."""
    try:
        return not filecmp.cmp(target, source, shallow=False)
    except FileNotFoundError:
        return False
