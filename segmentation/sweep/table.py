"""The jobs of a sweep as tables: for people while it runs and at its end, and as CSV."""

import csv
import io
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from segmentation.console import duration
from segmentation.sweep.jobs.state import JobState

REPEATS = ("seed", "data.fold")
"""Jobs that differ only in these are one group."""
ROWS = 20
"""The most that are printed; the CSV has all."""
BASELINE = "none of these"
"""A group beside others that has nothing of its own: what an ablation starts from."""
ORDER = ("running", "failed", "interrupted", "finished", "pruned", "waiting")


@dataclass(frozen=True)
class Row:
    """A job in a table.

    Attributes:
        name: its directory.
        overrides: what it is.
        job: its state; None while it waits.
        abandoned: it is said to run, and nobody is at it.
    """

    name: str
    overrides: Sequence[str]
    job: JobState | None = None
    abandoned: bool = False

    @property
    def state(self) -> str:
        """How it stands."""
        if self.job is None:
            return "waiting"
        return "interrupted" if self.abandoned else self.job.state

    @property
    def score(self) -> float | None:
        """Its score, if it has one."""
        return None if self.job is None else self.job.score


@dataclass(frozen=True)
class Group:
    """Finished jobs that differ only in seed or fold.

    Attributes:
        overrides: what they share, as far as other groups have something else.
        std: standard deviation (n - 1); None of a single job.
    """

    overrides: str
    jobs: int
    mean: float
    std: float | None


def labels(rows: Sequence[Row]) -> dict[str, str]:
    """Return, by name, in what each job differs from the others."""
    kept = _varying([row.overrides for row in rows])
    return {row.name: " ".join(words) or row.name for row, words in zip(rows, kept, strict=True)}


def groups(rows: Sequence[Row]) -> list[Group]:
    """Return the groups of scored jobs, the best first; none where each is one job."""
    scores: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in rows:
        if row.score is not None:
            scores[tuple(one for one in sorted(row.overrides) if _key(one) not in REPEATS)].append(
                row.score
            )
    if all(len(one) == 1 for one in scores.values()):
        return []
    words = _varying(list(scores))
    found = [
        Group(
            " ".join(shared) or ("all" if len(words) == 1 else BASELINE),
            len(one),
            statistics.fmean(one),
            statistics.stdev(one) if len(one) > 1 else None,
        )
        for shared, one in zip(words, scores.values(), strict=True)
    ]
    return sorted(found, key=lambda group: -group.mean)


def _varying(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return of each list of overrides those that not all lists have."""
    count: dict[str, int] = defaultdict(int)
    for overrides in jobs:
        for one in set(overrides):
            count[one] += 1
    return [[one for one in overrides if count[one] < len(jobs)] for overrides in jobs]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def to_csv(rows: Sequence[Row]) -> str:
    """Return one line for each job: how it stands, and its overrides in a column each."""
    keys = list(dict.fromkeys(_key(one) for row in rows for one in row.overrides))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["directory", "state", "score", "seconds", "exit_code", "host", "error", *keys])
    for row in rows:
        values = {_key(one): one.partition("=")[2] for one in row.overrides}
        job = row.job
        facts = (
            ["", "", "", "", ""]
            if job is None
            else [job.score, job.seconds, job.exit_code, job.host, job.error.split("\n")[-1]]
        )
        writer.writerow([row.name, row.state, *facts, *(values.get(key, "") for key in keys)])
    return text.getvalue()


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the jobs and their groups, for `--json`: overrides are `{key: text}`."""
    return {
        "jobs": [
            {
                "name": row.name,
                "state": row.state,
                "score": row.score,
                "seconds": row.job and row.job.seconds,
                "exit_code": row.job and row.job.exit_code,
                "error": row.job and row.job.error,
                "overrides": {_key(one): one.partition("=")[2] for one in row.overrides},
            }
            for row in rows
        ],
        "groups": [asdict(one) for one in groups(rows)],
    }


def shown(rows: Sequence[Row], most: int = ROWS) -> list[Row]:
    """Return the rows worth printing: what runs, what failed last, and the best."""
    if len(rows) <= most:
        return sorted(rows, key=_best_first)
    states = defaultdict(list)
    for row in rows:
        states[row.state].append(row)
    latest = sorted(states["failed"] + states["interrupted"], key=_started)[-most // 4 :]
    chosen = states["running"][: most // 2] + latest
    scored = sorted((row for row in rows if row.score is not None), key=_best_first)
    return scored[: most - len(chosen)] + chosen


def _best_first(row: Row) -> tuple[bool, float, int]:
    return row.score is None, -(row.score or 0.0), ORDER.index(row.state)


def _started(row: Row) -> float:
    return row.job.started if row.job is not None else 0.0


def counted(rows: Sequence[Row]) -> str:
    """Return how many jobs are in which state, such as ``"2 running, 6 finished"``."""
    states = [row.state for row in rows]
    return ", ".join(f"{states.count(one)} {one}" for one in ORDER if one in states)


def job_table(rows: Sequence[Row]) -> Table:
    """Return the table of the jobs for a terminal or a log, shortened if there are many."""
    table = Table(title=f"{len(rows)} jobs: {counted(rows)}", title_justify="left")
    for heading in ("job", "state", "score", "time", "directory"):
        table.add_column(
            heading,
            justify="right" if heading in ("score", "time") else "left",
            overflow="fold",
        )
    names = labels(rows)
    for row in shown(rows):
        seconds = "" if row.job is None else duration(row.job.seconds)
        score = "" if row.score is None else f"{row.score:.4f}"
        label = names[row.name] if names[row.name] != row.name else ""
        table.add_row(escape(label), row.state, score, seconds, escape(row.name))
    return table


def group_table(found: Sequence[Group]) -> Table:
    """Return the table of groups."""
    table = Table(title="by group (over seed and fold)", title_justify="left")
    for heading in ("group", "jobs", "mean", "standard deviation (n - 1)"):
        table.add_column(heading, justify="left" if heading == "group" else "right")
    for one in found[:ROWS]:
        spread = "–" if one.std is None else f"{one.std:.4f}"
        table.add_row(escape(one.overrides), str(one.jobs), f"{one.mean:.4f}", spread)
    return table
