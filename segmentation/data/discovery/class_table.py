"""Find a data set's class table: typed, brought by the data, or guessed from the masks."""

import contextlib
import hashlib
import json
import logging
from pathlib import Path

from platformdirs import user_cache_path

from segmentation.classes import TABLES, Entry, Table, with_train_ids
from segmentation.config import user_path
from segmentation.data.discovery.splits import Splits
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.data.masks.labels import from_list, read_guess, read_table, to_list, write_table
from segmentation.data.masks.names import find_names
from segmentation.data.masks.proposal import GUESSED, propose_table
from segmentation.data.masks.readings import READINGS, Proposal
from segmentation.errors import ConfigError, SegmentationError, did_you_mean, listed
from segmentation.system.files import file_state, read_json, write_json

log = logging.getLogger(__name__)

TABLE_FILE = "classes.yaml"
VERSION = 1
"""To be raised whenever the same masks and names give another table."""


def check_class_table(classes: str | None) -> None:
    """Check that `data.classes` names a class table, if it is set.

    Raises:
        ConfigError: it is none of the known names, and not a file.
    """
    known = [*TABLES, *READINGS]
    if classes is not None and classes not in known and not user_path(classes).is_file():
        raise ConfigError(
            f"data.classes={classes!r} is neither a table ({', '.join(TABLES)}), nor a reading "
            f"of masks ({', '.join(READINGS)}), nor a file.{did_you_mean(str(classes), known)}"
        )


def find_class_table(
    root: Path,
    splits: Splits,
    classes: str | None,
    fallback: Path | None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Table, str]:
    """Return a data set's class table, and its origin for messages.

    Args:
        root: the data set's folder.
        splits: its samples.
        classes, fallback: see `scan_dataset`.
        max_pixels: of a mask that is read.

    Raises:
        ConfigError, DataError: an unreadable class table, or masks that allow no proposal.
    """
    if classes in TABLES:
        table = TABLES[classes]
        if splits.mask_ending.endswith("labelTrainIds"):
            table = with_train_ids(table)
        return table, f"the table {classes}"
    if classes is not None and classes not in READINGS:
        check_class_table(classes)
        path = user_path(classes)
        return read_table(path), str(path)
    if splits.table is not None and classes is None:
        return read_table(splits.table), f"that of the annotations, {splits.table}"
    root = splits.root or root
    own = root / TABLE_FILE
    if classes is None and own.is_file():
        if guess := read_guess(own):
            log.warning(
                "the class table %s is a guess from %s. Check it, then take its first line out.",
                own, guess,
            )  # fmt: skip
        return read_table(own), str(own)
    proposal = _proposal(root, splits, classes, max_pixels)
    if proposal is None:
        return (Entry("image", (0, 0, 0), 0),), "none, as there are no masks"
    for doubt in proposal.doubts:
        log.warning("%s.", doubt)
    if classes is not None:
        return proposal.table, f"from the masks (data.classes={classes}: {proposal.reason})"
    if not proposal.guess:
        return proposal.table, proposal.reason
    log.warning(
        "the class table is a guess from the masks: %s. Classes: %s.",
        proposal.reason, listed([entry.name for entry in proposal.table if not entry.void], 8),
    )  # fmt: skip
    how = _written(proposal, own, fallback)
    return proposal.table, f"a guess from the masks ({proposal.reason}), {how}"


def _proposal(root: Path, splits: Splits, reading: str | None, max_pixels: int) -> Proposal | None:
    """Return what masks and names give together, counted once; None without masks.

    A table that names or a typed reading give is written nowhere else, and counting the values of
    all masks at every start, by every process, would take longer than all other looking.
    """
    everything = {**splits.unselected, **splits.samples}  # a class may be in one split alone
    masks = [one.mask for rows in everything.values() for one in rows if one.mask is not None]
    if not masks:
        return None
    known = ("voc",) if splits.like_voc else GUESSED
    names = find_names(_folders(root, splits))
    digest = hashlib.sha256(json.dumps([VERSION, reading, known, max_pixels]).encode())
    for path in (*masks, *([names.path] if names else [])):
        digest.update(file_state(path).encode())
    place = user_cache_path("cityseg") / "tables" / f"{digest.hexdigest()[:32]}.json"
    if (kept := _read(place)) is not None:
        return kept
    proposal = propose_table(masks, reading, known, names, max_pixels)
    with contextlib.suppress(OSError):  # where the cache is read-only the next start counts again
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(
            place,
            {
                "table": to_list(proposal.table),
                "reason": proposal.reason,
                "doubts": list(proposal.doubts),
                "guess": proposal.guess,
            },
        )
    return proposal


def _read(place: Path) -> Proposal | None:
    """Return a proposal that was kept; None where there is none, or it is damaged."""
    with contextlib.suppress(SegmentationError, KeyError, TypeError):
        if (values := read_json(place)) is not None:
            return Proposal(
                from_list(values["table"], values["table"], str(place)),
                str(values["reason"]),
                tuple(map(str, values["doubts"])),
                bool(values["guess"]),
            )
    return None


def _folders(root: Path, splits: Splits) -> list[Path]:
    """Return the folders that may hold a file of names: the root, the masks' and those between."""
    folders = {root: None}
    for rows in splits.samples.values():
        for path in rows[0].mask.parents if rows and rows[0].mask else ():
            if root in path.parents:
                folders[path] = None
    return list(folders)


def _written(proposal: Proposal, own: Path, fallback: Path | None) -> str:
    for path in filter(None, (own, fallback and fallback / TABLE_FILE)):
        try:
            write_table(path, proposal.table, proposal.reason)
            return f"written to {path}: edit the names there"
        except OSError:
            continue
    return "not written, as no folder is writable"
