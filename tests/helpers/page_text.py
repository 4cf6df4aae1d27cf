"""The text of a page, for tests without a browser."""

import re
from pathlib import Path


def text_of(page: Path) -> str:
    """Return the text of a page, without its scripts and pictures."""
    html = page.read_text(encoding="utf-8")
    html = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    html = re.sub(r'src="[^"]*"', "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))
