"""One training step is seeded by its place, and a frozen encoder stays as it was."""

import pytorch_lightning as pl
import torch
from cut_off import data_of, parts_of

from segmentation.training.module import TrainingModule
from segmentation.training.resuming import seed_step


def drawn(seed=0, epoch=0, batch=0, rank=0):
    seed_step(seed, epoch, batch, rank)
    return torch.rand(4).tolist()


def test_each_part_of_a_steps_place_changes_what_is_drawn():
    places = [{}, {"seed": 1}, {"epoch": 1}, {"batch": 1}, {"rank": 1}]
    draws = [drawn(**place) for place in places]
    assert draws == [drawn(**place) for place in places]
    assert len({tuple(draw) for draw in draws}) == len(places)


def test_the_module_seeds_a_step_by_seed_epoch_batch_and_rank(monkeypatch):
    module = untrained(seed=5)
    monkeypatch.setattr(TrainingModule, "current_epoch", 3)
    monkeypatch.setattr(TrainingModule, "global_rank", 2)
    module.on_train_batch_start({}, 7)
    assert torch.rand(4).tolist() == drawn(5, 3, 7, 2)


def untrained(seed):
    module = TrainingModule.__new__(TrainingModule)
    pl.LightningModule.__init__(module)
    module.seed = seed
    return module


class Statistics(pl.Callback):
    """Note the encoder's state at the end of each epoch, after validation."""

    def __init__(self):
        self.states = []
        self.modes = []

    def on_train_batch_end(self, trainer, module, *_):
        self.modes.append(module.model.encoder.training)

    def on_train_epoch_end(self, trainer, module):
        self.states.append({k: v.clone() for k, v in module.model.encoder.state_dict().items()})


def same(one, other, word):
    return all(torch.equal(one[key], other[key]) for key in one if word in key)


def test_a_frozen_encoder_keeps_its_weights_and_its_batch_norm_statistics(tmp_path):
    module, data = parts_of(data_of(tmp_path), frozen=2)
    before = {k: v.clone() for k, v in module.model.encoder.state_dict().items()}
    noted = Statistics()
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, use_distributed_sampler=False,
        max_epochs=3, callbacks=[noted], log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    assert any("running_mean" in key for key in before)
    steps = len(noted.modes) // 3
    assert noted.modes == [False] * (2 * steps) + [True] * steps
    for state in noted.states[:2]:
        assert same(before, state, "")
    assert not same(before, noted.states[2], "running_mean")
    assert not same(before, noted.states[2], "weight")
