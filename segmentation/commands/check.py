"""Look at a data set before training, and write down what there is to know."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.build.data import find_dataset
from segmentation.console import console
from segmentation.data.check import check_dataset
from segmentation.errors import ConfigError
from segmentation.report.check.facts import counts_text, facts
from segmentation.report.check.page import write_check
from segmentation.report.check.terminal import show_check
from segmentation.system.logs import collected_warnings


@dataclass(frozen=True)
class Checked:
    """A data set that was looked at.

    Attributes:
        known: what `check.json` says of it, see `facts`.
        page: `check.html`.
    """

    known: dict[str, Any]
    page: Path

    @property
    def exit_code(self) -> int:
        """Of the command: 1 if there are errors."""
        return int(self.known["counts"]["error"] > 0)

    def to_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {**self.known, "page": self.page}


def check(cfg: DictConfig) -> Checked:
    """Check `cfg.data`, print the findings, and write ``check.json`` and ``check.html``.

    Raises:
        SegmentationError: nothing can be said about the data: they are not there, or what their
            masks mean cannot be found out.
    """
    if not cfg.data.name:
        raise ConfigError("data=as_trained is for evaluate.py: give data=folder or another.")
    output = Path(cfg.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)  # where a class table goes if the data are read-only
    with collected_warnings() as said:
        source = find_dataset(cfg.data, directory=output)
    found = check_dataset(source, cfg.data.on_error == "skip", said)
    root = Path(cfg.data.root).expanduser()
    known = facts(source, found, cfg.data.name, root)
    (output / "check.json").write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    page = output / "check.html"
    write_check(page, source, found, known)
    show_check(known, found)
    console.print(
        f"{counts_text(known['counts'])}. Pictures and plots: {page}",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    return Checked(known, page)
