"""Notes for the reader of a comparison on how its runs were trained."""

from collections.abc import Mapping, Sequence

from segmentation.commands.compare.compared_run import ComparedRun
from segmentation.errors import DataError
from segmentation.evaluation.comparison.naming import differing, repeats
from segmentation.system.files import read_json

RANDOM = "random weights"
PRETRAINED = "trained weights"


def run_notes(contenders: Mapping[str, Sequence[ComparedRun]], split: str) -> list[str]:
    """Return notes on the runs of each contender."""
    notes = []
    if split == "val":
        notes.append(
            "Scored on val, which also chose the epoch of each run: scores are a little too high. "
            "Decide on test where there is one."
        )
    for name, runs in contenders.items():
        notes += _seed_notes(name, runs)
    starts: dict[str, list[str]] = {}
    for name, runs in contenders.items():
        for start in {_start(run) for run in runs}:
            starts.setdefault(start, []).append(name)
    if RANDOM in starts and len(starts) > 1:
        notes.append(
            f"The encoders of {', '.join(starts[RANDOM])} began from random weights, "
            "others from trained ones."
        )
    return notes


def _seed_notes(name: str, runs: Sequence[ComparedRun]) -> list[str]:
    """Return notes on runs of one contender, which should differ in their seed alone."""
    notes = []
    if others := differing([run.settings or {} for run in runs]):
        notes.append(f"The runs named {name} differ in more than their seed: {', '.join(others)}.")
    repeated = [repeats(run.settings or {}) for run in runs]
    if len(runs) > 1 and any("data.fold" in settings for settings in repeated):
        notes.append(f"The runs of {name} are of several folds: each was trained on other images.")
    known = [repr(repeats(run.settings or {})) for run in runs if run.settings is not None]
    if len(set(known)) < len(known):
        notes.append(
            f"Runs of {name} have the same seed: they differ by less than other seeds would."
        )
    return notes


def _start(run: ComparedRun) -> str:
    """Return the initial weights of the encoder."""
    home = run.evaluation.run
    model = run.evaluation.model if home is None else home / "model"
    try:
        encoder = (read_json(model / "config.json") or {}).get("encoder")
    except DataError:  # a note on the cost says that it is damaged
        encoder = None
    if isinstance(encoder, dict) and isinstance(encoder.get("pretrained"), bool):
        return PRETRAINED if encoder["pretrained"] else RANDOM
    source = str(run.trained.get("encoder_weights", ""))
    return RANDOM if source == "random" or source.startswith("random (") else PRETRAINED
