"""The jobs of a sweep as tables: for the terminal while it runs and at its end, as CSV, as JSON."""

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from segmentation.config import differing_keys
from segmentation.console import duration
from segmentation.report.terminal.table import text_table
from segmentation.sweep.jobs.names import split_override
from segmentation.sweep.jobs.state import Jobs, JobState, State
from segmentation.system.escaping import csv_cell

REPEATS = ("seed", "data.fold")
"""Jobs that differ only in these are one group."""
MOST_ROWS = 20
"""The most rows that are printed; the CSV has all."""
MOST_VALUES = 12
"""The most values of a key that are printed."""
BASELINE = "none of these"
"""The label of a group without an override of its own: the baseline of an ablation."""
ORDER: tuple[State, ...] = ("running", "failed", "interrupted", "finished", "pruned", "waiting")


@dataclass(frozen=True)
class Group:
    """Finished jobs that differ only in seed or fold.

    Attributes:
        overrides: those that its jobs share and other groups lack.
        std: standard deviation (n - 1); None for a single job.
    """

    overrides: str
    jobs: int
    mean: float
    std: float | None


def labels(jobs: Jobs) -> dict[str, str]:
    """Return the overrides of each job that not all others have, by its name."""
    distinct = _distinct([job.overrides for job in jobs.values()])
    return {name: " ".join(words) for name, words in zip(jobs, distinct, strict=True)}


def groups(jobs: Iterable[JobState]) -> list[Group]:
    """Return the groups of scored jobs, the best first; none if each job is its own group."""
    scores: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for job in jobs:
        if job.score is not None:
            shared = (
                word for word in sorted(job.overrides) if split_override(word)[0] not in REPEATS
            )
            scores[tuple(shared)].append(job.score)
    if all(len(values) == 1 for values in scores.values()):
        return []
    unnamed = "all" if len(scores) == 1 else BASELINE
    result = [
        Group(
            " ".join(words) or unnamed,
            len(values),
            statistics.fmean(values),
            statistics.stdev(values) if len(values) > 1 else None,
        )
        for words, values in zip(_distinct(list(scores)), scores.values(), strict=True)
    ]
    return sorted(result, key=lambda group: -group.mean)


def _distinct(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return each list of overrides without those that all lists have."""
    differing = set(differing_keys([dict.fromkeys(overrides, True) for overrides in jobs]))
    return [[word for word in overrides if word in differing] for overrides in jobs]


def values_of(job: JobState) -> dict[str, str]:
    """Return the values of a job's overrides by their keys."""
    return dict(map(split_override, job.overrides))


def plan(jobs: Jobs) -> str:
    """Return the number of jobs, and the values in which they differ."""
    values = [values_of(job) for job in jobs.values()]
    if len(values) == 1:
        (only,) = jobs.values()
        return " ".join(["1 job:", *(only.overrides or ["the defaults"])])
    lines = [f"{len(values)} jobs"]
    for key in differing_keys(values):
        distinct = list(dict.fromkeys(row.get(key, "(not set)") for row in values))
        more = f" | and {len(distinct) - MOST_VALUES} more" if len(distinct) > MOST_VALUES else ""
        lines.append(f"  {key}: {' | '.join(distinct[:MOST_VALUES])}{more}")
    return "\n".join(lines)


def to_csv(jobs: Jobs) -> str:
    """Return a line for each job: its state, and a column for each key of its overrides."""
    values = {name: values_of(job) for name, job in jobs.items()}
    keys = list(dict.fromkeys(key for row in values.values() for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["directory", "state", "score", "seconds", "exit_code", "host", "error", *keys])
    for name, job in jobs.items():
        facts: list[object] = [""] * 5
        if job.begun:
            facts = [job.score, job.seconds, job.exit_code, job.host, job.error.split("\n")[-1]]
        row = [name, job.state, *facts, *(values[name].get(key, "") for key in keys)]
        writer.writerow(map(csv_cell, row))
    return text.getvalue()


def to_json(jobs: Jobs) -> dict[str, Any]:
    """Return the jobs and their groups, for `--json`: overrides are `{key: text}`."""
    return {
        "jobs": [
            {
                "name": name,
                "state": job.state,
                "score": job.score,
                "seconds": job.seconds if job.begun else None,
                "exit_code": job.exit_code,
                "error": job.error if job.begun else None,
                "overrides": values_of(job),
            }
            for name, job in jobs.items()
        ],
        "groups": [asdict(group) for group in groups(jobs.values())],
    }


def best_first(jobs: Jobs) -> dict[str, JobState]:
    """Return the jobs by falling score; those without one at the end, by their state."""

    def rank(item: tuple[str, JobState]) -> tuple[bool, float, int]:
        job = item[1]
        return job.score is None, -(job.score or 0.0), ORDER.index(job.state)

    return dict(sorted(jobs.items(), key=rank))


def shortened(jobs: Jobs, limit: int = MOST_ROWS) -> dict[str, JobState]:
    """Return the jobs worth printing: the running, the last that failed, and the best."""
    ranked = best_first(jobs)
    if len(jobs) <= limit:
        return ranked
    running = [name for name, job in jobs.items() if job.state == "running"]
    failed = [name for name, job in jobs.items() if job.state in ("failed", "interrupted")]
    latest = sorted(failed, key=lambda name: jobs[name].started)[-limit // 4 :]
    chosen = [*running[: limit // 2], *latest]
    scored = [name for name, job in ranked.items() if job.score is not None]
    return {name: jobs[name] for name in [*scored[: limit - len(chosen)], *chosen]}


def counted(jobs: Iterable[JobState]) -> str:
    """Return the number of jobs in each state, such as ``"2 running, 6 finished"``."""
    counts = Counter(job.state for job in jobs)
    return ", ".join(f"{counts[state]} {state}" for state in ORDER if state in counts)


def job_table(jobs: Jobs) -> Table:
    """Return the table of the jobs for a terminal or a log, shortened if there are many."""
    names, rows = labels(jobs), shortened(jobs)
    columns: dict[str, list[str]] = {
        "job": [names[name] for name in rows],
        "state": [job.state for job in rows.values()],
        "score": ["" if job.score is None else f"{job.score:.4f}" for job in rows.values()],
        "time": [duration(job.seconds) if job.begun else "" for job in rows.values()],
        "directory": list(rows),
    }
    title = f"{len(jobs)} jobs: {counted(jobs.values())}"
    return text_table(title, columns, text=("state", "directory"), wrapped=True)


def group_table(rows: Sequence[Group]) -> Table:
    """Return the table of groups."""
    rows = rows[:MOST_ROWS]
    columns = {
        "group": [group.overrides for group in rows],
        "jobs": [str(group.jobs) for group in rows],
        "mean": [f"{group.mean:.4f}" for group in rows],
        "standard deviation (n - 1)": [
            "–" if group.std is None else f"{group.std:.4f}" for group in rows
        ],
    }
    return text_table("by group (over seed and fold)", columns, wrapped=True)
