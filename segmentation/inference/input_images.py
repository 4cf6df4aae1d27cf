"""Find the images to predict, and name their masks."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, image_files_below
from segmentation.data.images.image_reader import stem_of
from segmentation.errors import ConfigError, DataError


def name_masks(source: Path, output: Path, bands: Sequence[str] = ()) -> dict[Path, str]:
    """Return the images to predict with the names of their masks, without suffix.

    Args:
        source: an image, or a folder of images and folders.
        output: the folder of the masks.
        bands: the names of the files that hold the bands of an image, see `Channels.files`; the
            first stands for the image.

    Raises:
        ConfigError: a mask would overwrite an image.
        DataError: there are no images, or two would write the same mask.
    """
    images = _find_images(source, output)
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
    masks = {(output / f"{name}.png").resolve() for name in names.values()}
    if clash := masks & {path.resolve() for path in names}:
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    return names


def _mask_name(path: Path, source: Path) -> str:
    """Return the name of an image's mask: in the folders that the image is in."""
    relative = path.relative_to(source) if path != source else Path(path.name)
    return relative.with_suffix("").as_posix()


def _find_images(source: Path, output: Path) -> list[Path]:
    """Return the file itself, or the images of a folder, except those in `output`."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}. Give input=<image or folder of images>.")
    images = sorted(image_files_below(source))
    if output.resolve() != source.resolve():
        images = [path for path in images if not path.resolve().is_relative_to(output.resolve())]
    if not images:
        raise DataError(f"no images in {source} ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    return images
