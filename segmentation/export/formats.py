"""The formats of exported files, and what writes each."""

from dataclasses import dataclass

from segmentation.errors import ConfigError
from segmentation.system.packages import require_extra


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        files: names of its files; the first is what is opened.
        precisions: that it has.
        extra: of pyproject.toml that it needs; None for none.
    """

    files: tuple[str, ...]
    precisions: tuple[str, ...]
    extra: str | None


FORMATS = {
    "onnx": Format(("model.onnx",), ("fp32",), "onnx"),
}


def check_pair(name: str, precision: str) -> None:
    """Check that a format has a precision, and that its packages are installed.

    Raises:
        ConfigError: it has not, or they are not.
    """
    chosen = FORMATS[name]
    if precision not in chosen.precisions:
        others = [key for key, other in FORMATS.items() if precision in other.precisions]
        raise ConfigError(
            f"format={name} has no precision={precision}, but {', '.join(chosen.precisions)}; "
            f"{precision} has format={' or '.join(others) or 'none'}."
        )
    if chosen.extra is not None:
        require_extra(chosen.extra, f"format={name}")
