"""Tell which annotation format lies in a folder, and convert it to index masks once."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from segmentation.config import user_path
from segmentation.data.annotations import (
    coco,
    cvat,
    hugging_face,
    label_studio,
    labelme,
    supervisely,
    yolo,
)
from segmentation.data.annotations.conversion import (
    TABLE,
    Conversion,
    check_failures,
    convert_once,
)
from segmentation.data.annotations.folder import Folder, is_by_chance, split_in
from segmentation.data.annotations.regions import NoMasksError, count_text
from segmentation.data.annotations.unsupported import name_unsupported
from segmentation.data.annotations.write_masks import write_masks
from segmentation.data.discovery.splits import Splits
from segmentation.errors import ConfigError, DataError, listed

log = logging.getLogger(__name__)

AUTO = "auto"
OFF = ("off", False)  # YAML reads off without quotes as false


@dataclass(frozen=True)
class Format:
    """An annotation format.

    Attributes:
        name: as people know it.
        find: returns the files of the format in a folder.
        convert: writes the masks of a folder's files into another.
    """

    name: str
    find: Callable[[Folder], list[Path]]
    convert: Callable[[Folder, Sequence[Path], Path], Conversion]


def _drawn(module: ModuleType) -> Format:
    """Return the format of a module whose `read` returns `Annotations`."""

    def convert(folder: Folder, paths: Sequence[Path], destination: Path) -> Conversion:
        return write_masks(module.read(folder, paths), folder, destination)

    return Format(module.NAME, module.find, convert)


FORMATS = (
    *map(_drawn, (coco, cvat, supervisely, label_studio, labelme, yolo)),
    Format(hugging_face.NAME, hugging_face.find, hugging_face.convert),
)
"""The formats; where files of several lie in one folder the first that holds masks is taken."""


def find_annotations(
    root: Path, chosen: str | bool | None = AUTO, skip: bool = False
) -> Splits | None:
    """Find annotation files, and return the samples that they were converted to.

    The first call for a set of files converts them, later ones find the masks in the user's cache.

    Args:
        root: the data set's folder.
        chosen: see `annotation_path`.
        skip: images that cannot be converted are left out; else they are an error.

    Returns:
        None if there are no annotations of a known format, or `chosen` is ``off``.

    Raises:
        ConfigError: `chosen` is not there.
        DataError: invalid annotations, or a format that is known and not supported.
    """
    if chosen in OFF:
        return None
    path = annotation_path(root, chosen)
    folder = Folder(root, path)
    recognised = [(form, files) for form in FORMATS if (files := form.find(folder))]
    if not recognised:
        if hint := name_unsupported(folder):
            raise DataError(hint)
        if path is not None:
            names = ", ".join(form.name for form in FORMATS)
            raise DataError(f"{path} holds no annotations of a known format ({names}).")
        return None
    conversion, place, new = convert_once(folder, partial(_convert_first, folder, recognised))
    for note in conversion.notes:
        log.warning("%s", note)
    check_failures(conversion, skip)
    splits = {split: rows for split, rows in conversion.splits.items() if rows}
    if "" in splits and len(splits) > 1:
        log.warning(
            "%s outside of the folders of splits (%s): left out.",
            count_text(len(splits.pop("")), "annotated image"), ", ".join(splits),
        )  # fmt: skip
    (only, *others) = splits or [""]
    if only not in ("", "train") and not others:
        words = folder.names(sample.image for sample in splits[only])
        if is_by_chance(only, words):
            holding = listed(sorted(word for word in words if split_in([word]) == only))
            log.warning("the word for %s in %s is taken for no split: it is the only one.", only,
                        holding)  # fmt: skip
            splits = {"": splits[only]}
    if not splits:
        raise DataError(f"no annotated image in {folder.base} can be used.")
    verb = "turned into masks " if conversion.has_table else ""
    description = f"{conversion.description} {verb}{'in' if new else 'earlier, in'} {place}"
    description = "; ".join([description, *conversion.remarks])
    log.info("%s", description)
    table = place / TABLE if conversion.has_table else None
    return Splits(splits, description, converted=True, table=table)


def is_chosen(chosen: str | bool | None) -> bool:
    """Return whether data.annotations names a file or a folder."""
    return chosen not in (None, AUTO, *OFF)


def annotation_path(root: Path, chosen: str | bool | None) -> Path | None:
    """Return the file or folder that data.annotations names; None for ``auto``.

    Raises:
        ConfigError: it is not there, as typed or below the data set's folder.
    """
    if not is_chosen(chosen):
        return None
    typed = user_path(str(chosen))
    for path in (typed, root / typed):
        if path.exists():
            return path
    raise ConfigError(
        f"data.annotations={chosen}: there is no such file or folder, here or in {root}. Type "
        "auto, off, a file or a folder."
    )


def describe_unused(root: Path, chosen: str | bool | None) -> str:
    """Return in words which annotation files lie beside image masks; empty if none, or ``off``."""
    if chosen in OFF:
        return ""
    folder = Folder(root, few=True)
    found = [
        f"{form.name} ({folder.where(files[0])})"
        for form in FORMATS
        if form.name != hugging_face.NAME and (files := form.find(folder))
    ]
    if not found:
        return ""
    return (
        f"{listed(found)} annotations are not used: image masks come first, unless you pass "
        "data.annotations=<file or folder>"
    )


def _convert_first(
    folder: Folder, recognised: Sequence[tuple[Format, list[Path]]], destination: Path
) -> Conversion:
    """Convert the files of the first format that holds masks."""
    problems: list[str] = []
    for number, (form, files) in enumerate(recognised):
        try:
            conversion = form.convert(folder, files, destination)
        except NoMasksError as error:
            problems.append(str(error))
            continue
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(
                f"the files of {form.name} in {folder.base} ({folder.where(files[0])}, ...) are "
                f"not valid: {type(error).__name__}: {error}. Export them again."
            ) from error
        others = [
            f"{other.name} ({folder.where(paths[0])})" for other, paths in recognised[number + 1 :]
        ]
        if others:
            conversion.notes.append(
                f"annotations of several formats lie in {folder.base}: {form.name} is used, and "
                f"not {listed(others)}. To choose, pass data.annotations=<file or folder>."
            )
        conversion.notes.extend(problems)
        return conversion
    raise DataError(" ".join(problems))
