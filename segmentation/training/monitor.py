"""The one score on val that says which weights of a run are the best."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from segmentation.models import TargetModel


@dataclass(frozen=True)
class Monitor:
    """A score that is better the higher it is.

    Args:
        name: as in logs (``val/<name>``) and in `metrics.json` (``val_<name>``).
        path: where a checkpoint's `scores` have it.
        title: for people.
    """

    name: str
    path: tuple[str, ...]
    title: str

    @property
    def key(self) -> str:
        """The logged metric."""
        return f"val/{self.name}"

    def of(self, scores: dict[str, Any]) -> float:
        """Return the score from a checkpoint's `scores`; NaN where it does not exist."""
        value: Any = scores
        for key in self.path:
            value = value[key]
        return float("nan") if value is None else float(value)


MIOU = Monitor("miou", ("miou",), "mIoU")
MACRO_F1 = Monitor("macro_f1", ("targets", "category", "macro_f1"), "macro F1")
CCC = Monitor("ccc", ("targets", "ccc"), "CCC")


def monitor_of(model: nn.Module) -> Monitor:
    """Return mIoU for a model that segments, else macro F1 of its categories, else mean CCC."""
    if not isinstance(model, TargetModel):
        return MIOU
    return MACRO_F1 if model.target_head.columns.category is not None else CCC
