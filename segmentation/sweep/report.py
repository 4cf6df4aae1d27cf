"""`report.html` of a sweep: from the files of its jobs, and from its study if it searches."""

from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmentation.console import duration
from segmentation.errors import ConfigError
from segmentation.report.pages import write_page
from segmentation.runs.directory import read_metrics, working
from segmentation.sweep.jobs.state import read_job
from segmentation.sweep.search.trials import STUDY_FILE
from segmentation.sweep.table import Row, counted, groups
from segmentation.system.files import read_json

if TYPE_CHECKING:
    from optuna.study import Study

FILE = "report.html"

ROWS = 300
"""So many jobs are shown; `jobs.csv` has all."""

COSTS = ("latency_ms", "parameters")


def write_report(sweep: Path, rows: Sequence[Row] | None = None) -> Path:
    """Write the page into a sweep's directory, and return its path.

    Args:
        sweep: the directory.
        rows: its jobs, those that wait too; None: those that have begun, from their files.
    """
    rows = sorted(read_rows(sweep) if rows is None else rows, key=_best_first)
    found, problem = _study(sweep)
    page = sweep / FILE
    write_page(
        page,
        "sweep.html",
        name=sweep.absolute().name,
        counted=counted(rows) or "no job has begun",
        jobs=len(rows),
        best=next((row for row in rows if row.score is not None), None),
        groups=groups(rows),
        warnings=warned(sweep, rows),
        most=ROWS,
        **_table(sweep, rows, found),
        study=None if found is None else _study_part(found),
        problem=problem,
    )
    return page


def read_rows(sweep: Path, leave_out: Container[str] = ()) -> list[Row]:
    """Return the jobs that have begun below a sweep's directory, but for some names."""
    rows = []
    for directory in sorted(path for path in sweep.iterdir() if path.is_dir()):
        if directory.name not in leave_out and (job := read_job(directory)) is not None:
            abandoned = job.state == "running" and not working(directory)
            rows.append(Row(directory.name, job.overrides, job, abandoned))
    return rows


def warned(sweep: Path, rows: Sequence[Row]) -> list[tuple[str, int]]:
    """Return what the jobs were warned of, and how many of them, the most frequent first."""
    said = Counter[str]()
    for row in rows:
        said.update((read_metrics(sweep / row.name) or {}).get("warnings", ()))
    return said.most_common()


def _study(sweep: Path) -> tuple["Study | None", str]:
    """Return the study of a sweep, or why there is none to be had."""
    noted = read_json(sweep / STUDY_FILE)
    if noted is None:
        return None, ""
    from segmentation.sweep.search.trials import open_study, storage_url  # an extra

    try:
        return open_study(noted["storage"] or storage_url(None, sweep), noted["study"]), ""
    except ConfigError as error:
        return None, str(error)


def _table(sweep: Path, rows: Sequence[Row], study: "Study | None") -> dict[str, Any]:
    """Return the heads and the lines of the table of jobs."""
    values = {row.name: dict(_split(one) for one in row.overrides) for row in rows}
    keys = list(dict.fromkeys(key for one in values.values() for key in one))
    keys = [key for key in keys if len({one.get(key) for one in values.values()}) > 1]
    numbers = _numbers(study)
    metrics = {row.name: read_metrics(sweep / row.name) or {} for row in rows[:ROWS]}
    costs = [key for key in COSTS if any(one.get(key) is not None for one in metrics.values())]
    lines = [
        {
            "name": row.name,
            "trial": numbers.get(row.name, ""),
            "state": row.state,
            "score": "" if row.score is None else f"{row.score:.4f}",
            "costs": [_short(metrics[row.name].get(key, "")) for key in costs],
            "time": "" if row.job is None else duration(row.job.seconds),
            "values": [_short(values[row.name].get(key, "")) for key in keys],
            "note": _note(row, metrics[row.name]),
        }
        for row in rows[:ROWS]
    ]
    return {"keys": keys, "costs": costs, "lines": lines, "searched": bool(numbers)}


def _note(row: Row, metrics: dict[str, Any]) -> str:
    if row.state == "pruned":
        return f"after epoch {metrics.get('pruned')}"
    return row.job.error.strip().rsplit("\n", 1)[-1] if row.job is not None else ""


def _numbers(study: "Study | None") -> dict[str, str]:
    """Return the numbers of the trials that share a job, by its directory."""
    numbers: dict[str, list[str]] = {}
    for trial in study.get_trials(deepcopy=False) if study is not None else ():
        numbers.setdefault(trial.user_attrs.get("directory", ""), []).append(str(trial.number))
    return {name: ", ".join(one) for name, one in numbers.items() if name}


def _study_part(study: "Study") -> dict[str, Any]:
    from segmentation.sweep.search import plots  # imports Optuna, an extra

    names = study.user_attrs["settings"]["objectives"]
    several = len(names) > 1
    found = plots.importance(study)
    optimal = plots.front(study) if several else []
    searched = list(study.user_attrs["settings"]["searched"])
    return {
        "objectives": names,
        "plot": plots.pareto(study, names) if several else plots.history(study),
        "front": [
            {
                "number": one.number,
                "values": [f"{value:.4g}" for value in one.values],
                "params": [_short(one.params.get(key, "")) for key in searched],
            }
            for one in optimal
        ],
        "searched": searched,
        "importance": found,
        "bars": [
            {"label": key, "color": None, "shares": [share]} for key, share in found.shares.items()
        ],
    }


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key, value


def _short(value: object) -> str:
    """Return a value for a cell: of a number with many digits the first ones."""
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return str(value) if len(str(value)) <= 8 else f"{number:.4g}"


def _best_first(row: Row) -> tuple[bool, float, str]:
    return row.score is None, -(row.score or 0.0), row.name
