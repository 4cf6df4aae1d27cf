"""What a reader of a comparison must know of how its runs came about."""

from collections.abc import Mapping, Sequence

from segmentation.commands.taking import Taking
from segmentation.evaluation.naming import differing, repeats
from segmentation.whole_files import read_json

RANDOM = "random weights"


def on_runs(together: Mapping[str, Sequence[Taking]], split: str) -> list[str]:
    """Say what a reader must know of how the runs came about."""
    notes = []
    if split == "val":
        notes.append(
            "Scored on val, which also chose the epoch of each run: scores are a little too high. "
            "Decide on test where there is one."
        )
    for name, runs in together.items():
        if others := differing([run.settings or {} for run in runs]):
            notes.append(
                f"The runs named {name} differ in more than their seed: {', '.join(others)}."
            )
        if any("data.fold" in repeats(run.settings or {}) for run in runs) and len(runs) > 1:
            notes.append(f"The runs of {name} are of several folds: each learnt other images.")
        told = [repr(repeats(run.settings or {})) for run in runs if run.settings is not None]
        if len(set(told)) < len(told):
            notes.append(
                f"Runs of {name} have the same seed: what they differ by is less than what other "
                "seeds would."
            )
    starts: dict[str, list[str]] = {}
    for name, runs in together.items():
        for start in {_start(run) for run in runs}:
            starts.setdefault(start, []).append(name)
    if RANDOM in starts and len(starts) > 1:
        notes.append(
            f"The encoders of {', '.join(starts[RANDOM])} began from random weights, "
            "others from trained ones."
        )
    return notes


def _start(run: Taking) -> str:
    """Return what the encoder's weights were at first, as far as it matters."""
    home = run.scoring.run
    model = run.scoring.model if home is None else home / "model"
    try:
        encoder = (read_json(model / "config.json") or {}).get("encoder")
    except ValueError:  # it is said with the cost
        encoder = None
    if isinstance(encoder, dict) and isinstance(encoder.get("pretrained"), bool):
        return "not random" if encoder["pretrained"] else RANDOM
    source = str(run.trained.get("encoder_weights", ""))
    return RANDOM if source == "random" or source.startswith("random (") else "not random"
