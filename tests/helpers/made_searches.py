"""Sweep directories as a search leaves them, made in a moment: job files and a study."""

import json
import random
from contextlib import contextmanager
from math import log10

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

from segmentation.sweep.jobs.state import JobState, write_job
from segmentation.sweep.search.storage import write_study_file


@contextmanager
def quick_sqlite():
    """SQLite does not wait for the disk: a test's files need not outlive a power cut."""

    def set_pragma(connection, record):
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", set_pragma)
    yield
    event.remove(Engine, "connect", set_pragma)


SPACE = {
    "optimizer.lr": FloatDistribution(1e-4, 1e-2, log=True),
    "encoder": CategoricalDistribution(("resnet18", "resnet50")),
}


def write_run(directory, overrides, state="finished", error="", **metrics):
    """Write what a job leaves."""
    directory.mkdir(parents=True)
    score = metrics.get("score") if state in ("finished", "pruned") else None
    write_job(directory, JobState(overrides, state, score, seconds=75.0, error=error))
    if score is not None:
        (directory / "metrics.json").write_text(json.dumps(metrics))


def make_search(sweep, trials=30, objectives=("score",)):
    """Write a search whose learning rate matters, whose encoder hardly does; some jobs end badly.

    The score is 0.7 at a learning rate of 1e-3 and falls by 0.1 for each factor of ten.
    """
    sweep.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ways = {"score": "maximize", "latency_ms": "minimize"}
    study = optuna.create_study(
        storage=f"sqlite:///{sweep / 'study.db'}",
        study_name="search",
        directions=[ways[name] for name in objectives],
    )
    study.set_user_attr("settings", {"objectives": list(objectives), "searched": list(SPACE)})
    write_study_file(sweep, None, "search")
    chance = random.Random(0)
    study.add_trials([_trial(sweep, number, objectives, chance) for number in range(trials)])
    return study


def _trial(sweep, number, objectives, chance):
    rate, encoder = 10 ** chance.uniform(-4, -2), chance.choice(["resnet18", "resnet50"])
    name = f"job-{number:03}"
    overrides = ["data=camvid", f"optimizer.lr={rate:.6g}", f"encoder={encoder}"]
    metrics = {
        "score": 0.7 - 0.1 * abs(log10(rate) + 3) + 0.001 * (encoder == "resnet50"),
        "latency_ms": 20.0 + 30 * (encoder == "resnet50") + number % 7,
        "parameters": 14_000_000,
    }
    known = {
        "params": {"optimizer.lr": rate, "encoder": encoder},
        "distributions": SPACE,
        "user_attrs": {"directory": name},
    }
    if number % 10 == 7:
        write_run(sweep / name, overrides, "failed", error="Traceback\nerror: <b>no</b> memory")
        return optuna.create_trial(state=TrialState.FAIL, **known)
    if number % 10 == 8 and len(objectives) == 1:
        value = metrics["score"] / 2
        write_run(sweep / name, overrides, "pruned", **{**metrics, "score": value}, pruned=4)
        reported = {"value": value, "intermediate_values": {3: value}}
        return optuna.create_trial(state=TrialState.PRUNED, **reported, **known)
    write_run(sweep / name, overrides, **metrics)
    return optuna.create_trial(values=[metrics[one] for one in objectives], **known)
