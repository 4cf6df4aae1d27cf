"""Draw the index masks of annotated images."""

import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import MAX_CLASSES, VOID, Color, Entry, generated_color
from segmentation.data.annotations.regions import AnnotatedImage, Annotations, Region, Size
from segmentation.data.annotations.rle import RunLengths
from segmentation.data.files import ORIENTATION
from segmentation.data.images.image_format import NO_LIMIT, opened, read_format
from segmentation.data.masks.names import VOID_NAMES
from segmentation.errors import DataError

BACKGROUND = "background"
BACKGROUND_NAMES = {"background", "_background_", "__background__"}
"""What formats call the class of pixels in no region, in lower case."""

TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by its EXIF orientation; as `PIL.ImageOps.exif_transpose`."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """An index mask.

    Attributes:
        values: `uint8` (H, W); `VOID` is void.
        regions, invisible: the number of regions, and of those without a pixel.
        overlapping: pixels that several labels claim.
    """

    values: np.ndarray
    regions: int
    invisible: int
    overlapping: int


def class_indices(annotations: Annotations) -> tuple[dict[str, int], list[Entry]]:
    """Return the index of each class's name, and the class table.

    The background has index 0, whether the format names it or not; the others 1, 2, ...; classes
    called void, ignore or unlabelled are void, as they are in files of names.

    Raises:
        DataError: too many classes, or one without a name.
    """
    names = list(annotations.classes)
    if "" in names:
        raise DataError(
            f"the {annotations.format} annotations have a class whose name is empty. Name it."
        )
    own = [name for name in names if name.lower() in BACKGROUND_NAMES]
    void = [name for name in names if name.lower() in VOID_NAMES]
    others = [name for name in names if name not in own + void]
    if len(others) + 1 > MAX_CLASSES:
        raise DataError(
            f"the {annotations.format} annotations have {len(others)} classes; index masks have "
            f"room for {MAX_CLASSES - 1} and the background. Remove or merge some."
        )
    indices = dict.fromkeys(own, 0) | {name: index for index, name in enumerate(others, 1)}
    indices |= dict.fromkeys(void, VOID)
    colors = _colors(annotations.classes)
    table = [Entry(own[0] if own else BACKGROUND, (0, 0, 0), 0)]
    table += [Entry(name, colors[name], indices[name]) for name in others]
    table += [Entry(name, (0, 0, 0), VOID, void=True) for name in void[:1]]
    return indices, table


def _colors(classes: Mapping[str, Color | None]) -> dict[str, Color]:
    """Return a colour for each class: its own, or a generated one that no other has."""
    taken = {color for color in classes.values() if color is not None}
    fresh = (color for color in map(generated_color, count()) if color not in taken)
    colors = {name: color or next(fresh) for name, color in classes.items()}
    if len(taken) < sum(color is not None for color in classes.values()):  # some share a colour
        return dict(zip(classes, map(generated_color, count()), strict=False))
    return colors


def void_entry(names: Collection[str]) -> Entry:
    """Return the table's entry for void, under a word that is no class's name."""
    words = chain(VOID_NAMES, (f"void {number}" for number in count(2)))
    return Entry(next(word for word in words if word not in names), (0, 0, 0), VOID, void=True)


def draw_mask(image: AnnotatedImage, indices: Mapping[str, int], smaller_on_top: bool) -> Drawn:
    """Draw the mask of an image, upright as `read_image` returns it.

    Raises:
        DataError: the image's header cannot be read, its size is not the one of the annotations,
            or a region cannot be drawn.
    """
    size, orientation = _drawing_size(image)
    regions = []
    for number, region in enumerate(image.regions):
        try:
            drawn = region.shape.draw(size)
        except (ValueError, OverflowError, OSError) as error:
            raise DataError(
                f"{image.source}: region {number} ({region.label or 'void'}) of "
                f"{image.path.name}: {error}."
            ) from error
        if drawn is not None:
            regions.append((region, drawn))
    values, overlapping = _compose(regions, indices, size, smaller_on_top)
    if orientation in TRANSPOSED:
        values = np.array(Image.fromarray(values).transpose(TRANSPOSED[orientation]))
    return Drawn(values, len(image.regions), len(image.regions) - len(regions), overlapping)


def _compose(
    regions: Sequence[tuple[Region, RunLengths]],
    indices: Mapping[str, int],
    size: Size,
    smaller_on_top: bool,
) -> tuple[np.ndarray, int]:
    """Draw regions over each other; also return how many pixels change their label."""
    order: Iterable[tuple[Region, RunLengths]] = sorted(
        regions,
        key=lambda pair: (pair[0].layer, -pair[1].area if smaller_on_top else 0),
    )
    values = np.zeros(size, dtype=np.uint8)
    claimed = np.zeros(size, dtype=bool)
    overlapping = 0
    for region, drawn in order:
        label = VOID if region.label is None else indices[region.label]
        mask = drawn.decode()
        rows = slice(drawn.top, drawn.top + drawn.height)
        columns = slice(drawn.left, drawn.left + drawn.width)
        window, before = values[rows, columns], claimed[rows, columns]
        overlapping += int((mask & before & (window != label)).sum())
        window[mask] = label
        before |= mask
    return values, overlapping


def _drawing_size(image: AnnotatedImage) -> tuple[Size, int]:
    """Return the size to draw at, and the EXIF orientation that is then to be applied.

    Tools that ignore the tag annotate the image as it is stored, others upright: the size in the
    annotations tells which.
    """
    try:
        with opened(image.path, NO_LIMIT) as file:
            stored, orientation = (file.height, file.width), file.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged file makes Pillow raise nearly anything; GDAL reads more TIFFs
        stored, orientation = read_format(image.path).size, 1
    height, width = stored
    upright = (width, height) if orientation in (5, 6, 7, 8) else stored
    if image.size is None or tuple(image.size) == upright:
        return upright, 1
    if tuple(image.size) == stored:
        return stored, orientation
    raise DataError(
        f"{image.source} has {image.path.name} as {image.size[1]}x{image.size[0]} pixels, the file "
        f"has {upright[1]}x{upright[0]}. Use the images that were annotated, or scale the "
        "annotations with them."
    )


def write_mask(path: Path, values: np.ndarray) -> None:
    """Write an index mask as greyscale PNG, synced, where no file is yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        Image.fromarray(values).save(file, "PNG")
        file.flush()
        os.fsync(file.fileno())


def image_size(path: Path) -> Size:
    """Return the height and width of an image, upright.

    Raises:
        DataError: its header cannot be read.
    """
    return _drawing_size(AnnotatedImage(path, (), None, "", path))[0]


def decode_png(data: bytes, size: Size) -> np.ndarray:
    """Decode a small picture inside an annotation file.

    Args:
        data: the file's bytes.
        size: of the annotated image; the picture is no larger.

    Returns:
        `uint8` (h, w): of pictures with alpha the alpha, of colours the brightest channel.

    Raises:
        ValueError: it cannot be read, or is larger than its image.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.height > size[0] or image.width > size[1]:
                raise ValueError(
                    f"its bitmap is {image.width}x{image.height}, larger than its image of "
                    f"{size[1]}x{size[0]}"
                )
            if image.mode in ("LA", "RGBA", "PA"):
                return np.array(image.getchannel("A"))
            if image.mode == "1":
                return np.array(image).astype(np.uint8)
            if image.mode == "RGB":
                return np.array(image).max(axis=2)
            return np.array(image if image.mode == "P" else image.convert("L"))
    except ValueError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise ValueError(f"its bitmap cannot be read: {error}") from error
