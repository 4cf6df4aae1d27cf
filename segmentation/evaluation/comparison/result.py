"""What a comparison says: numbers, and words for them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from segmentation.evaluation.comparison.effect import Effect
from segmentation.evaluation.comparison.naming import UNKNOWN
from segmentation.evaluation.statistics.intervals import ALPHA, Estimate, Interval
from segmentation.evaluation.statistics.seeds import SeedPlan, SeedTest
from segmentation.runs.scored_images import ScoredImages

NOT_DISTINGUISHABLE = "Not distinguishable on this test set"


@dataclass(frozen=True)
class Difference:
    """How much one entry scores above another on the same images.

    Attributes:
        first, second: the entries; values are first minus second.
        seeds: the number of runs of each.
        miou: the difference of mIoU with its own, uncorrected interval.
        p: two-sided, inverts the interval.
        p_corrected: for all pairs of entries.
        classes: the difference of IoU by class.
        classes_p_corrected: for all pairs of entries and all classes.
        over_seeds: the exact test over seeds; None if an entry has one run.
    """

    first: str
    second: str
    seeds: tuple[int, int]
    miou: Estimate
    p: float
    p_corrected: float
    classes: dict[str, Estimate]
    classes_p_corrected: dict[str, float]
    over_seeds: SeedTest | None

    @property
    def compares(self) -> Literal["models", "recipes"]:
        """What the verdict is about: the models at hand if an entry has one run."""
        return "recipes" if min(self.seeds) > 1 else "models"

    @property
    def distinguishable(self) -> bool:
        """Whether the difference of mIoU is more than chance, after correction."""
        return self.p_corrected <= ALPHA

    @property
    def verdict(self) -> str:
        """What can be said of `first` against `second`, in words; p is the corrected one."""
        p, value, ends = f"p = {self.p_corrected:.2g}", self.miou.value, self.miou.interval
        if not self.distinguishable:
            change = f"{100 * value:z.1f} points"
            if self.p_corrected == self.p:
                detail = f"{change}, 95% CI {ends.points()}"
            else:
                detail = f"{change}, uncorrected 95% CI {ends.points()} and p = {self.p:.2g}"
            return f"{NOT_DISTINGUISHABLE} from {self.second} ({p}): {detail}"
        lower = value < 0
        by = Interval(-ends.high, -ends.low) if lower else ends
        amount = f"{100 * abs(value):.1f} points"
        if self.compares == "models":
            place = "below" if lower else "above"
            return f"{self._scored} {amount} {place} {self._other} {by.points()}, {p}"
        side = "worse" if lower else "better"
        return f"{side} than {self.second} by {amount} {by.points()}, {p}"

    @property
    def _scored(self) -> str:
        one = self.seeds[0] == 1
        return "this model scores" if one else f"its {self.seeds[0]} models score on average"

    @property
    def _other(self) -> str:
        one = self.seeds[1] == 1
        return f"that of {self.second}" if one else f"the mean of {self.second}'s {self.seeds[1]}"


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
        effects: where the difference of each other entry to the best comes from, by name.
        winners: by class.
        plan: the seeds that would show the differences to the best; None if the spread between
            seeds is unknown.
        correction: of the p-values, in words.
        resampling: how intervals were made, in words.
        notes: what a reader must know.
    """

    entries: tuple[EntryScores, ...]
    pairs: dict[tuple[str, str], Difference] = field(repr=False)
    effects: dict[str, Effect]
    winners: dict[str, Winner]
    plan: SeedPlan | None
    correction: str
    resampling: str
    notes: tuple[str, ...]

    @property
    def to_best(self) -> dict[str, Difference]:
        """Each other entry against the best."""
        best, *others = (entry.name for entry in self.entries)
        return {name: self.pairs[name, best] for name in others}

    @property
    def summary(self) -> str:
        """The result in a sentence or two."""
        best = self.entries[0]
        score = f"{100 * best.miou.value:.1f}% {best.miou.interval.points()}"
        if len(self.entries) == 1:
            return f"{best.name} has an mIoU of {score}."
        kind = "model" if best.name in self.single else "recipe"
        equal = [name for name, to in self.to_best.items() if not to.distinguishable]
        rest = f"not distinguishable from it on this test set: {'; '.join(equal)}"
        if not equal:
            rest = "all others are below it by more than chance"
        elif len(equal) == len(self.to_best):
            rest = "no other can be told from it on this test set"
        return f"The {kind} with the highest mIoU is {best.name}, {score}; {rest}."

    @property
    def single(self) -> list[str]:
        """The entries with one run: what is said of them is about these models alone."""
        return [entry.name for entry in self.entries if entry.seeds == 1]


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
        weights: that its encoder started from, such as ``random``; of several seeds all of them.
    """

    name: str
    evaluations: tuple[ScoredImages, ...]
    runs: tuple[Path | None, ...]
    cost: Cost
    weights: str = UNKNOWN
