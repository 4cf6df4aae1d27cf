"""Image-level targets: predictions for a whole image, besides or instead of its pixels.

Targets are columns of `targets.csv`: one of categories (such as scene) and any number of numeric
ones (such as arousal and valence). Cells may be empty.
"""

from dataclasses import dataclass
from typing import Any

from segmentation.errors import ConfigError

NO_CATEGORY = -1
"""The category, in memory, of an empty cell; an empty number is NaN."""
MAX_CATEGORIES = 1000
MAX_VALUES = 1000
HUGE = 1e30
"""Bound of numbers, means and standard deviations, so that they fit float32."""


@dataclass(frozen=True)
class TargetColumns:
    """The columns that a model predicts, and how numbers are standardised.

    Standardised columns of any unit weigh alike in training; `mean` and `std` are saved with the
    model, so that predictions are in the column's own unit.

    Args:
        category: column of categories, or None.
        categories: at least two, in the order of the logits.
        values: numeric columns.
        mean, std: of each of `values` in the training split; std above 0.

    Raises:
        ConfigError: no columns, repeated names, or a mean or std out of range.
    """

    category: str | None = None
    categories: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        names = (*(() if self.category is None else (self.category,)), *self.values)
        if not names:
            raise ConfigError("image-level targets need a column of categories or of numbers.")
        if len(set(names)) != len(names):
            raise ConfigError(f"target columns repeat: {list(names)}.")
        if len(set(self.categories)) != len(self.categories):
            raise ConfigError(f"categories repeat: {list(self.categories)}.")
        least = 0 if self.category is None else 2
        if not least <= len(self.categories) <= (least and MAX_CATEGORIES):
            raise ConfigError(
                f"{len(self.categories)} categories for the column {self.category!r}: a column has "
                f"2 to {MAX_CATEGORIES}, and none where there is no column."
            )
        if not len(self.values) == len(self.mean) == len(self.std) <= MAX_VALUES:
            raise ConfigError(
                f"up to {MAX_VALUES} columns of values have a mean and a std each, not "
                f"{len(self.values)} with {len(self.mean)} and {len(self.std)}."
            )
        if not all(abs(mean) < HUGE for mean in self.mean) or not all(
            1 / HUGE < std < HUGE for std in self.std
        ):
            raise ConfigError(
                f"a mean of values is not between {-HUGE:g} and {HUGE:g}, or a std not between "
                f"{1 / HUGE:g} and {HUGE:g}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "category": self.category,
            "categories": list(self.categories),
            "values": list(self.values),
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TargetColumns":
        """Rebuild the columns from `to_dict`."""
        lists = ("categories", "values", "mean", "std")
        return cls(values["category"], **{key: tuple(values[key]) for key in lists})
