"""What a comparison says: numbers, and words for them."""

from dataclasses import dataclass, field
from pathlib import Path

from segmentation.evaluation.statistics.intervals import ALPHA, Estimate, Interval
from segmentation.runs.scored_images import ScoredImages

NOT_DISTINGUISHABLE = "Not distinguishable on this test set"


@dataclass(frozen=True)
class Difference:
    """How much one entry scores above another on the same images.

    Attributes:
        first, second: the entries; values are first minus second.
        miou: the difference of mIoU with its own, uncorrected interval.
        p: two-sided, inverts the interval.
        p_holm: corrected for all pairs of entries.
        classes: the difference of IoU by class.
        classes_p_holm: corrected for all pairs of entries and all classes.
    """

    first: str
    second: str
    miou: Estimate
    p: float
    p_holm: float
    classes: dict[str, Estimate]
    classes_p_holm: dict[str, float]

    @property
    def distinguishable(self) -> bool:
        """Whether the difference of mIoU is more than chance, after correction."""
        return self.p_holm <= ALPHA

    @property
    def verdict(self) -> str:
        """What can be said of `first` against `second`, in words; p is the corrected one."""
        p = f"p = {self.p_holm:.2g}"
        if not self.distinguishable:
            return f"{NOT_DISTINGUISHABLE} from {self.second} ({p})"
        value, ends = self.miou.value, self.miou.interval
        side, by = "better", ends
        if value < 0:
            side, by = "worse", Interval(-ends.high, -ends.low)
        return f"{side} than {self.second} by {100 * abs(value):.1f} points {by.points()}, {p}"


@dataclass(frozen=True)
class EntryScores:
    """One line of a comparison: a model with all its seeds.

    Attributes:
        seeds: how many runs it has.
        miou: their mean; the interval covers seeds and images, or images alone with one seed.
        deviation: of the seeds' mIoU (n - 1), NaN with one seed.
        classes: the IoU of each class by name, likewise.
    """

    name: str
    seeds: int
    miou: Estimate
    deviation: float
    classes: dict[str, Estimate]


@dataclass(frozen=True)
class Winner:
    """Who is best in a class.

    Attributes:
        best: the highest IoU; None where the class does not occur.
        rivals: the entries that this test set cannot tell from it.
    """

    best: str | None
    rivals: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Entries by falling mIoU, and what can be said of their differences.

    Attributes:
        pairs: every entry against every better one, by (name, name of the better one).
        winners: by class.
        resampling: how intervals were made, in words.
        notes: what a reader must know.
    """

    entries: tuple[EntryScores, ...]
    pairs: dict[tuple[str, str], Difference] = field(repr=False)
    winners: dict[str, Winner]
    resampling: str
    notes: tuple[str, ...]

    @property
    def to_best(self) -> dict[str, Difference]:
        """Each other entry against the best."""
        best, *others = (entry.name for entry in self.entries)
        return {name: self.pairs[name, best] for name in others}


@dataclass(frozen=True)
class Cost:
    """What a model costs; None where it is not known.

    Attributes:
        parameters: learnable values.
        flops: of one image of `size`, a multiplication and an addition counted as two.
        latency_ms: median time of one image, in milliseconds.
        images_per_second: in batches.
        training_seconds: mean over the seeds.
        size: (height, width) in pixels of the images it was measured on.
        device: it was measured on, in words.
    """

    parameters: int | None = None
    flops: int | None = None
    latency_ms: float | None = None
    images_per_second: float | None = None
    training_seconds: float | None = None
    size: tuple[int, int] | None = None
    device: str | None = None


@dataclass(frozen=True, eq=False)
class Contender:
    """One line of a comparison.

    Attributes:
        name: what tells it from the others, such as ``resnet34``.
        evaluations: one for each seed.
        runs: the run directory of each scoring, None where there is none (a model directory).
        cost: of one of its models; all have the same.
    """

    name: str
    evaluations: tuple[ScoredImages, ...]
    runs: tuple[Path | None, ...]
    cost: Cost
