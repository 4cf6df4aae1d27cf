"""Sweeps over the stub of train.py, and what they leave."""

import csv
import json
from pathlib import Path
from typing import Any

from commands import Result, run, run_child

from segmentation.sweep.jobs.state import JobState, read_job

STUB = "tests/helpers/stub_train.py"


def sweep(
    directory: Path, *arguments: str, child: bool = False, script: str = STUB, **environment: str
) -> Result:
    """Run a sweep as people type it, without GPUs unless said otherwise."""
    environment = {"CUDA_VISIBLE_DEVICES": "", **environment}
    command = run_child if child else run
    return command(script, "-m", *arguments, f"hydra.sweep.dir={directory}", **environment)


def jobs(directory: Path) -> dict[str, JobState]:
    """Return the jobs of a sweep by the overrides they have."""
    found = [read_job(path.parent) for path in directory.rglob("job.json")]
    return {" ".join(job.overrides): job for job in found if job is not None}


def starts(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what each child noted at each start, by the job's directory."""
    return {
        path.parent.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in directory.rglob("starts.jsonl")
    }


def table(directory: Path) -> list[dict[str, str]]:
    """Return the rows of jobs.csv."""
    with (directory / "jobs.csv").open(newline="") as file:
        return list(csv.DictReader(file))
