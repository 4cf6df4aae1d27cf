"""The folder of an incomplete download, renamed to its final name when complete."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from segmentation.data.fetch.checksums import compare, sha256
from segmentation.system.files import PARTIAL, write_atomic


class PartialFolder:
    """The verified files of an incomplete download.

    Args:
        root: the final folder; the partial one is beside it, so that moving is renaming.
        checksums: SHA-256 by path of the whole data set.
        needed: the paths that `root` lacks.

    Attributes:
        checksums: as given.
        folder: the partial folder.
        missing: the paths not yet downloaded.
    """

    def __init__(self, root: Path, checksums: Mapping[str, str], needed: Iterable[str]) -> None:
        self.folder = partial_folder(root)
        self._root = root
        self.checksums = checksums
        self._needed = list(needed)
        for leftover in self.folder.rglob(f"*.*{PARTIAL}"):  # of a process that was killed
            leftover.unlink()
        # Files of an earlier start are verified again: a power cut leaves empty files.
        missing, damaged = compare(self.folder, {path: checksums[path] for path in self._needed})
        self.missing = {*missing, *damaged}

    def add(self, path: str, data: bytes) -> bool:
        """Write a missing file if its checksum is right, and return whether it was written."""
        if path not in self.missing or sha256(data) != self.checksums[path]:
            return False
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, data)
        self.missing.discard(path)
        return True

    def move(self) -> None:
        """Move the files to `root`: by one rename if `root` is missing or empty."""
        if not self._root.exists() or not any(self._root.iterdir()):
            self.folder.rename(self._root)
            return
        for path in self._needed:
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).replace(self._root / path)
        self.clear()

    def clear(self) -> None:
        """Remove the downloaded files and empty folders, and nothing else."""
        for path in self.checksums:
            (self.folder / path).unlink(missing_ok=True)
        for here, _, _ in os.walk(self.folder, topdown=False):
            if not os.listdir(here):
                os.rmdir(here)


def partial_folder(root: Path) -> Path:
    """Return the partial folder of `root`."""
    return root.with_name(f"{root.name}.partial")
