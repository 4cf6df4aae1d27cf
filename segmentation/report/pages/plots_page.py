"""Pages with plots: the scripts that a page contains, and the policy that allows them."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from segmentation.report.charts.chart import Chart, colors_json
from segmentation.report.pages import write_page


def write_plots_page(
    path: Path, template: str, charts: Sequence[Chart | None], **values: Any
) -> None:
    """Write a page with plots, see `write_page`.

    Args:
        path: the file.
        template: it extends ``report.html``.
        charts: the plots, which the template finds by their keys; None is skipped.
        values: for the template.
    """
    scripts, sources = zip(*_scripts(), strict=True)
    write_page(
        path,
        template,
        charts={chart.key: chart for chart in charts if chart is not None},
        colors=colors_json(),
        scripts=scripts,
        sources=Markup(" ".join(sources)),  # hashes
        **values,
    )


@cache
def _scripts() -> tuple[tuple[Markup, str], ...]:
    own = files("segmentation.report.pages").joinpath("report.js").read_text(encoding="utf-8")
    return script(get_plotlyjs()), script(own)


def script(text: str) -> tuple[Markup, str]:
    """Return one of our scripts for a page, and its source expression for the page's policy.

    The hash is of the text between the tags, to the last byte (Content Security Policy Level 3,
    sec. 6.7.3.3). A browser reads line ends as ``\\n``, and ends the script at the first end tag.

    Raises:
        ValueError: a browser would not read the text as it is.
    """
    if "\r" in text or "</script" in text.lower() or "<!--" in text:
        raise ValueError("this script cannot stand in a page")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"  # not escaped: the text is our own
