"""The folder of a published model: its files, and whether a folder may be written to."""

from pathlib import Path

from segmentation.commands.publish.card import LIBRARY
from segmentation.errors import ConfigError
from segmentation.model_files import TENSORS
from segmentation.models.saving import CONFIG
from segmentation.runs.directory import run_of

CARD = "README.md"
MODEL_FILES = (CONFIG, TENSORS, CARD)


def check_folder(output: Path) -> None:
    """Check that a model can be published to a folder: a new one, or that of an earlier call.

    Raises:
        ConfigError: it holds something else, or lies in a run.
    """
    others = sorted(path.name for path in output.glob("*") if path.name not in MODEL_FILES)
    if run := next(filter(None, map(run_of, (output.resolve(), *output.resolve().parents))), None):
        why = f"lies in the run {run}"
    elif output.is_file():
        why = "is a file"
    elif any((output / name).exists() for name in MODEL_FILES) and not _published(output):
        why = "holds a model or a README.md that is not publish.py's"
    elif others:
        why = f"holds {others[0]} already"
    else:
        return
    raise ConfigError(f"output={output} {why}. Pass a folder of its own; it is created if needed.")


def _published(output: Path) -> bool:
    """Return whether an earlier call wrote the files in a folder."""
    card = output / CARD
    return card.is_file() and f"library_name: {LIBRARY}\n" in card.read_text(errors="replace")
