"""A slow-down is noticed without timing: operators, bytes and files that work takes.

Where a change makes one of these figures smaller, lower it here. A larger one needs a reason.
"""

import sys
from collections import Counter
from functools import partial

import pytest
import torch
from fakes import fake_camvid
from small_models import pictures, small_unet
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from segmentation.data.cache.cache import open_pairs
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.training.losses import CrossEntropy, Dice, WeightedSum

BATCH, SIDE, CLASSES = 2, 64, 5
SLACK = 1.02
"""Versions of PyTorch differ by some operators."""
OPERATORS = {"forward": 158, "loss": 41, "backward": 167, "optimizer": 235}
MEGABYTES = {"forward": 5.712, "loss": 0.574, "backward": 8.843, "optimizer": 3.498}


class Cost(TorchDispatchMode):
    """Counts operators, and the bytes of the tensors that they write."""

    def __init__(self):
        super().__init__()
        self.operators, self.bytes = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.operators += 1
            tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.nbytes for tensor in tensors)
        return result


def training_step():
    """Return the cost of each part of a training step."""
    model = small_unet(CLASSES).train()
    loss_of = WeightedSum({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 1.0})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    images = pictures(BATCH, 3, SIDE, SIDE)
    target = torch.arange(BATCH * SIDE * SIDE).reshape(BATCH, SIDE, SIDE) % CLASSES
    costs = {}

    def counted(name, work):
        with Cost() as costs[name]:
            return work()

    logits = counted("forward", partial(model, images))
    loss, _ = counted("loss", lambda: loss_of(logits, target))
    counted("backward", loss.backward)
    counted("optimizer", optimizer.step)
    return costs


@pytest.fixture(scope="module")
def costs():
    return training_step()


@pytest.mark.parametrize("part", OPERATORS)
def test_a_training_step_takes_no_more_operators_and_writes_no_more_bytes(part, costs):
    assert 0 < costs[part].operators <= OPERATORS[part] * SLACK
    assert 0 < costs[part].bytes / 1e6 <= MEGABYTES[part] * SLACK


_opened: list[str] = []
sys.addaudithook(lambda event, args: _opened.append(str(args[0])) if event == "open" else None)


def files_opened(work, below):
    """Return how often `work` opens each file of a folder."""
    _opened.clear()
    work()
    return Counter(path.rpartition("/")[2] for path in _opened if path.startswith(str(below)))


@pytest.fixture
def source(tmp_path):
    splits = find_splits(fake_camvid(tmp_path / "data", {"train": 4, "val": 2}))
    return scan_dataset(tmp_path / "data", splits, "camvid")


def test_a_sample_that_is_not_cached_opens_its_image_and_its_mask_once(source, tmp_path):
    data = SegmentationData(open_pairs(source, "off"), batch_size=2, workers=0)
    opened = files_opened(lambda: data.train_set[0, 1], tmp_path / "data")
    name = source.samples["train"][1].image.name
    assert opened == {name: 2}  # an image and a mask have the same name


def test_a_cached_sample_opens_no_file(source, tmp_path):
    data = SegmentationData(open_pairs(source, "disk"), batch_size=2, workers=0)
    assert files_opened(lambda: data.train_set[0, 1], tmp_path) == {}


def test_finding_a_known_data_set_opens_no_image(source, tmp_path):
    root = tmp_path / "data"

    def again():
        return scan_dataset(root, find_splits(root), "camvid")

    assert set(files_opened(again, root)) == set()
