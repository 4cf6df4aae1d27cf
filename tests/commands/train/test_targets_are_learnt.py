"""The targets of the drawn streets can be learnt from their pictures."""

import csv
import json
from collections import Counter

import numpy as np
import pytest
from commands import succeed


@pytest.mark.slow
def test_a_small_encoder_beats_a_constant_by_far(tmp_path):
    succeed(
        "train.py", f"data.root={tmp_path}/streets", "data.draw.size=[96,128]",
        "data.draw.counts={train: 200, val: 60, test: 100}", "data.crop=null", "data.batch_size=8",
        "augment=light", "logger=none", "trainer=cpu", "trainer.max_epochs=6",
        "task.segmentation=false", "task.targets.category=time_of_day",
        "task.targets.values=[traffic,arousal,valence]", f"hydra.run.dir={tmp_path}/run",
        HF_HUB_OFFLINE="1",  # the weights come from the installed package
    )  # fmt: skip
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())["targets"]
    with (tmp_path / "run" / "target_predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    frequent = Counter(row["time_of_day"] for row in rows).most_common(1)[0][1] / len(rows)
    constant_f1 = 2 * frequent / (1 + frequent) / 3  # always the most frequent of three
    assert constant_f1 < 0.35
    assert found["category"]["macro_f1"] > 0.75
    for column, least in (("traffic", 0.5), ("arousal", 0.55), ("valence", 0.6)):
        spread = np.std([float(row[column]) for row in rows])  # the error of a constant, the mean
        assert found["values"][column]["rmse"] < 0.75 * spread
        assert found["values"][column]["ccc"] > least  # a constant has 0
