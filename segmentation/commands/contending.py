"""From what a user names to the runs that take part in a comparison, and which are one contender.

All that can be wrong is found here, before anything is computed and before torch is imported.
"""

import glob
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import YAMLError

from segmentation.console import argument
from segmentation.directories import begun, finished, read_settings
from segmentation.errors import ConfigError, DataError, listed
from segmentation.evaluation import naming
from segmentation.evaluation.scorings import Scoring, common_split, scorings
from segmentation.evaluation.stored import ScoredImages, read_scored
from segmentation.inference.options import InferenceOptions
from segmentation.sweep.state import read_job
from segmentation.whole_files import read_json

USAGE = "Type runs=[<run>,<run>,...] or sweep=<directory of a sweep>."
PLAIN = InferenceOptions().to_dict()


@dataclass(frozen=True, eq=False)
class Taking:
    """A run that takes part.

    Attributes:
        scoring: where its scores are.
        images: its scores.
        settings: what its result depends on, flat; None where they are not known.
        typed: the overrides it was started with.
        name: that the user gave it, if so.
    """

    scoring: Scoring
    images: ScoredImages
    settings: Mapping[str, Any] | None
    typed: Sequence[str]
    name: str | None

    @property
    def metrics(self) -> dict[str, Any]:
        """What its scoring says."""
        return self.images.metrics


def named_runs(runs: str | Sequence[str] | None, sweep: str | None) -> tuple[list[Path], list[str]]:
    """Return what the user means, and in words what of it is left out.

    Args:
        runs: paths; those with ``*`` or ``?`` stand for the runs that fit.
        sweep: the directory of a sweep.

    Raises:
        ConfigError, DataError: nothing is named, or nothing is there.
    """
    if (runs is None) == (sweep is None):
        raise ConfigError(f"name what is to be compared, one way. {USAGE}")
    if sweep is not None:
        return _of_sweep(Path(sweep).expanduser())
    words = [runs] if isinstance(runs, str) else list(runs or ())
    if not words or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"runs={words}: expected a list of directories. {USAGE}")
    found: list[Path] = []
    left_out: list[str] = []
    for word in words:
        path = Path(word).expanduser()
        if path.exists() or not glob.has_magic(word):
            found.append(path)
            continue
        fitting = [Path(one) for one in sorted(glob.glob(str(path)))]
        fitting = [one for one in fitting if begun(one) or (one / "per_image.npz").is_file()]
        if not fitting:
            raise DataError(f"no run fits {word}. {USAGE}")
        for one in fitting:
            if begun(one) and not finished(one):
                left_out.append(f"{one.name} (not finished)")
            else:
                found.append(one)
    if not found:
        raise DataError(f"none of the runs is finished: {listed(left_out)}.")
    return found, left_out


def _of_sweep(directory: Path) -> tuple[list[Path], list[str]]:
    if not directory.is_dir():
        raise DataError(f"sweep={directory}: there is no such directory.")
    found, left_out = [], []
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        try:
            job = read_job(folder)
        except ValueError as error:
            raise DataError(f"{folder / 'job.json'} is damaged: {error}") from error
        if job is None:
            continue
        if job.state == "finished":
            found.append(folder)
        else:
            left_out.append(f"{folder.name} ({job.state})")
    if found:
        return found, left_out
    if left_out:
        raise DataError(f"no job of {directory} is finished: {listed(left_out)}.")
    runs = argument("runs", [f"{directory}/*"])
    raise DataError(f"{directory} is no sweep: it has no jobs. For a folder of runs type {runs}.")


