"""The score on val by which the best weights of a run are chosen."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from segmentation.models import TargetModel


@dataclass(frozen=True)
class Monitor:
    """A score; higher is better.

    Args:
        name: logged as ``val/<name>``, and in `metrics.json` as ``val_<name>``.
        path: keys that lead to it in a checkpoint's `scores`.
        title: for display.
    """

    name: str
    path: tuple[str, ...]
    title: str

    @property
    def key(self) -> str:
        """The logged metric."""
        return f"val/{self.name}"

    def of(self, scores: dict[str, Any]) -> float:
        """Return the score from a checkpoint's `scores`; NaN where it is undefined."""
        value: Any = scores
        for key in self.path:
            value = value[key]
        return float("nan") if value is None else float(value)


MIOU = Monitor("miou", ("miou",), "mIoU")
MACRO_F1 = Monitor("macro_f1", ("targets", "category", "macro_f1"), "macro F1")
CCC = Monitor("ccc", ("targets", "ccc"), "CCC")


def monitor_of(model: nn.Module) -> Monitor:
    """Return mIoU for a segmentation model, else macro F1 of the categories, else mean CCC."""
    if not isinstance(model, TargetModel):
        return MIOU
    return MACRO_F1 if model.target_head.columns.category is not None else CCC
