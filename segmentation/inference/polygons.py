"""Turn a label mask into polygons with holes, along the edges of its pixels.

Coordinates are x and y in pixels from the top left corner of the image, so that the pixel in row 0
and column 0 spans (0, 0) to (1, 1), as in COCO, LabelMe and CVAT.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.classes import VOID

TOLERANCE = 1.0
"""How far, in pixels, polygons are simplified by default."""


TURNS = np.array([0, 1, 1, 0, 1, 0, 2, 1, 1, 2, 0, 1, 0, 1, 1, 0])
"""How often a border turns at a corner, by which of the four pixels around it are inside."""


@dataclass(frozen=True, eq=False)
class Polygon:
    """A region of one class: pixels that are connected by their sides.

    Attributes:
        label: of the class.
        outline: `float64` (n, 2), x and y; clockwise as seen, and not closed by its first point.
        holes: likewise, counterclockwise.
    """

    label: int
    outline: np.ndarray
    holes: tuple[np.ndarray, ...] = ()

    @property
    def area(self) -> float:
        """The area in pixels, without the holes."""
        return sum(map(signed_area, (self.outline, *self.holes)))

    @property
    def ring(self) -> np.ndarray:
        """The outline with its holes cut in, as one ring, for formats without holes.

        Each hole is joined to the outline where they are nearest, by a line there and back, which
        bounds no area.
        """
        if not self.holes:
            return self.outline
        from scipy.spatial import cKDTree  # takes a tenth of a second, and few need it

        points, places = [self.outline], [np.arange(len(self.outline), dtype=np.float64)]
        tree = cKDTree(self.outline)
        for hole in self.holes:
            distances, nearest = tree.query(hole)
            first = int(distances.argmin())
            there, hole = int(nearest[first]), np.roll(hole, -first, axis=0)
            points += [hole, hole[:1], self.outline[there : there + 1]]
            places.append(np.full(len(hole) + 2, there + 0.5))
        return np.concatenate(points)[np.argsort(np.concatenate(places), kind="stable")]


def polygons(
    mask: np.ndarray, labels: Collection[int] | None = None, tolerance: float = TOLERANCE
) -> list[Polygon]:
    """Return the polygons of a mask, by label and then from top to bottom.

    Outlines and holes are simplified by Douglas and Peucker's algorithm: all of a border is within
    `tolerance` of its simplified line. A point that is farther than `tolerance` from the border of
    its class is therefore inside a polygon of its class, by the even-odd rule, and of no other.
    What would become a line, such as a pole one pixel wide, is left as it is. With 0 the polygons
    are the mask exactly. Rings may touch or, if simplified, cross themselves and each other.

    Args:
        mask: `uint8` (H, W), labels.
        labels: those to return polygons of; None: all but `VOID`.
        tolerance: in pixels, 0 or more.

    Raises:
        ValueError: a negative tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance}: it must be 0 or more.")
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    chosen = set(present) - {VOID} if labels is None else set(present) & set(labels)
    borders = [border for label in sorted(chosen) for border in _borders(mask == label, label)]

    outlines: dict[tuple[int, int], np.ndarray] = {}
    holes: dict[tuple[int, int], list[np.ndarray]] = {}
    simple = simplify([border.ring for border in borders], tolerance)
    for border, ring in zip(borders, simple, strict=True):
        ring = ring if _has_area(ring) else border.ring
        if border.is_outline:
            outlines[border.label, border.component] = ring
        else:
            holes.setdefault((border.label, border.component), []).append(ring[::-1])
    return [
        Polygon(key[0], outline, tuple(holes.get(key, ()))) for key, outline in outlines.items()
    ]


@dataclass(frozen=True, eq=False)
class _Border:
    """A closed border of a component of a class: its outline, or a hole in it."""

    label: int
    component: int
    is_outline: bool
    ring: np.ndarray


def _borders(region: np.ndarray, label: int) -> Iterator[_Border]:
    """Yield the borders of the pixels of one class."""
    pixels = region.view(np.uint8)
    left, top, width, height = cv2.boundingRect(pixels)
    pixels = pixels[top : top + height, left : left + width]
    _, components = cv2.connectedComponents(pixels, connectivity=4)
    for ring in trace(pixels):
        # A ring starts at its top left corner: that of a pixel of the region, or of a hole
        x, y = ring[0].astype(int).tolist()
        is_outline = x < width and y < height and bool(pixels[y, x])
        component = int(components[y, x] if is_outline else components[y - 1, x - 1])
        yield _Border(label, component, is_outline, ring + np.array([left, top]))


def trace(region: np.ndarray) -> list[np.ndarray]:
    """Return the borders of a region: closed rings of the corners where they turn.

    Along a row of corners each odd one is joined to the next, and so along a column. Where pixels
    touch by a corner alone, that is a corner of both.

    Args:
        region: `uint8` (H, W), 0 outside and 1 inside.

    Returns:
        Each `float64` (n, 2), x and y, clockwise from its top left corner; sorted by it.
    """
    padded = np.pad(region, 1)
    # The four pixels around each corner: 1 and 2 above, 4 and 8 below
    around = padded[:-1, :-1] + 2 * padded[:-1, 1:] + 4 * padded[1:, :-1] + 8 * padded[1:, 1:]
    rows, columns = np.nonzero(TURNS.astype(bool)[around])
    kinds = around[rows, columns]
    times = TURNS[kinds]
    kind = np.repeat(kinds, times)
    y, x = np.repeat(rows, times), np.repeat(columns, times)

    # Of a corner that is there twice, the first is joined to the left and the second to the right
    second = np.r_[False, (x[1:] == x[:-1]) & (y[1:] == y[:-1])] if len(x) else x > 0
    down = (kind == 9) & second | (kind == 6) & ~second
    order = np.lexsort((down, y, x))
    vertical = np.empty_like(order)
    vertical[order[::2]], vertical[order[1::2]] = order[1::2], order[::2]

    rings, points, joined = [], np.stack([x, y], axis=1).astype(np.float64), vertical.tolist()
    seen = bytearray(len(joined))
    for start in range(0, len(joined), 2):
        ring, corner = [], start
        while not seen[corner]:
            ring += [corner, corner ^ 1]
            seen[corner] = seen[corner ^ 1] = 1
            corner = joined[corner ^ 1]
        if ring:
            rings.append(points[ring])
    return rings


def simplify(rings: Sequence[np.ndarray], tolerance: float) -> list[np.ndarray]:
    """Simplify closed rings by Douglas and Peucker's algorithm, all of them at once.

    The points that stay are some of the ring's own. All of a ring is within the tolerance of the
    line between those that stay, and all of the line of the ring.

    Source: D. H. Douglas and T. K. Peucker, "Algorithms for the reduction of the number of points
    required to represent a digitized line or its caricature", Cartographica 10 (1973).

    Args:
        rings: each (n, 2), not closed by its first point.
        tolerance: largest distance.

    Returns:
        For each its points, with the first; fewer than three where it is no larger.
    """
    if tolerance == 0 or not rings:
        return list(rings)
    points = np.concatenate([part for ring in rings for part in (ring, ring[:1])])
    ends = np.cumsum([len(ring) + 1 for ring in rings])
    keep = np.zeros(len(points), bool)
    keep[ends - 1] = keep[np.r_[0, ends[:-1]]] = True
    while True:
        kept = np.flatnonzero(keep)
        part = np.cumsum(keep) - 1
        distances = _squared_distances(points, kept, part)
        worst = np.maximum.reduceat(distances, kept)
        far = np.flatnonzero((distances == worst[part]) & (distances > tolerance**2))
        if not len(far):
            break
        keep[far[np.unique(part[far], return_index=True)[1]]] = True
    keep[ends - 1] = False
    return [
        points[end - len(ring) - 1 : end][keep[end - len(ring) - 1 : end]]
        for ring, end in zip(rings, ends.tolist(), strict=True)
    ]


def _squared_distances(points: np.ndarray, kept: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return the squared distance of each point from the line between the kept ones around it."""
    first = points[kept[part]]
    line = points[np.r_[kept, kept[-1]][part + 1]] - first
    offset = points - first
    length = np.maximum((line**2).sum(axis=1), 1e-12)  # 0 where a ring meets its first point
    along = np.clip((offset * line).sum(axis=1) / length, 0, 1)
    return ((offset - along[:, None] * line) ** 2).sum(axis=1)


def _has_area(ring: np.ndarray) -> bool:
    """Tell whether a ring is more than a line."""
    x, y = (ring - ring[0]).T
    return len(ring) > 2 and bool((x * y[1] != y * x[1]).any())


def signed_area(ring: np.ndarray) -> float:
    """Return the area of a ring, negative if it is counterclockwise where y points down."""
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
