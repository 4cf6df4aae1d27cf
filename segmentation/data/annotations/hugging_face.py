"""Hugging Face's `datasets`: an image folder whose metadata name the masks, or parquet with both.

Formats: https://huggingface.co/docs/datasets/image_dataset and its parquet files, whose columns of
images are structs of bytes and a path.
"""

import contextlib
import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from segmentation.data.annotations.annotation_files import head
from segmentation.data.annotations.conversion import Conversion
from segmentation.data.annotations.folder import Folder, split_in
from segmentation.data.annotations.regions import NoMasksError, count_text
from segmentation.data.discovery.layouts import MASK_SUFFIXES, Sample
from segmentation.data.files import read_text
from segmentation.errors import DataError, listed
from segmentation.system.packages import require_extra

NAME = "Hugging Face"

IMAGES = ("image", "img", "images", "pixel_values", "photo")
MASKS = (
    "mask", "masks", "annotation", "annotations", "label", "labels", "segmentation",
    "segmentation_mask", "semantic_segmentation", "seg_map", "label_map", "ground_truth", "gt",
    "conditioning_image", "target",
)  # fmt: skip
"""Usual names of the columns, the likelier ones first."""
BATCH = 16
SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
}


def find(folder: Folder) -> list[Path]:
    """Return the metadata of an image folder that name masks, or parquet files."""
    metadata = [path for path in folder.files(".csv", ".jsonl") if _is_metadata(path)]
    return metadata or folder.files(".parquet")


def _is_metadata(path: Path) -> bool:
    return path.stem == "metadata" and "file_name" in head(path) and _mask_key(path) is not None


def _mask_key(path: Path) -> str | None:
    """Return the column of the masks' files: any other than `file_name` that names pictures."""
    try:
        first = next(_rows(path, head(path).rpartition("\n")[0] or head(path)), {})
    except DataError:
        return None
    keys = [
        key
        for key, value in first.items()
        if key != "file_name"
        and isinstance(value, str)
        and Path(value).suffix.lower() in MASK_SUFFIXES
    ]

    def rank(key: str) -> int:
        bare = key.lower().removesuffix("_file_name").removesuffix("_path")
        return MASKS.index(bare) if bare in MASKS else len(MASKS)

    return min(keys, key=rank, default=None)


def convert(folder: Folder, paths: Sequence[Path], destination: Path) -> Conversion:
    """Return the images and masks of an image folder, or unpack those of parquet files.

    Raises:
        DataError: an invalid file, or columns of which none holds masks.
        ConfigError: parquet needs pyarrow, which is not installed.
    """
    if paths[0].suffix == ".parquet":
        return _convert_parquet(folder, paths, destination)
    return _convert_folder(folder, paths)


def _convert_folder(folder: Folder, paths: Sequence[Path]) -> Conversion:
    notes: list[str] = []
    samples: dict[tuple[str, str], Sample] = {}
    bases: dict[str, list[str]] = {}
    for path in paths:
        bases.setdefault(folder.split_of(path), []).append(os.path.abspath(path.parent))
    for path in paths:
        split = folder.split_of(path)
        below = os.path.relpath(path.parent, os.path.commonpath(bases[split]))
        rows, missing = list(_rows(path, read_text(path))), []
        key = _mask_key(path)
        for row in rows:
            image = _file(path, row.get("file_name"))
            mask = _file(path, row.get(key) if key else None)
            if image is None or mask is None:
                missing.append(str(row.get("file_name")))
                continue
            name = Path(below, image.relative_to(path.parent)).with_suffix("").as_posix()
            if (other := samples.get((split, name))) is not None:
                raise DataError(
                    f"{folder.where(path)} lists {folder.where(image)} after "
                    f"{folder.where(other.image)}: samples of one name. Remove or rename one."
                )
            samples[split, name] = Sample(name, image, mask)
        folder.note_missing(path, missing, len(rows), notes)
    total = len(samples)
    splits: dict[str, list[Sample]] = {}
    for (split, _), sample in samples.items():
        splits.setdefault(split, []).append(sample)
    description = (
        f"Hugging Face image folder: {count_text(len(paths), 'metadata file')}, "
        f"{count_text(total, 'image')} with masks, listed"
    )
    return Conversion(description, splits, notes, has_table=False)


