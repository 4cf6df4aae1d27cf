"""From charts and values to a page with scripts."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from segmentation.report.charts.chart import Chart, colors_json
from segmentation.report.pages import own_script, script, write_page


def write_plots_page(
    path: Path, template: str, charts: Sequence[Chart | None], **values: Any
) -> None:
    """Write a page with plots.

    Args:
        path: the file.
        template: a file of `segmentation.report.pages` that extends ``report.html``.
        charts: its plots; the template finds them by their keys, None stands for one less.
        values: what it shows besides.
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
    return script(get_plotlyjs()), script(own_script("report.js"))
