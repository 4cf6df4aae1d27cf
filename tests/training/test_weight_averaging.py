"""The mean of the last weights, against weights that were kept by hand."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from segmentation.errors import ConfigError
from segmentation.training.weight_averaging import MeanOfLast


class Small(pl.LightningModule):
    """A linear layer and a batch norm, whose statistics are buffers; keeps what is validated."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.ends, self.validated = [], []
        self.start, self.last = self.copied(), {}

    def copied(self):
        return {key: value.clone() for key, value in self.state_dict().items()}

    def training_step(self, batch, index):
        return self.net(batch[0]).square().mean()

    def on_validation_epoch_start(self):  # Lightning asks callbacks, which swap, before
        self.validated.append(self.copied())

    def validation_step(self, batch, index):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Ends(pl.Callback):
    """Keeps the trained weights after each step, and at each epoch's last one."""

    def on_train_batch_end(self, trainer, module, *args):
        module.last = module.copied()
        if trainer.is_last_batch:
            module.ends.append(module.copied())


def fit(callback, epochs=5, saver=None, ckpt_path=None, **options):
    module = Small()
    loader = DataLoader(
        TensorDataset(torch.randn(10, 3, generator=torch.Generator().manual_seed(1))), 4
    )
    trainer = pl.Trainer(
        max_epochs=epochs, callbacks=[Ends(), callback, *([saver] if saver else [])],
        accelerator="cpu", logger=False, enable_checkpointing=saver is not None,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, **options,
    )  # fmt: skip
    trainer.fit(module, loader, loader, ckpt_path=ckpt_path, weights_only=False)
    return module


def mean(states):
    return {
        key: torch.stack([state[key] for state in states]).mean(dim=0)
        for key, value in states[0].items()
        if value.is_floating_point()
    }


def close(state, expected):
    for key, value in expected.items():
        torch.testing.assert_close(state[key], value)


def test_it_is_the_mean_of_the_last_epochs_and_before_the_weights_themselves():
    module = fit(MeanOfLast(epochs=3))
    first, second, *last = module.ends
    expected = [first, second, *(mean(last[:count]) for count in (1, 2, 3))]
    for validated, one in zip(module.validated, expected, strict=True):
        close(validated, one)
    close(module.state_dict(), mean(last))
    assert not torch.equal(module.net[0].weight, last[-1]["net.0.weight"])


@pytest.mark.parametrize("epochs", [1, 9])
def test_one_epoch_is_the_last_weights_and_too_many_are_all(epochs):
    module = fit(MeanOfLast(epochs))
    close(module.state_dict(), mean(module.ends[-1:] if epochs == 1 else module.ends))


def test_accumulated_batches_count_at_the_epochs_end():
    module = fit(MeanOfLast(2), accumulate_grad_batches=2)
    close(module.state_dict(), mean(module.ends[-2:]))


@pytest.mark.parametrize("epochs", [0, 1.5, True, None])
def test_a_number_that_cannot_be_is_refused(epochs):
    with pytest.raises(ConfigError, match=r"callbacks\.mean_of_last\.epochs"):
        MeanOfLast(epochs)


def test_validation_within_an_epoch_sees_the_weights_of_that_step():
    module = fit(MeanOfLast(1), epochs=2, val_check_interval=1)
    assert len(module.validated) == 6  # three batches an epoch
    first, *_, last = module.validated
    assert not torch.equal(first["net.0.weight"], module.start["net.0.weight"])
    close(last, mean(module.ends[-1:]))
    assert len({state["net.0.weight"].sum().item() for state in module.validated[:3]}) == 3


def test_a_run_that_ends_early_keeps_its_last_weights_and_is_warned_of(caplog):
    module = fit(MeanOfLast(2), epochs=5, max_steps=4)
    close(module.state_dict(), mean([module.last]))
    assert "the final weights average 0 epochs instead of 2" in caplog.text
    caplog.clear()
    fit(MeanOfLast(9), epochs=2)
    assert "mean_of_last" not in caplog.text


def test_a_run_that_goes_on_for_longer_begins_its_mean_anew(tmp_path):
    saver = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, save_top_k=-1, filename="{epoch}")
    fit(MeanOfLast(2), epochs=4, saver=saver)
    module = fit(MeanOfLast(2), epochs=8, saver=None, ckpt_path=tmp_path / "epoch=2.ckpt")
    assert len(module.ends) == 5  # epochs 4 to 8
    assert len(module.validated) == 5
    for validated, end in zip(module.validated[:3], module.ends[:3], strict=True):
        close(validated, {key: end[key] for key in mean([end])})
    close(module.state_dict(), mean(module.ends[-2:]))


def test_a_mean_that_had_begun_is_not_mixed_with_that_of_a_slightly_longer_run(tmp_path, caplog):
    saver = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, save_top_k=-1, filename="{epoch}")
    fit(MeanOfLast(2), epochs=4, saver=saver)
    module = fit(MeanOfLast(2), epochs=5, ckpt_path=tmp_path / "epoch=3.ckpt")
    close(module.state_dict(), mean(module.ends[-1:]))
    assert "the final weights average 1 epochs instead of 2" in caplog.text
    caplog.clear()
    module = fit(MeanOfLast(2), epochs=4, ckpt_path=tmp_path / "epoch=2.ckpt")  # as it was to be
    assert "mean_of_last" not in caplog.text


def test_a_run_without_a_last_epoch_is_refused():
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs"):
        fit(MeanOfLast(2), epochs=-1, max_steps=4)
