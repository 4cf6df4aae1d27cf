"""Image-level targets: what a model says of a whole picture, besides its pixels or in their place.

A target is a column of `targets.csv`: one of categories (such as scene), or any number of columns
of numbers (such as arousal and valence). An image need not have all of them.
"""

from dataclasses import dataclass
from typing import Any

from segmentation.errors import ConfigError

NO_CATEGORY = -1
"""The category, in memory, of an image whose cell is empty; an empty number is NaN."""
MAX_CATEGORIES = 1000
MAX_VALUES = 1000
HUGE = 1e30
"""Numbers, their means and their spreads stay below it, so that float32 holds them."""


@dataclass(frozen=True)
class TargetColumns:
    """The columns a model predicts, and the unit it learns numbers in.

    Numbers are standardised for training, so that columns of any unit weigh alike; `mean` and `std`
    travel with the model, so that what it predicts is in the column's own unit again.

    Args:
        category: the column of categories; None where there is none.
        categories: the categories, at least two, in the order of the logits.
        values: the columns of numbers.
        mean, std: of each of `values` in the training split; std above 0.

    Raises:
        ConfigError: no columns, names that repeat, or numbers that are not sound.
    """

    category: str | None = None
    categories: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        names = (*(() if self.category is None else (self.category,)), *self.values)
        if not names:
            raise ConfigError("image-level targets need a column of categories or of values.")
        if len(set(names)) != len(names):
            raise ConfigError(f"a column of targets stands twice: {list(names)}.")
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
        """Return plain values, as they are kept in a model's JSON."""
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
