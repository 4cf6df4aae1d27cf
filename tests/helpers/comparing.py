"""Runs that are made up, and `compare.py` on them."""

import json

import pytest
from commands import run, succeed
from made_runs import settings, write_run

FAST = ("resamples=1000", "speed=false")


def encoder(name, seed=0, **changes):
    return settings(encoder__name=name, seed=seed, **changes)


@pytest.fixture
def pair(tmp_path):
    """Two runs whose encoders differ; the first is better."""
    return [
        write_run(tmp_path / "one", encoder("vgg16"), 0.2),
        write_run(tmp_path / "two", encoder("resnet34"), -0.1),
    ]


def typed(runs):
    return f"runs=[{','.join(map(str, runs))}]"


def compared(tmp_path, *arguments):
    """Return what compare.py printed, and comparison.json."""
    result = succeed("compare.py", *FAST, f"output={tmp_path / 'out'}", *arguments)
    return result.stdout, json.loads((tmp_path / "out" / "comparison.json").read_text())


def refused(*arguments):
    result = run("compare.py", *FAST, *arguments)
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr
