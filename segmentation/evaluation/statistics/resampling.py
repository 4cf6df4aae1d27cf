"""Resamples of a test set: images drawn one by one, or in blocks of neighbouring frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

COUNTS_AT_ONCE = 2**20
"""Counts held in memory at once: 8 MB."""
FEW_IMAGES = 10
FEW_BLOCKS = 15
FEW_SEQUENCES = 5


@dataclass(frozen=True, eq=False)
class Resampling:
    """A plan for resampling n images; equal plans give equal draws.

    The units drawn are images, or blocks of neighbouring frames.

    Attributes:
        order: (n,) positions of the images, sequence after sequence, in temporal order.
        starts, stops: (units,) unit u holds the images ``order[starts[u]:stops[u]]``.
        probability: (units,) of drawing each unit; sums to 1.
        drawn: number of units in a resample, about n images.
        independent: effective number of independent units.
        length: images in a block; 1 if images are drawn.
        sequences: number of sequences; 0 if images are drawn.
        resamples: number of resamples.
        seed: of the draws.
        notes: caveats for readers of the intervals.
    """

    order: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    probability: np.ndarray
    drawn: int
    independent: float
    length: int
    sequences: int
    resamples: int
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def by(self) -> Literal["image", "block"]:
        """The kind of unit that is drawn."""
        return "block" if self.sequences else "image"

    def describe(self) -> str:
        """Describe the resampling, for reports."""
        how = f"{self.resamples:,} bootstrap resamples of {len(self.order)} images"
        if self.by == "image":
            return f"{how}, drawn one by one (Efron 1979)"
        return (
            f"{how}, drawn in moving blocks of {self.length} neighbouring frames (Künsch 1989; "
            f"length: Politis and White 2004) from {_count(self.sequences, 'sequence')}"
        )

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum values of images (n, ...) over each unit; (units, ...)."""
        ordered = values[self.order]
        if self.by == "image":
            return ordered
        total = np.concatenate([np.zeros_like(ordered[:1]), np.cumsum(ordered, axis=0)])
        return total[self.stops] - total[self.starts]

    def counts(self) -> Iterator[np.ndarray]:
        """Yield how often each resample draws each unit, in chunks `int64` (resamples, units)."""
        random = np.random.default_rng(self.seed)
        edges, units = np.cumsum(self.probability)[:-1], len(self.starts)
        rows = max(1, COUNTS_AT_ONCE // max(units, self.drawn))
        for first in range(0, self.resamples, rows):
            here = min(rows, self.resamples - first)
            unit = np.searchsorted(edges, random.random((here, self.drawn)), side="right")
            cells = unit + units * np.arange(here)[:, None]
            yield np.bincount(cells.ravel(), minlength=here * units).reshape(here, units)


def by_image(images: int, resamples: int = 10_000, seed: int = 0) -> Resampling:
    """Draw independent images one by one, with replacement (Efron 1979)."""
    places = np.arange(images)
    return Resampling(
        places, places, places + 1, np.full(images, 1 / images), images, float(images),
        length=1, sequences=0, resamples=resamples, seed=seed, notes=_few(images),
    )  # fmt: skip


def by_block(
    sequences: Sequence[np.ndarray], length: int, resamples: int = 10_000, seed: int = 0
) -> Resampling:
    """Draw moving blocks of neighbouring frames within sequences (Künsch 1989).

    Any `length` neighbours in a sequence are a block; a shorter sequence is one block. A sequence
    is drawn from in proportion to the blocks that fit into it side by side, so it has its share of
    the images on average. With sequences of one image this is `by_image`, with short sequences a
    bootstrap of whole sequences.

    Frames near the ends of a sequence are in fewer blocks, which `bootstrap.sample` corrects.

    Args:
        sequences: positions of the images of each sequence, in temporal order.
        length: images in a block, at least 1.
        resamples, seed: as in `Resampling`.
    """
    starts, stops, weights = [], [], []
    first = 0
    for size in map(len, sequences):
        block = min(length, size)
        begin = first + np.arange(size - block + 1)
        starts.append(begin)
        stops.append(begin + block)
        weights.append(np.full(len(begin), size / block / len(begin)))
        first += size
    weight = np.concatenate(weights)
    fitting = float(weight.sum())
    return Resampling(
        np.concatenate(sequences), np.concatenate(starts), np.concatenate(stops), weight / fitting,
        max(1, round(fitting)), fitting, length=length, sequences=len(sequences),
        resamples=resamples, seed=seed, notes=_notes(first, len(sequences), fitting),
    )  # fmt: skip


def _notes(images: int, sequences: int, blocks: float) -> tuple[str, ...]:
    """Return caveats for few sequences and few blocks."""
    notes = [*_few(images)]
    if sequences < FEW_SEQUENCES:
        notes.append(
            f"All {images} images come from {_count(sequences, 'sequence')}: the intervals cover "
            "other moments of the same scenes, not other scenes."
        )
    if blocks < FEW_BLOCKS:
        notes.append(
            f"The images are worth only {blocks:.1f} independent blocks: intervals are wide, and "
            "still cover the true score less often than stated."
        )
    return tuple(notes)


def _few(images: int) -> tuple[str, ...]:
    """Return a caveat for few images."""
    if images >= FEW_IMAGES:
        return ()
    return (
        f"There {'is' if images == 1 else 'are'} only {_count(images, 'image')}: no interval from "
        f"fewer than {FEW_IMAGES} is worth trusting.",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
