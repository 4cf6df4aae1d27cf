"""The lines about a training before it starts."""

from types import SimpleNamespace

import pytest

from segmentation.commands.train.summary import _epochs


@pytest.mark.parametrize(
    ("epochs", "words"), [(1, "1 epoch of 5 batches of 2"), (3, "3 epochs of 5"), (-1, "epochs of")]
)
def test_the_length_of_a_training(epochs, words):
    loaders = SimpleNamespace(train_set=range(10), batch_size=2)
    trainer = SimpleNamespace(max_epochs=epochs, max_steps=-1)
    assert _epochs({"max_time": None}, loaders, trainer).startswith(words)
