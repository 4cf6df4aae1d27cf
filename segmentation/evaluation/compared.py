"""A comparison with all that is shown of it: on the terminal, in files, as a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from segmentation.evaluation.contenders import Contender
from segmentation.evaluation.frames import class_frame, comparison_frame
from segmentation.evaluation.verdict import Comparison


@dataclass(frozen=True, eq=False)
class Compared:
    """What was compared, and what can be said.

    Attributes:
        split: that was scored.
        comparison: the statistics.
        contenders: its lines, in the same order: the best first.
        notes: what a reader must know.
    """

    split: str
    comparison: Comparison
    contenders: Sequence[Contender]
    notes: Sequence[str]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each contender, see `comparison_frame`."""
        return comparison_frame(self.comparison, self.contenders)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """A row for each class, see `class_frame`."""
        return class_frame(self.comparison)

    @cached_property
    def warnings(self) -> list[tuple[str, list[str]]]:
        """Each warning of the runs once, with the contenders that have it; none if all have it."""
        whose: dict[str, dict[str, None]] = {}
        for one in self.contenders:
            for run in one.scorings:
                for text in run.metrics.get("warnings") or []:
                    whose.setdefault(text, {})[one.name] = None
        every = len(self.contenders)
        return [(text, [] if len(names) == every else list(names)) for text, names in whose.items()]

    @property
    def warning_lines(self) -> list[str]:
        """The same as lines of text."""
        return [f"{', '.join(names)}: {text}" if names else text for text, names in self.warnings]
