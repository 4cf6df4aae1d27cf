"""Cityscapes: instructions for the download, which needs a login, and a check for completeness.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from segmentation.errors import DataError, listed

COUNTS = {"train": 2975, "val": 500, "test": 1525}
"""Images of each split; the labels of test are not public, its mask files are all void."""
PACKAGES = ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip")
IMAGE, MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"


@dataclass(frozen=True)
class CityscapesSplit:
    """The files of a split; images and masks by city and frame (``ulm/ulm_000000_000019``).

    Args:
        split: train, val or test.
        images: the images.
        masks: the labelIds.
        empty: files without a byte.
    """

    split: str
    images: set[str]
    masks: set[str]
    empty: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Messages about missing, unpaired and empty files."""
        problems = []
        if len(self.images) != COUNTS[self.split]:
            problems.append(f"{len(self.images)} images in place of {COUNTS[self.split]}")
        if self.split != "test" and (without := self.images - self.masks):
            problems.append(f"{len(without)} images without a mask ({listed(sorted(without), 3)})")
        if orphans := self.masks - self.images:
            problems.append(f"{len(orphans)} masks without an image ({listed(sorted(orphans), 3)})")
        if self.empty:
            problems.append(f"{len(self.empty)} empty files ({listed(sorted(self.empty), 3)})")
        return problems


def find_splits(root: Path) -> list[CityscapesSplit]:
    """List the files of each split in Cityscapes' own folders; none is opened."""
    return [_find_split(root, split) for split in COUNTS]


def check(root: Path) -> list[str]:
    """Compare the files below `root` with the official packages.

    Returns:
        A line for each split with its number of files.

    Raises:
        DataError: missing, unpaired or empty files.
    """
    found = find_splits(root)
    if not any(split.images or split.masks for split in found):
        raise DataError(f"no Cityscapes in {root}. {_hint(root)}")
    wrong = [f"  {split.split}: {', '.join(split.problems)}" for split in found if split.problems]
    if wrong:
        raise DataError(
            f"Cityscapes in {root} is incomplete:\n" + "\n".join(wrong) + f"\n{_hint(root)}"
        )
    return [
        f"{split.split:5}  {len(split.images)} images, "
        + ("labels not public" if split.split == "test" else f"{len(split.masks)} masks")
        for split in found
    ]


def how_to(root: Path) -> str:
    """Return instructions to download Cityscapes to `root`."""
    folder = shlex.quote(str(root))
    unzip = "\n".join(f"  unzip -n {folder}/{package} -d {folder}" for package in PACKAGES)
    return f"""Cityscapes comes only to those who register and accept its licence:
  https://www.cityscapes-dataset.com/register/
Then download {PACKAGES[0]} (11 GB) and {PACKAGES[1]} (241 MB)
from the site, or with its own tool, which asks for your name and password:
  pip install cityscapesScripts
  mkdir -p {folder}
  csDownload -d {folder} {" ".join(PACKAGES)}
Unpack both in the same folder:
{unzip}
and run the same command again to check the files."""


def _find_split(root: Path, split: str) -> CityscapesSplit:
    empty: list[str] = []

    def names(folder: str, ending: str) -> set[str]:
        below = root / folder / split
        files = [file for file in below.glob(f"*/*{ending}") if not file.name.startswith(".")]
        empty.extend(file.name for file in files if file.stat().st_size == 0)
        return {file.relative_to(below).as_posix().removesuffix(ending) for file in files}

    images, masks = names("leftImg8bit", IMAGE), names("gtFine", MASK)
    return CityscapesSplit(split, images, masks, tuple(empty))


def _hint(root: Path) -> str:
    packed = [name for name in PACKAGES if (root / name).is_file()]
    nested = next((path.parent for path in root.glob("*/leftImg8bit") if path.is_dir()), None)
    if nested:
        return f"It seems to be one folder deeper: --to {shlex.quote(str(nested))}."
    if packed:
        return f"Unpack the packages there: {', '.join(packed)}."
    return "Unpack both packages there (leftImg8bit/ and gtFine/), or pass their folder: --to."
