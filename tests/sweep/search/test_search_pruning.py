"""The callback that prunes, in a real trainer: reports, stops, resumes, and outlives an outage."""

import logging
import sqlite3

import optuna
import pytest
import pytorch_lightning as pl
import torch
from optuna.trial import TrialState
from torch import nn

from segmentation.sweep.search.pruning import Pruning
from segmentation.sweep.search.storage import connect
from segmentation.sweep.search.trials import TrialFile

EPOCHS = 6
EAGER = {"name": "MedianPruner", "n_startup_trials": 0}


class Rising(pl.LightningModule):
    """Trains nothing, and has the score that the test says of each epoch."""

    def __init__(self, scores):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.scores = scores
        self.trained = []

    def training_step(self, batch, index):
        self.trained.append(self.current_epoch)
        return self.weight.sum()

    def validation_step(self, batch, index):
        self.log("val/miou", torch.tensor(self.scores[self.current_epoch]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(module, *callbacks, checkpoint=None, save_to=None):
    trainer = pl.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, callbacks=[*callbacks],
        num_sanity_val_steps=1,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(torch.zeros(1, 1))
    trainer.fit(module, loader, loader, ckpt_path=checkpoint)
    if save_to is not None:
        trainer.save_checkpoint(save_to)


@pytest.fixture
def study(tmp_path):
    """A study in a file, with five finished trials that had 0.5 at every epoch."""
    study = optuna.create_study(
        storage=connect(f"sqlite:///{tmp_path / 'study.db'}"), study_name="s", direction="maximize"
    )
    for _ in range(5):
        values = dict.fromkeys(range(EPOCHS), 0.5)
        study.add_trial(optuna.create_trial(value=0.5, intermediate_values=values))
    return study


@pytest.fixture
def trial_file(tmp_path, study):
    def make(after=0.0):
        trial = study.ask()
        url = f"sqlite:///{tmp_path / 'study.db'}"
        TrialFile(url, "s", trial._trial_id, EAGER, after).write(tmp_path)
        return TrialFile.read(tmp_path)

    return make


def test_a_run_that_is_no_trial_has_no_such_callback(tmp_path):
    assert Pruning.of_run(tmp_path, "val/miou") is None


def test_a_trial_that_was_good_once_runs_to_its_end(tmp_path, study, trial_file):
    """The pruner looks at the best epoch so far, as the score does."""
    trial_file()
    callback = Pruning.of_run(tmp_path, "val/miou")
    module = Rising([0.6, 0.61, 0.3, 0.2, 0.2, 0.2])
    fit(module, callback)
    assert callback.pruned is None
    assert module.trained == list(range(EPOCHS))
    assert study.trials[-1].intermediate_values == pytest.approx(dict(enumerate(module.scores)))


@pytest.mark.parametrize(("after", "pruned"), [(0.0, 1), (0.3, 2), (0.5, 4)])
def test_it_stops_after_the_share_of_the_epochs(tmp_path, study, trial_file, after, pruned):
    callback = Pruning(trial_file(after), "val/miou")
    module = Rising([0.1] * EPOCHS)
    fit(module, callback)
    assert callback.pruned == pruned
    assert module.trained == list(range(pruned))
    assert len(study.trials[-1].intermediate_values) == pruned
    study.tell(study.trials[-1].number, state=TrialState.PRUNED)
    assert study.trials[-1].value == pytest.approx(0.1)


def test_nothing_is_left_to_save_in_the_last_epoch(trial_file):
    callback = Pruning(trial_file(after=5 / 6), "val/miou")
    fit(Rising([0.1] * EPOCHS), callback)
    assert callback.pruned is None


def test_after_a_resume_first_reports_stay_and_nothing_complains(
    tmp_path, study, trial_file, recwarn
):
    trial = trial_file(after=0.7)
    checkpoint = tmp_path / "first.ckpt"
    first = Rising([0.6, 0.57, 0.5, 0.5, 0.5, 0.5])
    fit(first, Pruning(trial, "val/miou"), StopAfter(1), save_to=checkpoint)
    fit(first, Pruning(trial, "val/miou"), StopAfter(3), checkpoint=checkpoint)  # died after that
    module = Rising([9.0, 0.58, 0.59, 0.6, 0.6, 0.6])
    fit(module, Pruning(trial, "val/miou"), checkpoint=checkpoint)
    assert module.trained == [1, 2, 3, 4, 5]
    assert study.trials[-1].intermediate_values == pytest.approx(
        {0: 0.6, 1: 0.57, 2: 0.5, 3: 0.6, 4: 0.6, 5: 0.6}
    )
    assert not [one for one in recwarn if "already reported" in str(one.message)]


class StopAfter(pl.Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


def test_a_run_that_died_after_it_was_stopped_trains_no_further(tmp_path, trial_file):
    trial = trial_file()
    fit(Rising([0.1] * EPOCHS), Pruning(trial, "val/miou"), save_to=tmp_path / "stopped.ckpt")
    module, callback = Rising([0.1] * EPOCHS), Pruning(trial, "val/miou")
    fit(module, callback, checkpoint=tmp_path / "stopped.ckpt")
    assert module.trained == []
    assert callback.pruned == 1


def test_an_outage_is_one_warning_and_what_was_missed_is_reported(
    tmp_path, study, trial_file, caplog
):
    trial = trial_file()
    database, away = tmp_path / "study.db", tmp_path / "away.db"

    class Outage(pl.Callback):
        def on_validation_start(self, trainer, module):
            if trainer.sanity_checking:
                return
            if trainer.current_epoch == 1:
                database.rename(away)
                sqlite3.connect(database).close()  # an empty one: no table is there
            if trainer.current_epoch == 4:
                away.rename(database)

    callback, module = Pruning(trial, "val/miou"), Rising([0.6] * EPOCHS)
    with caplog.at_level(logging.WARNING, "segmentation"):
        fit(module, Outage(), callback)
    assert module.trained == list(range(EPOCHS))
    said = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert len(said) == 1
    assert said[0].startswith("no pruning for now, training goes on: ")
    assert said[0].endswith(" database")  # what SQLite says, not Optuna's guess at it
    again = optuna.load_study(study_name="s", storage=f"sqlite:///{database}")
    assert again.trials[-1].intermediate_values == pytest.approx(dict.fromkeys(range(EPOCHS), 0.6))


def test_without_a_score_nothing_is_reported(study, trial_file):
    fit(Rising([float("nan")] * EPOCHS), Pruning(trial_file(), "val/miou"))
    fit(Rising([0.1] * EPOCHS), Pruning(trial_file(), "val/other"))
    assert [one.intermediate_values for one in study.trials[-2:]] == [{}, {}]
