"""Packages that only some commands and options need, installed by the extras of this project."""

import importlib.util

from segmentation.errors import ConfigError, listed

EXTRAS = {
    "report": ("arch", "pandas", "plotly", "statsmodels", "tabulate"),
    "wandb": ("wandb",),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow",),
    "search": ("optuna", "plotly"),
    "geo": ("rasterio",),
    "parquet": ("pyarrow",),
    "video": ("av",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino", "nncf", "onnx", "onnxscript"),
}
"""The modules that an extra of pyproject.toml brings. Hydra itself misses those of launchers."""


def missing_packages(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed; none of them is imported."""
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]


def install_advice(extra: str) -> str:
    """Return what to type to install an extra, as a sentence."""
    return f"Type pip install 'cityseg[{extra}]'."


def explain_missing(extra: str, feature: str) -> str | None:
    """Return what a feature lacks and what to type, or None if its extra is installed.

    Args:
        extra: one of `EXTRAS`.
        feature: what needs it, such as ``"logger=mlflow"``.
    """
    if not (missing := missing_packages(extra)):
        return None
    be = "is" if len(missing) == 1 else "are"
    return f"{feature} needs {listed(missing)}, which {be} not installed. {install_advice(extra)}"


def require_extra(extra: str, feature: str) -> None:
    """Check that the extra of a command or an option is installed.

    Args:
        extra, feature: as in `explain_missing`.

    Raises:
        ConfigError: a package of it is missing.
    """
    if problem := explain_missing(extra, feature):
        raise ConfigError(problem)
