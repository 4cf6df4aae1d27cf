"""Read annotation files: a look at their ends, their bytes, and JSON as a model of its content."""

from codecs import BOM_UTF8
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from segmentation.data.annotations.regions import MAX_ANNOTATION_BYTES
from segmentation.errors import DataError

Model = TypeVar("Model", bound=BaseModel)

HEAD = 1 << 16
"""Bytes from which the kind of a JSON or XML file is told."""


def head(path: Path) -> str:
    """Return the beginning of a text file, or an empty string if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def tail(path: Path) -> str:
    """Return the end of a text file, or an empty string if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - HEAD))
            return file.read(HEAD).decode("utf-8", errors="replace")
    except OSError:
        return ""


def read_bytes(path: Path) -> bytes:
    """Read an annotation file.

    Raises:
        DataError: it cannot be read, or is larger than `MAX_ANNOTATION_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_ANNOTATION_BYTES:
            raise DataError(
                f"{path} is larger than {MAX_ANNOTATION_BYTES >> 30} GiB, too large for an "
                "annotation file. Divide it into one for each split."
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def parse_json(path: Path, model: type[Model], name: str) -> Model:
    """Read an annotation file as a model of its content.

    Args:
        path: the file.
        model: a model of pydantic.
        name: of the format, for messages.

    Raises:
        DataError: it cannot be read, or is not of that form; the message says where.
    """
    try:
        return model.model_validate_json(read_bytes(path).removeprefix(BOM_UTF8))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in problem["loc"][:4]) or "the JSON"
        raise DataError(
            f"{path} is not a valid file of {name}: {where}: {problem['msg']}. Export it again."
        ) from error
