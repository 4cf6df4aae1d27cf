"""Which runs are one contender, and what a contender is called: by what differs in their settings.

Settings are flat: ``{"encoder.name": "resnet34", "decoder.channels": [256, ...], ...}``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from segmentation.config import differing_keys, flat

Settings = Mapping[str, Any]

NO_RESULT = (
    "logger",
    "signals",
    "checkpoint_minutes",
    "deterministic",
    *(f"data.{key}" for key in ("root", "workers", "cache")),
    *(f"trainer.{key}" for key in ("_target_", "accelerator", "devices", "num_nodes", "strategy")),
    "trainer.log_every_n_steps",
)
"""What changes no result, or none that is meant: where and how a run is carried out. A batch is
that of all processes together, so their number is no matter."""
REPEATS = ("seed", "data.fold")
"""Runs that differ only in these are one contender."""
CHECKPOINT = "checkpoint"
"""The setting that says whose weights were scored, where they are not the best."""
INFERENCE = tuple(f"inference.{key}" for key in ("flip", "scales", "window", "overlap"))
"""The settings that say how a model was used to be scored, where it was not used plainly."""
SCORED = tuple(f"scored.{key}" for key in ("precision", "size", "class_map"))
"""The settings that say how a model was scored, where its training's own scoring was otherwise."""
TRAINED_ON = "trained_on"
"""The fingerprint of the images and masks that a model learnt from: wherever they lie, `data.root`
tells nothing of them."""
UNKNOWN = "unknown"
"""What an encoder started from where the run does not say."""
LONGEST_VALUE = 24
"""A longer value says nothing in a name."""


def counted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flat settings of a run that its result depends on; null is left out."""
    return {
        key: value
        for key, value in flat(settings).items()
        if value is not None and not any(key == no or key.startswith(f"{no}.") for no in NO_RESULT)
    }


def repeats(settings: Settings) -> dict[str, Any]:
    """Return what tells a run from the others of its contender."""
    return {key: settings[key] for key in REPEATS if key in settings}


def group_runs(runs: Sequence[Settings]) -> list[list[int]]:
    """Return the positions of the runs of each contender, in the order of the first of each."""
    groups: dict[str, list[int]] = defaultdict(list)
    for position, run in enumerate(runs):
        shared = sorted((key, repr(value)) for key, value in run.items() if key not in REPEATS)
        groups[repr(shared)].append(position)
    return list(groups.values())


def differing(runs: Sequence[Settings]) -> list[str]:
    """Return the settings that not all runs share, seeds and folds apart."""
    return [key for key in differing_keys(runs) if key not in REPEATS]


def names(contenders: Sequence[Settings], typed: Sequence[Sequence[str]]) -> list[str]:
    """Return what tells each contender from the others, such as ``resnet34, lovasz``.

    Each part of the configuration that differs is named by its kind (the encoder, the terms of the
    loss, the optimizer); what differs besides among those of one kind is named ``key=value``.

    Args:
        contenders: the settings of one run of each.
        typed: the overrides that run was started with: they name what is too long to be said.
    """
    keys = differing(contenders)
    short = _short(keys)
    parts: list[list[str]] = [[] for _ in contenders]
    for part in dict.fromkeys(key.partition(".")[0] for key in keys):
        kinds = [_kind(part, run) for run in contenders]
        told = len(set(kinds)) > 1
        for index, (run, kind) in enumerate(zip(contenders, kinds, strict=True)):
            if told:
                parts[index].append(kind)
            pairs = zip(contenders, kinds, strict=True)
            alike = [settings for settings, other in pairs if not told or other == kind]
            within = [key for key in differing(alike) if key.partition(".")[0] == part]
            parts[index] += _values(run, within, short, typed[index])
    if len(contenders) == 1:
        parts = [[_kind("encoder", contenders[0])]]
    return [", ".join(dict.fromkeys(words)) for words in parts]


def _kind(part: str, run: Settings) -> str:
    """Return what kind of encoder, loss, ... a run has; empty where a part has no kinds."""
    if part in ("encoder", "data"):
        return str(run.get(f"{part}.name", ""))
    if part in ("optimizer", "schedule"):
        return _last(run.get(f"{part}._target_", ""))
    if part in ("loss", "callbacks"):
        ending = "._target_"
        start = "loss.terms." if part == "loss" else "callbacks."
        terms = [
            _term(key.removeprefix(start).removesuffix(ending), _last(value))
            for key, value in run.items()
            if key.startswith(start) and key.endswith(ending)
        ]
        return " + ".join(terms) or f"no {part}"
    if part in ("inference", "scored"):
        keys = [key for key in (*INFERENCE, *SCORED) if key in run and key.startswith(f"{part}.")]
        used = [f"{key.partition('.')[2]}={_text(run[key])}" for key in keys]
        return " ".join(used) or ("plain" if part == "inference" else "scored as trained")
    if part == TRAINED_ON:
        return f"train data {str(run.get(TRAINED_ON, 'unknown'))[:4]}"
    return str(run.get(CHECKPOINT, "best")) if part == CHECKPOINT else ""


def _term(key: str, target: str) -> str:
    """Return the key of a term, or its class where the key does not say which that is.

    ``cross_entropy`` says CrossEntropy, ``ema`` EMAWeightAveraging; it says not OHEMCrossEntropy.
    """
    return key if target.lower().startswith(key.replace("_", "").lower()) else target


def _values(
    run: Settings, keys: Sequence[str], short: Mapping[str, str], typed: Sequence[str]
) -> list[str]:
    words = []
    for key in keys:
        if key not in run:
            continue
        value = _text(run[key])
        if len(value) <= LONGEST_VALUE:
            words.append(f"{short[key]}={value}")
            continue
        part = key.partition(".")[0]
        typed_parts = [word for word in typed if word.lstrip("+").startswith(f"{part}=")]
        option = typed_parts[-1].partition("=")[2] if typed_parts else "default"
        words.append(f"{part}={option}")
    return words


def _short(keys: Sequence[str]) -> dict[str, str]:
    """Return the ends of dotted names, as long as they need to be to differ."""
    ends = [key.rpartition(".")[2] for key in keys]
    unique = {end for end in ends if ends.count(end) == 1} - {"name", "weight", "p"}
    return {
        key: end if end in unique else ".".join(key.split(".")[-2:])
        for key, end in zip(keys, ends, strict=True)
    }


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _last(target: Any) -> str:
    return str(target).rpartition(".")[2]
