"""A folder that fills, beside the one that it becomes once nothing is missing."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from segmentation.data.fetch.checksums import compare, sha256
from segmentation.system.files import PARTIAL, write_atomic


class PartialFolder:
    """The verified files of a download that is not complete.

    Args:
        root: the folder that the download is for; the partial one lies beside it, so that moving
            is renaming.
        checksums: SHA-256 by path of the whole data set.
        needed: the paths that `root` does not have.

    Attributes:
        checksums: as given.
        folder: where the files are kept meanwhile.
        missing: the paths that are still to come.
    """

    def __init__(self, root: Path, checksums: Mapping[str, str], needed: Iterable[str]) -> None:
        self.folder = partial_folder(root)
        self._root = root
        self.checksums = checksums
        self._needed = list(needed)
        for leftover in self.folder.rglob(f"*.*{PARTIAL}"):  # of a process that was killed
            leftover.unlink()
        # What lies there is looked at again: a power cut leaves files that are empty.
        missing, damaged = compare(self.folder, {path: checksums[path] for path in self._needed})
        self.missing = {*missing, *damaged}

    def add(self, path: str, data: bytes) -> bool:
        """Keep a file if it is one that is missing and agrees with its checksum."""
        if path not in self.missing or sha256(data) != self.checksums[path]:
            return False
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, data)
        self.missing.discard(path)
        return True

    def move(self) -> None:
        """Put the files in their place: at once where `root` is not there or empty."""
        if not self._root.exists() or not any(self._root.iterdir()):
            self.folder.rename(self._root)
            return
        for path in self._needed:
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).replace(self._root / path)
        self.clear()

    def clear(self) -> None:
        """Remove what downloads left there, and nothing else."""
        for path in self.checksums:
            (self.folder / path).unlink(missing_ok=True)
        for here, _, _ in os.walk(self.folder, topdown=False):
            if not os.listdir(here):
                os.rmdir(here)


def partial_folder(root: Path) -> Path:
    """Return where the files for `root` are kept until all are there."""
    return root.with_name(f"{root.name}.partial")
