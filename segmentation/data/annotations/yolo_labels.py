"""Find the label files of images, as YOLO does by their names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from segmentation.data.annotations.folder import Folder


class LabelFinder:
    """Finds the label file of an image: in labels/ for images/, or beside it.

    Where no file lies like that, as in folders of other names, an image has the only one of its
    name.

    Args:
        folder: the data set.
        files: its label files.
    """

    def __init__(self, folder: Folder, files: Sequence[Path]) -> None:
        self.folder = folder
        self._by_place = {(_lower(path.parent), path.stem): path for path in files}
        self._homes = {home for home, _ in self._by_place}
        self._by_stem: dict[str, list[Path]] = {}
        for path in files:
            self._by_stem.setdefault(path.stem, []).append(path)
        self._apart = not any(self._beside(image) for image in folder.images)

    def _beside(self, image: Path) -> Path | None:
        places = ((_lower(home), image.stem) for home in _label_homes(image))
        return next((self._by_place[place] for place in places if place in self._by_place), None)

    def find(self, image: Path) -> Path | None:
        """Return the label file of an image, or None."""
        if not self._apart:
            return self._beside(image)
        fitting = self._by_stem.get(image.stem, ())
        return fitting[0] if len(fitting) == 1 else None

    def covers(self, image: Path) -> bool:
        """Return whether an image is of the data set: labels lie where its own would."""
        if self._apart:
            return self.find(image) is not None
        return any(_lower(home) in self._homes for home in _label_homes(image))


def _lower(path: Path) -> str:
    return str(path).lower()


def _label_homes(image: Path) -> Iterator[Path]:
    """Yield the folders in which the label file of an image may be."""
    parts = image.parent.parts
    for index in reversed(range(len(parts))):
        if parts[index].lower() in ("images", "imgs", "img", "image"):
            for word in ("labels", "label"):
                yield Path(*parts[:index], word, *parts[index + 1 :])
            break
    yield image.parent
    yield image.parent / "labels"
