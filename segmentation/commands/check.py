"""Check a data set before training on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmentation.build.inspection import CheckPlan
from segmentation.console import argument, console, show_next, typed
from segmentation.data.check import check_dataset
from segmentation.report.check.facts import counts_text, facts
from segmentation.report.check.overlays import write_overlays
from segmentation.report.check.page import write_check
from segmentation.report.check.terminal import show_check
from segmentation.system.files import make_folder, write_json
from segmentation.system.logs import collected_warnings


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Attributes:
        known: the content of `check.json`, see `facts`.
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


def check(plan: CheckPlan) -> Checked:
    """Check a data set, print the findings, and write ``check.json``, a page and a picture.

    Raises:
        SegmentationError: the data are missing, the meaning of their masks is unknown, or they
            cannot be converted.
    """
    make_folder(plan.output)  # for the class table of read-only data
    with collected_warnings() as warnings:
        source = plan.find_dataset()
    expected = plan.expect_training(source)
    findings = check_dataset(source, plan.skips, warnings, expected.findings, plan.segments)
    known = facts(source, findings, plan.name, plan.root, expected.to_dict(), expected.targets)
    write_json(plan.output / "check.json", known)
    page = plan.output / "check.html"
    write_check(page, source, findings, known)
    overlays = plan.output / "overlays.jpg"
    drawn = write_overlays(overlays, source)
    show_check(known, findings)
    words = f"{counts_text(known['counts'])}. Pictures and plots: {page}"
    console.print(words, soft_wrap=True)
    if drawn:
        console.print(f"The first {drawn} images under their masks: {overlays}", soft_wrap=True)
    if plan.convert is not None:
        written = plan.write_plain(source, plan.convert)
        command = f"{typed('train')} data=folder {argument('data.root', plan.convert)}"
        show_next(f"{written} images and masks: {plan.convert}", command)
    return Checked(known, page)
