"""The 19-class protocol against the data set's own evaluation script."""

import copy

import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official  # noqa: N813
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import nn

from segmentation.classes import CITYSCAPES
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.metrics.counting import label_map
from segmentation.training.scoring import ScoringModule

TRAINED = [entry.index for entry in CITYSCAPES if not entry.void]


class Striped(nn.Module):
    """Predicts the labels that the image hides in its red channel, and mistakes some."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        level = images[:, :1].float()
        return -self.scale * (level / 8 - torch.arange(19.0).view(1, -1, 1, 1)).abs()


@pytest.fixture
def miniature(tmp_path):
    """Four images of every labelId, drawn in blocks, as the official packages lay them out."""
    rng = np.random.default_rng(0)
    indices = np.array([entry.index for entry in CITYSCAPES], dtype=np.uint8)
    for number in range(4):
        mask = np.kron(rng.choice(indices, (6, 10)), np.ones((8, 8), np.uint8))
        label = np.array([TRAINED.index(i) if i in TRAINED else 3 for i in range(34)])[mask]
        noisy = np.where(rng.random(mask.shape) < 0.3, rng.integers(0, 19, mask.shape), label)
        image = np.repeat((noisy * 8).astype(np.uint8)[..., None], 3, axis=2)
        stem = f"ulm_{number:06d}_000019"
        for kind, ending, array in (
            ("leftImg8bit", "leftImg8bit", image), ("gtFine", "gtFine_labelIds", mask),
            ("gtFine", "gtFine_instanceIds", mask.astype(np.uint16)),
        ):  # fmt: skip
            folder = tmp_path / kind / "val" / "ulm"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / f"{stem}_{ending}.png")
    return tmp_path


def test_scores_equal_the_official_ones_on_the_same_predictions(miniature, tmp_path):
    source = scan_dataset(miniature, find_splits(miniature), "cityscapes")
    data = SegmentationData(
        {"val": Pairs(source.samples["val"], source.labels)}, batch_size=2, workers=0
    )
    module = ScoringModule(Striped(), source.labels.classes)
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.test(module, dataloaders=data.scoring_dataloader("val"), verbose=False)

    predictions, truths = [], []
    for sample, batch in zip(source.samples["val"], data.datasets["val"], strict=True):
        labels = label_map(module.model(batch["image"][None]), batch["mask"].shape)[0].numpy()
        path = tmp_path / f"{sample.image.stem}_pred.png"
        Image.fromarray(np.array(TRAINED, dtype=np.uint8)[labels]).save(path)
        predictions.append(str(path))
        truths.append(str(sample.mask))
    options = copy.copy(official.args)
    options.quiet, options.JSONOutput, options.evalInstLevelScore = True, False, False
    theirs = official.evaluateImgLists(predictions, truths, options)

    ours = module.scores
    assert ours.miou == pytest.approx(theirs["averageScoreClasses"], abs=1e-12)
    assert 0.2 < ours.miou < 0.95
    for name, iou in zip(source.labels.classes.names, ours.iou, strict=True):
        assert iou == pytest.approx(theirs["classScores"][name], abs=1e-12)
