"""`report.html` of a sweep: from the files of its jobs, and from its study if it searches."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmentation.console import duration
from segmentation.errors import ConfigError
from segmentation.report.pages import write_page
from segmentation.report.table import Cell, Grid, Row, number
from segmentation.runs.directory import read_metrics
from segmentation.sweep.jobs.state import Jobs, JobState, read_jobs
from segmentation.sweep.search.storage import read_study_file
from segmentation.sweep.table import best_first, counted, groups, values_of

if TYPE_CHECKING:
    from optuna.study import Study

MOST_JOBS = 300
"""Jobs that the page shows at most; `jobs.csv` has all."""
COSTS = {"latency_ms": "latency (ms)", "parameters": "parameters"}
"""Key in metrics.json of a job -> the head of its column."""


def write_report(sweep: Path, jobs: Jobs | None = None) -> Path:
    """Write the page into a sweep's directory, and return its path.

    Without `jobs` it shows those that have begun, from their files.
    """
    # Read the jobs and the study.
    jobs = best_first(read_jobs(sweep) if jobs is None else jobs)
    study, problem = _study(sweep)
    page = sweep / "report.html"
    values = {
        "name": sweep.absolute().name,
        "counted": counted(jobs.values()) or "no job has begun",
        "jobs": len(jobs),
        "best": next(((key, job) for key, job in jobs.items() if job.score is not None), None),
        "groups": _group_grid(jobs),
        "warnings": warning_counts(sweep, jobs),
        "limit": MOST_JOBS,
        "table": _job_grid(sweep, jobs, study),
        "searched": study is not None,
        "problem": problem,
    }

    # Only a page with charts needs scripts.
    charts, importance = [], None
    if study is not None:
        from segmentation.sweep.search.charts import parameter_importance, study_charts

        charts, importance = study_charts(study), parameter_importance(study)
    if charts:
        from segmentation.report.pages.plots_page import write_plots_page

        write_plots_page(page, "sweep.html", charts, importance=importance, **values)
    else:
        write_page(page, "sweep.html", charts={}, **values)
    return page


def warning_counts(sweep: Path, names: Iterable[str]) -> list[tuple[str, int]]:
    """Return the warnings of jobs, and the number of jobs with each, the most frequent first."""
    warnings = Counter[str]()
    for name in names:
        warnings.update((read_metrics(sweep / name) or {}).get("warnings", ()))
    return warnings.most_common()


def _study(sweep: Path) -> tuple["Study | None", str]:
    """Return the study of a sweep, or the reason why it cannot be read."""
    file = read_study_file(sweep)
    if file is None:
        return None, ""
    from segmentation.sweep.search.storage import open_study, storage_url  # an extra

    try:
        return open_study(file.storage or storage_url(None, sweep), file.study), ""
    except ConfigError as error:
        return None, str(error)


def _group_grid(jobs: Jobs) -> Grid:
    heads = ["group", "jobs", "mean", "standard deviation"]
    rows: list[Row] = [
        [group.overrides, number(group.jobs), number(group.mean, ".4f"), number(group.std, ".4f")]
        for group in groups(jobs.values())
    ]
    return Grid("groups", heads, rows)


def _job_grid(sweep: Path, jobs: Jobs, study: "Study | None") -> Grid:
    """Return the table of jobs: state, score, costs, and the overrides in which they differ."""
    # The columns: costs that a job has, keys that have several values.
    values = {name: values_of(job) for name, job in jobs.items()}
    shown = list(jobs)[:MOST_JOBS]
    keys = list(dict.fromkeys(key for row in values.values() for key in row))
    keys = [key for key in keys if len({row.get(key) for row in values.values()}) > 1]
    metrics = {name: read_metrics(sweep / name) or {} for name in shown}
    costs = [key for key in COSTS if any(row.get(key) is not None for row in metrics.values())]
    trials = _trial_numbers(study)

    # The rows.
    rows: list[Row] = [
        [
            *([trials.get(name, "")] if trials else []),
            jobs[name].state,
            number(jobs[name].score, ".4f"),
            *(number(metrics[name].get(key)) for key in costs),
            Cell(duration(jobs[name].seconds), jobs[name].seconds) if jobs[name].begun else "",
            *(_short(values[name].get(key, "")) for key in keys),
            _note(jobs[name], metrics[name]),
            name,
        ]
        for name in shown
    ]
    trial = ["trial"] if trials else []
    names = [COSTS[key] for key in costs]
    heads = [*trial, "state", "score", *names, "time", *keys, "note", "directory"]
    return Grid("jobs", heads, rows)


def _note(job: JobState, metrics: Mapping[str, Any]) -> str:
    if job.state == "pruned":
        return f"after epoch {metrics.get('pruned')}"
    return job.error.strip().rsplit("\n", 1)[-1]


def _trial_numbers(study: "Study | None") -> dict[str, str]:
    """Return the numbers of the trials that share a job, by its directory."""
    numbers: dict[str, list[str]] = {}
    for trial in study.get_trials(deepcopy=False) if study is not None else ():
        numbers.setdefault(trial.user_attrs.get("directory", ""), []).append(str(trial.number))
    return {name: ", ".join(trials) for name, trials in numbers.items() if name}


def _short(value: str) -> str:
    """Return a value for a cell: the first digits of a long number."""
    try:
        return value if len(value) <= 8 else f"{float(value):.4g}"
    except ValueError:
        return value
