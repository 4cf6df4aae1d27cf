"""Find the images and videos to predict, and name what is written for them."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from segmentation.config import user_path
from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, image_files_below
from segmentation.data.files import read_text
from segmentation.data.images.image_reader import stem_of
from segmentation.errors import ConfigError, DataError
from segmentation.inference.marks import mark_of
from segmentation.inference.video import VIDEO_SUFFIXES

KINDS = "a file, a folder, a pattern in quotation marks, a list.txt, or camera"


def is_video(path: Path) -> bool:
    """Tell by its name whether a file is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def name_masks(
    source: str | Path,
    output: Path,
    bands: Sequence[str] = (),
    problems: list[str] | None = None,
) -> dict[Path, str]:
    """Return the images and videos to predict, and the names of what is written for them.

    A name has no suffix; it has the folders that the file is in, below the one that is common to
    all.

    Args:
        source: an image or a video; a folder of images and folders; a pattern of names, such as
            ``frames/**/*.png``; or a text file that names an image or a video on each line, from
            its own folder on, where lines that begin with # are comments.
        output: the folder of the masks.
        bands: the names of the files that hold the bands of an image, see `Channels.files`; the
            first stands for the image.
        problems: what cannot be read of the folder is added to it; None: that is an error.

    Raises:
        ConfigError: a mask would overwrite an image.
        DataError: there are no images, or two would write the same mask.
    """
    files, base = _find_files(source, output, problems)
    names = {path: _name(path, base) for path in files}
    if bands:
        stems = {path: stem_of(path.name, bands[0]) for path in files if not is_video(path)}
        names = {
            path: Path(names[path]).with_name(stem).as_posix()
            for path, stem in stems.items()
            if stem
        }
        if not names:
            raise DataError(
                f"no image in {source} is named like {bands[0]}: the model takes its bands from "
                f"{', '.join(bands)}."
            )
    targets = {
        path: f"{name}{'.mp4' if is_video(path) else '.png'}" for path, name in names.items()
    }
    repeated = [target for target, count in Counter(targets.values()).items() if count > 1]
    if repeated:
        raise DataError(
            f"{source} has several images named {repeated[0][:-4]}: their masks would overwrite "
            "each other."
        )
    masks = {os.path.realpath(output / target) for target in targets.values()}
    if clash := masks & set(map(os.path.realpath, names)):
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    return names


def _name(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).with_suffix("").as_posix()


def _find_files(
    source: str | Path, output: Path, problems: list[str] | None
) -> tuple[list[Path], Path]:
    """Return the files, and the folder below which their names begin."""
    path = user_path(source)
    if path.is_file():
        files = _listed(path) if path.suffix.lower() == ".txt" else [path]
    elif path.is_dir():
        return _in_folder(path, output, problems), path
    elif path.exists():
        raise DataError(f"{path} is neither a file nor a folder. For a camera, type input=camera.")
    elif glob.has_magic(str(path)):
        files = _matching(path)
    else:
        raise DataError(f"no file or folder {path}. Give input=<{KINDS}>.")
    return files, Path(os.path.commonpath([path.absolute().parent for path in files]))


def _in_folder(folder: Path, output: Path, problems: list[str] | None) -> list[Path]:
    """Return the images of a folder, except those in `output`.

    Where both are one folder, the masks of earlier predictions are excepted.
    """
    images = sorted(
        image_files_below(folder)
        if problems is None
        else image_files_below(folder, on_problem=lambda error: problems.append(str(error)))
    )
    there = Path(os.path.realpath(output))
    if there == Path(os.path.realpath(folder)):
        images = [path for path in images if mark_of(path) is None]
    else:
        images = [path for path in images if not Path(os.path.realpath(path)).is_relative_to(there)]
    if not images:
        videos = any(map(is_video, folder.iterdir()))
        raise DataError(
            f"no images in {folder} ({', '.join(sorted(IMAGE_SUFFIXES))})."
            + (f" For its videos, type input='{folder}/*.*'" if videos else "")
        )
    return images


def _matching(pattern: Path) -> list[Path]:
    """Return the images and videos that match a pattern."""
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    names = sorted(glob.glob(str(pattern), recursive=True))
    matching = [Path(name) for name in names if Path(name).suffix.lower() in known]
    files = [path for path in matching if mark_of(path) is None]
    if not files:
        other = f", but {len(names)} other files do" if names else ""
        raise DataError(f"no image or video matches {pattern}{other}.")
    return files


def _listed(listing: Path) -> list[Path]:
    """Return the files that a list names, each once."""
    lines = map(str.strip, read_text(listing).splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise DataError(f"{listing} names no file: expected the path of an image on each line.")
    return list(dict.fromkeys(listing.parent / user_path(name) for name in names))
