"""What a pass over a split counted in each image, and all scores that follow from the counts."""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.boundary import (
    BAND_WORDS,
    TOLERANCE_WORDS,
    ByClass,
    boundary_f,
    boundary_iou,
)
from segmentation.calibration import BINS, calibration
from segmentation.classes import ClassTable
from segmentation.ratio import ratio
from segmentation.scores import scores

if TYPE_CHECKING:
    import pandas as pd

ARRAYS = ("boundary", "boundary_f", "calibration")


@dataclass(frozen=True, eq=False)
class Scored:
    """The counts of N images.

    Attributes:
        names: of the images.
        classes: what was predicted.
        confusion: `int64` (N, C, C), rows are the truth.
        details: what `PerImageDetails` keeps: `boundary`, `boundary_f`, `calibration` and `view`;
            empty where it was not counted.
    """

    names: list[str]
    classes: ClassTable
    confusion: np.ndarray
    details: dict[str, Any] = field(default_factory=dict)

    def without(self, left_out: Collection[str]) -> "Scored":
        """Return the counts of the images whose names are not among those left out."""
        kept = np.array([name not in left_out for name in self.names], dtype=bool)
        details = {
            name: list(compress(values, kept)) if name == "view" else values[kept]
            for name, values in self.details.items()
        }
        names = list(compress(self.names, kept))
        return Scored(names, self.classes, self.confusion[kept], details)

    def facts(self) -> dict[str, Any]:
        """Return the scores as metrics.json has them; None stands for a score there is not."""
        names = self.classes.names
        found = scores(self.confusion.sum(axis=0)).to_dict(names)
        if self.details:
            iou = boundary_iou(self.details["boundary"].sum(axis=0))
            f = boundary_f(self.details["boundary_f"].sum(axis=0))
            reliability = calibration(self.details["calibration"].sum(axis=0))
            found |= {
                "boundary_iou": {"mean": plain(iou.mean), "distance": BAND_WORDS}
                | {"classes": self._named(iou.classes)},
                "boundary_f": {"mean": plain(f.mean), "distance": TOLERANCE_WORDS}
                | {"classes": self._named(f.classes)},
                "calibration": {"ece": plain(reliability.ece), "bins": BINS}
                | {"classes": self._named(reliability.classes)},
            }
        return found

    def images(self) -> "pd.DataFrame":
        """Return the scores of each image, a row each: fractions, NaN where there is none."""
        import pandas as pd

        rows = []
        for index, name in enumerate(self.names):
            one = scores(self.confusion[index])
            row = {"image": name, "miou": one.miou, "pixel_accuracy": one.pixel_accuracy}
            row |= {f"iou/{key}": iou for key, iou in zip(self.classes.names, one.iou, strict=True)}
            if self.details:
                parts: dict[str, ByClass] = {
                    "boundary_iou": boundary_iou(self.details["boundary"][index]),
                    "boundary_f": boundary_f(self.details["boundary_f"][index]),
                }
                row |= {key: part.mean for key, part in parts.items()}
                row["ece"] = calibration(self.details["calibration"][index]).ece
            rows.append(row)
        return pd.DataFrame(rows)

    def confusions(self) -> "pd.DataFrame":
        """Return the confusion matrix as a row for each pair of classes, normalised both ways."""
        import pandas as pd

        pixels = self.confusion.sum(axis=0)
        names = self.classes.names
        shares = [ratio(pixels, pixels.sum(axis=axis, keepdims=True)) for axis in (1, 0)]
        return pd.DataFrame(
            {
                "truth": np.repeat(names, len(names)),
                "predicted": np.tile(names, len(names)),
                "pixels": pixels.ravel(),
                "share_of_truth": shares[0].ravel(),
                "share_of_prediction": shares[1].ravel(),
            }
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what per_image.npz keeps."""
        return {
            "name": np.array(self.names),
            "confusion": self.confusion,
            "classes": np.array(self.classes.names),
            "colors": np.array(self.classes.colors, np.uint8).reshape(-1, 3),
            **{name: self.details[name] for name in ARRAYS if name in self.details},
        }

    def _named(self, values: np.ndarray) -> dict[str, float | None]:
        return dict(zip(self.classes.names, map(plain, values.tolist()), strict=True))


def plain(value: float) -> float | None:
    """Return a score as JSON has it."""
    return None if np.isnan(value) else value