def _rows(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a metadata file with this text."""
    try:
        if path.suffix == ".csv":
            yield from csv.DictReader(io.StringIO(text, newline=""), strict=True)
            return
        for line in text.splitlines():
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"{path}: expected an object a line, got {line[:60]!r}.")
                yield row
    except (csv.Error, ValueError, RecursionError) as error:
        raise DataError(f"{path} is invalid: {error}.") from error


def _file(metadata: Path, name: Any) -> Path | None:
    """Return a file that metadata name, beside them or in folders below."""
    if not isinstance(name, str) or not name:
        return None
    parts = Path(name.replace("\\", "/")).parts
    if ".." in parts or Path(name).is_absolute():
        return None
    path = metadata.parent.joinpath(*parts)
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        return path if path.is_file() else None
    return None


def _convert_parquet(folder: Folder, paths: Sequence[Path], destination: Path) -> Conversion:
    require_extra("parquet", f"{folder.where(paths[0])}, which is parquet,")
    splits: dict[str, list[Sample]] = {}
    failures: list[str] = []
    columns = ("", "")
    for path in paths:
        split = split_in([re.split(r"-\d", path.stem)[0]]) or folder.split_of(path)
        samples = splits.setdefault(split, [])
        with _reading(path):
            columns = _columns(path)
        for cells in _cells(path, columns):
            number = f"{len(samples) + sum('row' in one for one in failures):06d}"
            written = [
                _unpack(cell, destination / kind / split / number)
                for kind, cell in zip(("images", "masks"), cells, strict=True)
            ]
            if isinstance(written[0], Path) and isinstance(written[1], Path):
                samples.append(Sample(number, written[0], written[1]))
            else:
                failures.append(f"{path}: row {number}: no image or mask")
    total = sum(map(len, splits.values()))
    description = (
        f"Hugging Face parquet: {count_text(len(paths), 'file')}, {count_text(total, 'image')} "
        f"of the columns {columns[0]} and {columns[1]}, unpacked"
    )
    return Conversion(description, splits, failures=failures, has_table=False)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn an error of a parquet file into one that names it."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def _columns(path: Path) -> tuple[str, str]:
    """Return the columns of images and masks: structs with bytes."""
    import pyarrow.parquet as pq
    import pyarrow.types as types

    schema = pq.read_schema(path)
    names = [
        field.name
        for field in schema
        if types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
    ]
    image = next((name for word in IMAGES for name in names if name.lower() == word), None)
    mask = next((name for word in MASKS for name in names if name.lower() == word), None)
    if len(names) == 2:  # the other one of two
        image = image or (names[1 - names.index(mask)] if mask else None)
        mask = mask or (names[1 - names.index(image)] if image else None)
    if image is None or mask is None:
        raise NoMasksError(
            f"{path}: no columns of images and masks (columns: {listed(schema.names)}). Name them "
            "image and annotation, as dataset.rename_column does, and save it again."
        )
    return image, mask


def _cells(path: Path, columns: tuple[str, str]) -> Iterator[tuple[Any, Any]]:
    """Yield the images and masks of a file, some rows in memory at a time."""
    import pyarrow.parquet as pq

    with _reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=list(columns)):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def _unpack(cell: Any, path: Path) -> Path | None:
    """Write the bytes of a cell as they are; None if it holds no picture."""
    data = cell.get("bytes") if isinstance(cell, dict) else None
    if not data:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=tuple(SUFFIXES)) as image:
            suffix = SUFFIXES.get(image.format or "")
    except Exception:  # a damaged picture makes Pillow raise nearly anything
        return None
    if suffix is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(path.name + suffix)
    file.write_bytes(data)
    return file
