"""Items and batches carry the image-level targets."""

import numpy as np
import pytest
import torch
from fakes import fake_camvid, pairs_of

from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import SegmentationDataset
from segmentation.data.targets.table import TargetTable, empty_table
from segmentation.targets import NO_CATEGORY, TargetColumns

VALUES = np.arange(12, dtype=np.float32).reshape(6, 2)
TABLE = TargetTable(np.arange(6) % 3, VALUES)


@pytest.fixture
def pairs(tmp_path):
    root = fake_camvid(tmp_path)
    return {split: pairs_of(root, split) for split in ("train", "val")}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_has_them_by_the_index_of_the_image(pairs, workers):
    targets = {"train": TABLE, "val": TargetTable(TABLE.category[:3], VALUES[:3])}
    data = SegmentationData(pairs, batch_size=2, workers=workers, targets=targets)
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for batch in loader:
            assert batch["category"].dtype == torch.int64
            assert batch["values"].dtype == torch.float32
            assert batch["category"].tolist() == (batch["index"] % 3).tolist()
            np.testing.assert_array_equal(batch["values"], VALUES[batch["index"].numpy()])


def test_without_targets_there_are_none(pairs):
    batch = next(iter(SegmentationData(pairs, batch_size=2, workers=0).train_dataloader()))
    assert not {"category", "values"} & set(batch)


def test_what_stands_in_for_a_bad_file_has_empty_cells(pairs, tmp_path):
    (tmp_path / "train" / "train_002.png").write_bytes(b"")
    data = SegmentationData(pairs, batch_size=6, workers=0, skip=True, targets={"train": TABLE})
    (batch,) = data.train_dataloader()
    bad = batch["index"] == 2
    assert bad.sum() == 1
    assert batch["category"][bad].tolist() == [NO_CATEGORY]
    assert batch["values"][bad].isnan().all()
    assert not batch["values"][~bad].isnan().any()
    item = SegmentationDataset(pairs["train"], skip=True, targets=TABLE)[2]
    assert item["category"] == NO_CATEGORY


def test_an_empty_table():
    columns = TargetColumns(values=("x",), mean=(0.0,), std=(1.0,))
    table = empty_table(3, columns)
    assert table.category.tolist() == [NO_CATEGORY] * 3
    assert table.values.shape == (3, 1)
    assert np.isnan(table.values).all()
