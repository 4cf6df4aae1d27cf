"""What a comparison compares: runs that differ in their seed alone, with what they cost."""

from dataclasses import dataclass
from pathlib import Path

from segmentation.evaluation.stored import ScoredImages


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
        scorings: one for each seed.
        runs: the run directory of each scoring, None where there is none (a model directory).
        cost: of one of its models; all have the same.
    """

    name: str
    scorings: tuple[ScoredImages, ...]
    runs: tuple[Path | None, ...]
    cost: Cost
