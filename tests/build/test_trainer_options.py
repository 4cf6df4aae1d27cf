"""Numbers of Lightning's trainer that it would divide by, ignore or refuse late."""

import pytest

from segmentation.build.trainer_options import check_numbers
from segmentation.errors import ConfigError
from segmentation.training.limits import check_epoch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_nodes": 0}, r"trainer\.num_nodes=0: expected a whole number of 1"),
        ({"val_check_interval": 0}, r"val_check_interval=0: expected a whole number of 1"),
        ({"val_check_interval": 1.5}, r"val_check_interval=1\.5: expected a whole number of batch"),
        ({"check_val_every_n_epoch": 0}, r"check_val_every_n_epoch=0: expected a whole number"),
        ({"check_val_every_n_epoch": None}, r"also pass trainer\.val_check_interval=<batches>"),
        (
            {"check_val_every_n_epoch": None, "val_check_interval": 0.5},
            r"also pass trainer\.val_check_interval=<batches>",
        ),
        ({"gradient_clip_val": -1}, r"gradient_clip_val is -1: it must be a number, 0 or more"),
        ({"max_epochs": 0}, r"trainer\.max_epochs=0: expected a whole number of 1"),
        ({"max_steps": -5}, r"trainer\.max_steps=-5: expected a whole number of 1"),
        ({"min_epochs": 5, "max_epochs": 2}, r"min_epochs=5 is more than trainer\.max_epochs=2"),
        ({"min_steps": 9, "max_steps": 3}, r"min_steps=9 is more than trainer\.max_steps=3"),
    ],
    ids=str,
)
def test_numbers_that_lightning_divides_by_or_ignores_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        check_numbers(options)


@pytest.mark.parametrize(
    "options",
    [
        {"val_check_interval": 1.0, "max_epochs": -1},
        {"val_check_interval": 7, "check_val_every_n_epoch": None},
        {"val_check_interval": "00:00:10:00", "check_val_every_n_epoch": None},
        {"min_epochs": 2, "max_epochs": 2, "max_steps": -1, "gradient_clip_val": None},
    ],
    ids=str,
)
def test_numbers_that_lightning_takes_are_accepted(options):
    check_numbers(options)
    check_epoch(options, 8, 2)
