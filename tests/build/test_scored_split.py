"""What evaluate.py takes from a run's configuration, and refuses before it scores."""

import hydra
import numpy as np
import pytest
from fakes import fake_camvid
from omegaconf import OmegaConf

from segmentation.build.data import find_dataset
from segmentation.build.scored_split import (
    check_room,
    scored_data,
    targets_file,
    targets_fingerprint,
)
from segmentation.build.trainer_options import check_whole
from segmentation.config import CONF
from segmentation.data.targets.table import TargetTable
from segmentation.errors import ConfigError, DataError
from segmentation.runs.per_image_file import MOST_UNPACKED
from segmentation.runs.scored_images import DETAILS


def compose(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("evaluate", ["run=somewhere", *overrides])


def stranger(root):
    """The configuration of a training on streets, as a checkpoint has it."""
    draw = {"seed": 0, "size": [48, 64], "counts": {"train": 1, "val": 1, "test": 1}}
    return {"data": {"name": "streets", "root": str(root), "classes": "camvid", "draw": draw}}


def test_a_run_draws_nothing_wherever_its_configuration_says(tmp_path, monkeypatch):
    monkeypatch.setattr("segmentation.build.data.write_streets", lambda *_: pytest.fail("it draws"))
    absent = tmp_path / "home"
    with pytest.raises(
        DataError, match=f"there is no such folder.*data=streets data.root={absent}"
    ):
        scored_data(compose(), stranger(absent), None, None)
    assert not absent.exists()
    there = fake_camvid(tmp_path / "data", {"train": 1, "val": 2})
    data = scored_data(compose(), stranger(there), None, None)
    assert len(find_dataset(data, ["val"]).samples["val"]) == 2
    typed = scored_data(compose(f"data.root={there}"), stranger(absent), None, None)
    assert typed.root == str(there)


def test_larger_images_than_the_default_are_read_where_that_is_typed(tmp_path):
    there = fake_camvid(tmp_path / "data", {"val": 1})
    trained = stranger(there)
    trained["data"]["max_pixels"] = 2**30
    with pytest.raises(ConfigError, match=r"run=somewhere: .* typed: data\.max_pixels=1073741824"):
        scored_data(compose(), trained, None, None)
    assert scored_data(compose("data.max_pixels=9"), trained, None, None).max_pixels == 9
    trained["data"]["max_pixels"] = 5
    assert scored_data(compose(), trained, None, None).max_pixels == 5


def test_a_hash_of_the_targets():
    category, values = np.array([0, -1]), np.array([[1.0], [np.nan]], np.float32)
    one = targets_fingerprint({"val": TargetTable(category, values)}, "val")
    assert one == targets_fingerprint({"val": TargetTable(category.copy(), values.copy())}, "val")
    assert one != targets_fingerprint({"val": TargetTable(category, values + 1)}, "val")
    assert one != targets_fingerprint({"val": TargetTable(category + 1, values)}, "val")
    assert targets_fingerprint(None, "val") is None


def test_too_many_images_are_refused_before_they_are_scored():
    check_room(14_000, 171)
    each = 8 * 171 * (171 + sum(np.prod(shape) for shape in DETAILS.values()))
    assert MOST_UNPACKED // each == 14_142
    with pytest.raises(DataError, match=r"17,000 images of 171 classes are too many.*14,142"):
        check_room(17_000, 171)


@pytest.mark.parametrize(
    "option", ["limit_val_batches=2", "limit_test_batches=0.5", "fast_dev_run=true",
               "overfit_batches=1"],
)  # fmt: skip
def test_options_that_leave_out_images_are_refused(option):
    name = option.split("=")[0]
    with pytest.raises(ConfigError, match=f"trainer.{name}: a score is of every image"):
        check_whole(compose(f"+trainer.{option}").trainer)
    check_whole(compose("+trainer.fast_dev_run=false").trainer)


def test_a_typed_file_of_targets_has_to_be_there():
    cfg = OmegaConf.create({"targets": "nowhere.csv", "data": {"name": ""}})
    with pytest.raises(ConfigError, match=r"targets=nowhere\.csv: there is no such file"):
        targets_file(cfg, None)
