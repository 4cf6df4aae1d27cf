import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fakes import CLASSES, fake_camvid, pairs_of
from PIL import Image
from torch import nn

from segmentation.classes import VOID
from segmentation.data.datamodule import SegmentationData
from segmentation.metrics.boundary import band_counts, contour_counts
from segmentation.metrics.calibration import BINS
from segmentation.metrics.counting import confidence_counts, upsampled
from segmentation.runs.views import labels_of
from segmentation.training.per_image_metrics import PerImageConfusion, PerImageDetails
from segmentation.training.scoring import ScoringModule


class ByColor(nn.Module):
    """Predicts the class that the fake data hide in their colours; no weights to speak of."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        level = images.float().mean(dim=1, keepdim=True)
        centres = torch.arange(11.0).view(1, -1, 1, 1) * 20 + 14
        return -self.scale * (level - centres) ** 2


def scored(data, split="val"):
    module = ScoringModule(ByColor(), CLASSES)
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
    return module


def split_of(root, **options):
    return SegmentationData(
        {"val": pairs_of(root, "val")}, **{"workers": 0, "batch_size": 2, **options}
    )


def test_each_image_is_scored_at_its_labels_own_resolution(tmp_path):
    root = fake_camvid(tmp_path, {"val": 5})
    data = split_of(root, size=(24, 32))
    module = scored(data)
    assert module.confusion.shape == (5, 11, 11)
    for sample, matrix in zip(data.datasets["val"].pairs.samples, module.confusion, strict=True):
        mask = np.asarray(Image.open(sample.mask))
        assert matrix.sum() == (mask != 11).sum()
        np.testing.assert_array_equal(
            matrix.sum(axis=1), np.bincount(mask[mask != 11], minlength=11)
        )
    assert module.scores.miou > 0.3  # the colours do tell


@pytest.mark.parametrize("batch_size", [1, 3, 5])
def test_the_batch_size_does_not_change_a_count(tmp_path, batch_size):
    root = fake_camvid(tmp_path, {"val": 5})
    expected = scored(split_of(root, batch_size=2)).confusion
    np.testing.assert_array_equal(scored(split_of(root, batch_size=batch_size)).confusion, expected)


def test_images_of_different_sizes(tmp_path):
    fake_camvid(tmp_path, {"val": 2}, size=(48, 64))
    (tmp_path / "val" / "val_001.png").rename(tmp_path / "val" / "other.png")
    (tmp_path / "valannot" / "val_001.png").rename(tmp_path / "valannot" / "other.png")
    fake_camvid(tmp_path, {"val": 1}, size=(40, 56), seed=1)
    together = scored(split_of(tmp_path)).confusion
    alone = scored(split_of(tmp_path, batch_size=1)).confusion
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(
        scored(split_of(tmp_path, size=(24, 32))).confusion,
        scored(split_of(tmp_path, size=(24, 32), batch_size=1)).confusion,
    )


def test_an_image_that_comes_twice_counts_once():
    metric = PerImageConfusion(2)
    first, second = torch.eye(2, dtype=torch.int64), 2 * torch.eye(2, dtype=torch.int64)
    metric.update(torch.tensor([1]), second[None])
    metric.update(torch.tensor([0, 1]), torch.stack([first, second]))
    np.testing.assert_array_equal(metric.compute(), torch.stack([first, second]).numpy())


def test_void_is_never_predicted_and_never_counted():
    module = ScoringModule(ByColor(), CLASSES)
    batch = {
        "image": torch.randint(0, 255, (2, 3, 8, 8), dtype=torch.uint8),
        "mask": torch.full((2, 8, 8), VOID, dtype=torch.uint8),
        "index": torch.arange(2),
        "name": ["a", "b"],
    }
    module.validation_step(batch, 0)
    module.on_validation_epoch_end()
    assert module.confusion.sum() == 0
    assert np.isnan(module.scores.miou)


def detailed(root, batch_size=2, **options):
    data = split_of(root, batch_size=batch_size, **options)
    return data.datasets["val"], scored(data)


@pytest.mark.parametrize("size", [None, (24, 32)])
def test_a_test_counts_boundaries_and_confidence_at_the_labels_own_resolution(tmp_path, size):
    dataset, module = detailed(fake_camvid(tmp_path, {"val": 3}), size=size)
    found = module.details
    assert {name: np.shape(one) for name, one in found.items()} == {
        "boundary": (3, 11, 2), "boundary_f": (3, 11, 4), "calibration": (3, 11, BINS, 3),
        "view": (3,),
    }  # fmt: skip
    for index in range(3):
        truth = np.asarray(dataset[index]["mask"])
        logits = upsampled(module.model(dataset[index]["image"][None]), truth.shape)[0]
        labels = logits.argmax(0).numpy().astype(np.uint8)
        np.testing.assert_array_equal(found["boundary"][index], band_counts(truth, labels, 11))
        np.testing.assert_array_equal(found["boundary_f"][index], contour_counts(truth, labels, 11))
        counts = confidence_counts(torch.from_numpy(truth), logits)
        np.testing.assert_array_equal(found["calibration"][index], counts)
        np.testing.assert_array_equal(labels_of(found["view"][index]), labels)  # it is small
        assert counts[..., 0].sum() == module.confusion[index].sum()
        assert counts[..., 1].sum() == np.trace(module.confusion[index])


def test_views_stay_with_their_images_whatever_comes_twice_and_in_which_order():
    metric = PerImageDetails(2)
    maps = [torch.full((4, 4 + index), index, dtype=torch.int64) for index in (0, 1, 0)]
    for index in (2, 0, 1, 2):
        logits = torch.zeros(2, *maps[index].shape)
        metric.add(torch.tensor(index), maps[index], maps[index], logits)
    views = [labels_of(view) for view in metric.compute()["view"]]
    assert len(views) == 3
    for view, labels in zip(views, maps, strict=True):
        np.testing.assert_array_equal(view, labels)


def test_a_validation_counts_no_details(tmp_path):
    module = ScoringModule(ByColor(), CLASSES)
    data = split_of(fake_camvid(tmp_path, {"val": 2}))
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.validate(module, dataloaders=data.scoring_dataloader("val"), verbose=False)
    assert module.confusion.sum()
    assert module.details == {}
