"""The check of a data set before training, from one look at its files (see `Scan`)."""

import logging
from collections.abc import Sequence

from segmentation.data.check import balance, camvid, content, leaks, video
from segmentation.data.check.finding import LEVELS, TITLES, Finding, readable
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import DataError

log = logging.getLogger(__name__)


def check_dataset(
    source: ScannedDataset,
    skip: bool = False,
    said: Sequence[str] = (),
    more: Sequence[Finding] = (),
    segmentation: bool = True,
) -> list[Finding]:
    """Return everything worth knowing about a data set, errors first.

    Args:
        source: the data set, with its bad files.
        skip: the user has said that what cannot be used is to be left out (data.on_error=skip).
        said: what was warned of while the files were found.
        more: what was found elsewhere.
        segmentation: masks are learnt; else what they lack does not matter.
    """
    good = readable(source)
    found = [Finding("warning", "looking", message) for message in said]
    found += [*more, *content.unpaired(source, skip), *content.unusable(source, skip)]
    if good.scans:
        found += [
            *content.blank(good),
            *content.sizes(good),
            *leaks.duplicates(good),
            *leaks.look_alikes(good),
            *leaks.groups_in_two_splits(good),
            *camvid.other_split(good),
            *video.shared_videos(good),
        ]
    if good.scans and segmentation:
        found += [
            *content.unlabelled(good),
            *content.one_class(good),
            *leaks.shared_masks(good),
            *balance.absent(good),
            *balance.rare(good),
            *balance.shift(good),
        ]
    kinds = list(TITLES)
    return sorted(found, key=lambda one: (LEVELS.index(one.level), kinds.index(one.kind)))


def quick_check(source: ScannedDataset, segmentation: bool = True) -> list[Finding]:
    """Warn, at the start of a training, of what makes its score doubtful.

    That is images or videos that two splits share, and classes that a split lacks. Files that
    cannot be used have been dealt with (`select_usable`). A leak does not stop a training: public
    benchmarks have them, and their scores must stay comparable.

    Args:
        source: the data set.
        segmentation: masks are learnt; else what they lack does not matter.

    Raises:
        DataError: train has no labelled pixel.
    """
    if segmentation and not source.scans["train"].pixels.any():
        raise DataError(next(content.unlabelled(source)).message)
    found = [
        *(one for one in leaks.duplicates(source) if one.kind == "in-two-splits"),
        *leaks.look_alikes(source),
        *leaks.groups_in_two_splits(source),
        *camvid.other_split(source),
        *video.shared_videos(source),
        *(balance.absent(source) if segmentation else ()),
    ]
    for one in found:
        if one.level != "note":
            log.warning("%s", one.message)
    return found
