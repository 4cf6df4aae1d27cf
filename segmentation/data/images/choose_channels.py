"""Choose the channels of a data set's images: as typed, or what the files have."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segmentation.data.images.channels import MOST, RGB, Channels
from segmentation.data.images.image_format import ImageFormat, read_format
from segmentation.data.images.image_reader import STEM, ImageReader, joined
from segmentation.errors import ConfigError, DataError, did_you_mean
from segmentation.system.hardware import available_cores

log = logging.getLogger(__name__)

AUTO = "auto"
LOOKED_AT = 64
"""Images whose headers decide; every image is compared with them when it is read."""

Option = str | int | Sequence[int | str]


def parse_files(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the files that hold the bands of one image.

    Args:
        given: names with ``{stem}``, separated by commas or as a list; None: one file holds all.

    Raises:
        ConfigError: a name without ``{stem}``, or only one name.
    """
    if not given:
        return ()
    names = given.split(",") if isinstance(given, str) else list(given)
    names = [str(name).strip() for name in names]
    bad = [name for name in names if name.count(STEM) != 1 or "/" in name or "\\" in name]
    if bad or len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(
            f"data.bands={given!r}: expected the names of two or more files in one folder, each "
            'with {stem}, such as "{stem}_B04.tif,{stem}_B08.tif".'
        )
    return tuple(names)


def choose_channels(
    option: Option, images: Sequence[Path], files: tuple[str, ...] = ()
) -> Channels:
    """Return the channels of a data set's images.

    ``auto`` gives RGB for 8-bit photos, greyscale ones too, and for others all bands of the file
    but an alpha channel. Where files differ, most of them decide; the others are refused when they
    are read.

    Args:
        option: ``"auto"``; ``"rgb"``; a count: all bands, which have to be so many; or a list of
            band numbers, from 1 as GDAL counts, or of names of bands.
        images: the images; of several files that hold the bands of one, the first.
        files: see `Channels`.

    Raises:
        ConfigError: an invalid option.
        DataError: the files do not have these bands.
    """
    numbers, names = _check_option(option)
    if option == "rgb" and not files:
        return RGB
    step = max(1, len(images) // LOOKED_AT)
    found = _formats(images[::step][:LOOKED_AT], files)
    if not found:
        return RGB  # none can be read, which the scan tells of each
    kinds = Counter((kind.photo, kind.bands, kind.dtype) for kind in found.values())
    usual = _usual(kinds)
    path, kind = next(
        (path, kind) for path, kind in found.items()
        if (kind.photo, kind.bands, kind.dtype) == usual
    )  # fmt: skip
    if isinstance(option, int) and option != 3 and option != kind.bands:
        raise DataError(
            f"data.channels={option}: {path} holds {kind}. Name the bands to take, counted from "
            f"1: data.channels=[{','.join(str(n) for n in range(1, min(option, kind.bands) + 1))}]"
        )
    if isinstance(option, int) and option == 3 and not kind.photo and kind.bands != 3:
        raise DataError(
            f"data.channels=3: {path} holds {kind}. Name the three to take: data.channels=[1,2,3]"
        )
    if kind.photo and not files and (option == AUTO or option == 3):
        if len(kinds) > 1 and not all(photo for photo, _, _ in kinds):
            log.warning("most images are 8-bit RGB, but not all: %s", _counted(kinds))
        return RGB
    return _chosen(option, numbers, names, path, kind, files)


def _usual(kinds: Counter[tuple[bool, int, str]]) -> tuple[bool, int, str]:
    """Return the most frequent kind of file; photos count as one kind."""
    if all((bands, dtype) == (3, "uint8") for _, bands, dtype in kinds):
        return min(kinds)  # some have NoData: those that do not are read alike
    photos = sum(count for kind, count in kinds.items() if kind[0])
    others = Counter({kind: count for kind, count in kinds.items() if not kind[0]})
    if others and others.most_common(1)[0][1] > photos:
        return others.most_common(1)[0][0]
    return Counter({kind: count for kind, count in kinds.items() if kind[0]}).most_common(1)[0][0]


def _counted(kinds: Counter[tuple[bool, int, str]]) -> str:
    return ", ".join(f"{count} of {bands} bands of {dtype}" for (_, bands, dtype), count
                     in kinds.most_common())  # fmt: skip


def _chosen(
    option: Option,
    numbers: Sequence[int],
    names: Sequence[str],
    path: Path,
    kind: ImageFormat,
    files: tuple[str, ...],
) -> Channels:
    if names:
        known = [name.lower() for name in kind.names]
        for name in names:
            if name.lower() not in known:
                listed = ", ".join(filter(None, kind.names)) or "no names"
                raise DataError(
                    f"data.channels: {path} has no band {name!r} (it has {listed}, and "
                    f"{kind.bands} bands).{did_you_mean(name, kind.names)}"
                )
        numbers = [known.index(name.lower()) + 1 for name in names]
    listed_all = not numbers
    if listed_all:
        numbers = range(1, kind.bands + 1)
        if option == AUTO:
            numbers = [n for n in numbers if kind.names[n - 1] != "alpha"]
    if max(numbers) > kind.bands:
        raise DataError(
            f"data.channels={list(numbers)}: {path} has {kind.bands} bands, counted from 1."
        )
    if len(numbers) > MOST:
        raise DataError(
            f"{path} holds {kind}: at most {MOST} can be read. Type data.channels=[...]"
        )
    return Channels(
        bands=tuple(numbers),
        names=tuple(names) or tuple(kind.names[number - 1] for number in numbers),
        dtype=kind.dtype,
        total=kind.bands if listed_all else None,
        by_name=bool(names),
        files=files,
    )


def _check_option(option: Option) -> tuple[list[int], list[str]]:
    """Return the numbers or the names of an option; two empty lists if it is neither.

    Raises:
        ConfigError: it is not valid.
    """
    wrong = ConfigError(
        f"data.channels={option!r}: expected auto, rgb, a number of bands, or a list of different "
        "band numbers (from 1) or names, such as [4,3,2] or [nir,red]."
    )
    if isinstance(option, str):
        if option not in (AUTO, "rgb"):
            raise wrong
        return [], []
    if isinstance(option, int):
        if isinstance(option, bool) or not 1 <= option <= MOST:
            raise wrong
        return [], []
    if not isinstance(option, Sequence) or not option or len(set(option)) < len(option):
        raise wrong
    if all(type(item) is int and 1 <= item <= MOST for item in option):
        return [int(item) for item in option], []
    if all(isinstance(item, str) and item for item in option):
        return [], [str(item) for item in option]
    raise wrong


def _formats(images: Sequence[Path], files: tuple[str, ...]) -> dict[Path, ImageFormat]:
    """Return the formats of the images whose headers can be read.

    Raises:
        DataError: none can; the reason of the first.
    """
    reader = ImageReader(Channels((1,), ("",), files=files))

    def look(path: Path) -> ImageFormat | DataError:
        try:
            parts = reader.files_of(path)
            return joined(parts, [read_format(part) for part in parts], files)
        except DataError as error:
            return error

    with ThreadPoolExecutor(available_cores()) as pool:
        looked = dict(zip(images, pool.map(look, images), strict=True))
    errors = [str(kind) for kind in looked.values() if isinstance(kind, DataError)]
    needing = [error for error in errors if re.search(r"cityseg\[geo\]", error)]
    if needing:
        raise DataError(needing[0])
    return {path: kind for path, kind in looked.items() if isinstance(kind, ImageFormat)}