def take_part(
    named: Sequence[Path], split: str | None, names: Sequence[str] | None
) -> tuple[str, list[Taking]]:
    """Return the split that is compared, and the runs with their scores.

    Raises:
        ConfigError, DataError: a run without scores, or twice; no common split; names that do not
            fit.
    """
    if names is not None and (isinstance(names, str) or len(names) != len(named)):
        raise ConfigError(
            f"names={names}: give one for each of the {len(named)} runs; runs with the same name "
            "are seeds of one contender."
        )
    found = {}
    for path in named:
        if path in found:
            raise ConfigError(f"{path} is named twice. Name each run once.")
        found[path] = scorings(path)
    common = common_split(found, split)
    taking = [
        _taking(one[common], str(names[place]) if names else None)
        for place, one in enumerate(found.values())
    ]
    where: dict[Path, Path] = {}
    for run in taking:
        directory = run.scoring.directory.resolve()
        if directory in where:
            raise ConfigError(
                f"{where[directory]} and {run.scoring.named} are the same run. Name each run once."
            )
        where[directory] = run.scoring.named
    _check_folds(taking)
    return common, taking


def _check_folds(taking: Sequence[Taking]) -> None:
    folds = {repr((run.settings or {}).get("data.fold")) for run in taking}
    if len(folds) > 1 and len({frozenset(run.images.names) for run in taking}) > 1:
        raise DataError(
            "the runs are of different folds (data.fold), and each was scored on its own part of "
            "the data: no image is scored by two of them. Compare runs of one fold, or score all "
            "on a split that is in no fold: python evaluate.py run=... split=test"
        )


def _taking(scoring: Scoring, name: str | None) -> Taking:
    images = read_scored(scoring.directory)
    settings, typed = None, list[str]()
    if scoring.run is not None:
        config, typed = _kept(scoring.run)
        settings = naming.counted(config)
        inference = images.metrics.get("inference") or {}
        if not inference.get("window"):
            inference = {key: value for key, value in inference.items() if key != "overlap"}
        settings |= {f"inference.{k}": v for k, v in inference.items() if v != PLAIN.get(k)}
        if scoring.checkpoint != "best":
            settings[naming.CHECKPOINT] = scoring.checkpoint
    return Taking(scoring, images, settings, typed, name)


def _kept(run: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration of a run, and the overrides it was started with."""
    try:
        environment = read_json(run / "environment.json") or {}
        return read_settings(run), environment.get("overrides", [])
    except (ValueError, YAMLError) as error:
        raise DataError(
            f"config.yaml or environment.json in {run} is damaged: {error}. Leave it out."
        ) from error


def contenders(taking: Sequence[Taking]) -> dict[str, list[Taking]]:
    """Return the runs of each contender by its name.

    Raises:
        DataError: one contender has the same run twice, as a copy.
    """
    if taking[0].name is not None:
        typed: dict[str, list[Taking]] = {}
        for run in taking:
            typed.setdefault(str(run.name), []).append(run)
        return typed
    # Without a configuration nothing says what a model is: each is a contender of its own.
    known = [run for run in taking if run.settings is not None]
    groups = [
        [known[place] for place in places]
        for places in naming.together([run.settings or {} for run in known])
    ]
    for group in groups:
        _check_copies(group)
    words = naming.names([g[0].settings or {} for g in groups], [g[0].typed for g in groups])
    groups += [[run] for run in taking if run.settings is None]
    words += [_folder(run) for run in taking if run.settings is None]
    count = Counter(words)
    return {
        word if count[word] == 1 and word else f"{word} {_folder(group[0])}".strip(): group
        for word, group in zip(words, groups, strict=True)
    }


def _check_copies(group: Sequence[Taking]) -> None:
    seen: dict[str, Taking] = {}
    for run in group:
        key = repr(naming.repeats(run.settings or {}))
        other = seen.setdefault(key, run)
        if other is not run and (
            other.images.names == run.images.names
            and (other.images.confusion == run.images.confusion).all()
        ):
            raise DataError(
                f"{other.scoring.named} and {run.scoring.named} have the same settings, the same "
                "seed and the same predictions: they are one run. Leave one out."
            )


def _folder(run: Taking) -> str:
    home = run.scoring.run or run.scoring.model
    return home.resolve().name
