"""Find the images to predict, and name their masks."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, image_files_below
from segmentation.data.images.image_reader import stem_of
from segmentation.errors import ConfigError, DataError
from segmentation.inference.marks import mark_of


def name_masks(
    source: Path, output: Path, bands: Sequence[str] = (), problems: list[str] | None = None
) -> dict[Path, str]:
    """Return the images to predict with the names of their masks, without suffix.

    Args:
        source: an image, or a folder of images and folders.
        output: the folder of the masks.
        bands: the names of the files that hold the bands of an image, see `Channels.files`; the
            first stands for the image.
        problems: what cannot be read of the folder is added to it; None: that is an error.

    Raises:
        ConfigError: a mask would overwrite an image.
        DataError: there are no images, or two would write the same mask.
    """
    images = _find_images(source, output, problems)
    names = {path: _mask_name(path, source) for path in images}
    if bands:
        stems = {path: stem_of(path.name, bands[0]) for path in images}
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
    repeated = [name for name, count in Counter(names.values()).items() if count > 1]
    if repeated:
        raise DataError(
            f"{source} has several images named {repeated[0]}: their masks would overwrite each "
            "other."
        )
    masks = {os.path.realpath(output / f"{name}.png") for name in names.values()}
    if clash := masks & set(map(os.path.realpath, names)):
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    return names


def _mask_name(path: Path, source: Path) -> str:
    """Return the name of an image's mask: in the folders that the image is in."""
    relative = path.relative_to(source) if path != source else Path(path.name)
    return relative.with_suffix("").as_posix()


def _find_images(source: Path, output: Path, problems: list[str] | None) -> list[Path]:
    """Return the file itself, or the images of a folder, except those in `output`.

    Where both are one folder, the masks of earlier predictions are excepted.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}. Give input=<image or folder of images>.")
    images = sorted(
        image_files_below(source)
        if problems is None
        else image_files_below(source, on_problem=lambda error: problems.append(str(error)))
    )
    there = Path(os.path.realpath(output))
    if there == Path(os.path.realpath(source)):
        images = [path for path in images if mark_of(path) is None]
    else:
        images = [path for path in images if not Path(os.path.realpath(path)).is_relative_to(there)]
    if not images:
        raise DataError(f"no images in {source} ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    return images
