"""The templates of HTML pages and of a model's card.

A page is one file that opens from disk, without network. ``page.html`` is the shell: colours for
light mode, dark mode and paper, and a policy that forbids every request and every script.
``charts.html`` draws shares and histograms as plain HTML, so that text stays text at any width.
``report.html`` is the shell of pages with plots: its policy allows the page's own scripts, by their
hashes, and no others (`plots_page.py`).
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from segmentation.system.escaping import markdown
from segmentation.system.files import write_atomic

_templates = Environment(
    loader=PackageLoader("segmentation.report.pages", "."),
    autoescape=select_autoescape(["html"]),  # a model's card is Markdown
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_templates.filters["markdown"] = markdown


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page from a template of this folder; `values` are escaped, whatever they contain."""
    text = rendered(template, **values)
    # File names that are not valid Unicode contain characters that UTF-8 cannot encode
    write_atomic(path, text.encode("utf-8", errors="replace"))


def rendered(template: str, **values: Any) -> str:
    """Render a file of this folder; `values` are escaped if it is HTML."""
    return _templates.get_template(template).render(**values)
