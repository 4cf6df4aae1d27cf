"""The weights that the encoder of a compared run started from."""

from collections.abc import Sequence
from pathlib import Path

from segmentation.commands.compare.compared_run import ComparedRun
from segmentation.commands.publish.recipe import weights_source
from segmentation.errors import DataError
from segmentation.evaluation.comparison.naming import UNKNOWN
from segmentation.runs.directory import read_environment
from segmentation.system.files import read_json

RANDOM = "random"


def encoder_weights(runs: Sequence[ComparedRun]) -> str:
    """Describe the weights that the encoders of a contender's runs started from."""
    return " / ".join(dict.fromkeys(_weights(run) for run in runs))


def _weights(run: ComparedRun) -> str:
    source = _of_model(run) or run.trained.get("encoder_weights") or _of_environment(run)
    if source is None:
        return UNKNOWN
    if source == RANDOM or source.startswith(f"{RANDOM} ("):  # the reason is a warning of the run
        return RANDOM
    if source.startswith("package "):  # all packages have weights of ImageNet
        return f"ImageNet, {source}"
    return weights_source(source)


def _of_model(run: ComparedRun) -> str | None:
    """Return what a saved model says of its encoder."""
    home = run.evaluation.run
    model = run.evaluation.model if home is None else home / "model"
    try:
        encoder = (read_json(Path(model) / "config.json") or {}).get("encoder")
    except DataError:  # a note on the cost says that it is damaged
        return None
    if not isinstance(encoder, dict) or not isinstance(encoder.get("source"), str):
        return None
    return RANDOM if encoder.get("pretrained") is False else encoder["source"]


def _of_environment(run: ComparedRun) -> str | None:
    home = run.evaluation.run
    facts = (None if home is None else read_environment(home)) or {}
    return facts.get("encoder_weights")
