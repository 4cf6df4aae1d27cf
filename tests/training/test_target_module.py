"""Scoring and training with image-level targets, without the commands."""

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fakes import CLASSES, fake_camvid, pairs_of

from segmentation.data.datamodule import SegmentationData
from segmentation.data.targets.table import TargetTable
from segmentation.models import Encoder, TargetModel, UNet
from segmentation.targets import NO_CATEGORY, TargetColumns
from segmentation.training.losses import CrossEntropy, TargetLoss, TaskLoss, WeightedSum, Weighting
from segmentation.training.module import LOSS_LR_FACTOR, TrainingModule
from segmentation.training.monitor import monitor_of
from segmentation.training.per_image_metrics import PerImageTargets
from segmentation.training.schedules import constant
from segmentation.training.scoring import ScoringModule

COLUMNS = TargetColumns("scene", ("a", "b"), ("x", "y"), (5.0, 0.0), (2.0, 1.0))
NAN = float("nan")


def model(segments=True, columns=COLUMNS):
    torch.manual_seed(0)
    encoder = Encoder("test_resnet", weights="none")
    if not segments:
        return TargetModel(encoder, columns).eval()
    return UNet(encoder, 11, columns, channels=(16, 16, 8, 8, 8)).eval()


def table(images):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(images, 2)).astype(np.float32)
    values[0] = NAN
    return TargetTable(np.arange(images) % 3 - 1, values)


def trainer(**options):
    return pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, **options,
    )  # fmt: skip


def scored(network, root, count, **options):
    pairs = {"val": pairs_of(root, "val")}
    data = SegmentationData(
        pairs, targets={"val": table(count)}, **{"workers": 0, "batch_size": 2, **options}
    )
    module = ScoringModule(network, CLASSES if isinstance(network, UNet) else None)
    trainer().test(module, dataloaders=data.scoring_dataloader("val"), verbose=False)
    return module


@pytest.mark.parametrize("segments", [True, False])
@pytest.mark.parametrize("sizes", [[(48, 64)], [(48, 64), (40, 56)]], ids=["one", "several"])
def test_each_image_is_predicted_once_and_in_order(tmp_path, segments, sizes):
    for number, size in enumerate(sizes):
        fake_camvid(tmp_path, {"val": 5 - 2 * number}, size=size, seed=number)
    network = model(segments)
    module = scored(network, tmp_path, 5)
    truth, found = table(5), module.predictions
    np.testing.assert_array_equal(found.category, truth.category)
    np.testing.assert_array_equal(found.values, truth.values)
    for index, (image, _) in enumerate(pairs_of(tmp_path, "val")):
        with torch.no_grad():
            batch = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
            alone = network.forward_all(batch).targets
        np.testing.assert_allclose(
            found.probabilities[index], alone.category.softmax(dim=1)[0], atol=1e-4
        )
        units = alone.values[0] * torch.tensor(COLUMNS.std) + torch.tensor(COLUMNS.mean)
        np.testing.assert_allclose(found.predicted[index], units, atol=1e-3)
    assert (module.scores is None) == (not segments)
    assert module.target_scores.category.images == (truth.category != NO_CATEGORY).sum()
    assert module.target_scores.values["x"].images == 4


def test_targets_change_no_score_of_the_segmentation(tmp_path):
    root = fake_camvid(tmp_path, {"val": 5})
    torch.manual_seed(0)
    plain = UNet(Encoder("test_resnet", weights="none"), 11, channels=(16, 16, 8, 8, 8)).eval()
    np.testing.assert_array_equal(
        scored(plain, root, 5).confusion, scored(model(), root, 5).confusion
    )


def test_an_image_that_comes_twice_counts_once():
    metric = PerImageTargets(COLUMNS)
    rows = torch.arange(6.0).view(3, 2)
    category = torch.tensor([0, NO_CATEGORY, 1])
    for index in ([2, 0], [1, 2]):
        metric.update(torch.tensor(index), rows[index], rows[index], category[index], rows[index])
    found = metric.compute()
    np.testing.assert_array_equal(found["probabilities"], rows)
    assert found["category"].tolist() == category.tolist()
    metric.reset()
    assert {name: len(array) for name, array in metric.compute().items()} == dict.fromkeys(found, 0)


@pytest.mark.parametrize(
    ("network", "key"),
    [
        (lambda: model(), "val/miou"),
        (lambda: model(segments=False), "val/macro_f1"),
        (lambda: model(False, TargetColumns(values=("x",), mean=(0.0,), std=(1.0,))), "val/ccc"),
    ],
)
def test_what_says_which_weights_are_the_best(network, key):
    monitor = monitor_of(network())
    assert monitor.key == key
    scores = {"miou": 0.1, "targets": {"category": {"macro_f1": 0.2}, "ccc": None}}
    assert str(monitor.of(scores)) == {"val/miou": "0.1", "val/macro_f1": "0.2"}.get(key, "nan")


def test_learned_weights_of_losses_are_trained_and_kept(tmp_path):
    root = fake_camvid(tmp_path, {"train": 4, "val": 3})
    pairs = {split: pairs_of(root, split) for split in ("train", "val")}
    targets = {"train": table(4), "val": table(3)}
    data = SegmentationData(pairs, targets=targets, batch_size=2, workers=0)
    tasks = ("segmentation", "category", "values")
    loss = TaskLoss(
        WeightedSum({"ce": CrossEntropy()}, {"ce": 1.0}),
        TargetLoss(COLUMNS),
        Weighting(tasks, dict.fromkeys(tasks, 1.0), "uncertainty"),
    )
    module = TrainingModule(
        model(), CLASSES, loss,
        optimizer=partial(torch.optim.AdamW, lr=1e-3), schedule=partial(constant, warmup=0.0),
    )  # fmt: skip
    running = trainer(max_epochs=2)
    running.fit(module, datamodule=data)
    groups = {group["name"]: group for group in running.optimizers[0].param_groups}
    assert groups["loss"]["weight_decay"] == 0
    assert groups["loss"]["lr"] == pytest.approx(LOSS_LR_FACTOR * groups["decoder"]["lr"])
    assert (loss.weighting.log_variance != 0).all()
    logged = running.callback_metrics
    for key in ("val/miou", "val/accuracy", "val/macro_f1", "val/rmse_x", "val/pearson_y",
                "val/ccc_x", "val/ccc", "train/category", "train/values", "train/segmentation",
                "train/weight_values"):  # fmt: skip
        assert key in logged, key
    assert logged["val/rmse_x"].item() == pytest.approx(module.target_scores.values["x"].rmse)
    checkpoint: dict = {}
    module.on_save_checkpoint(checkpoint)
    assert checkpoint["scores"]["targets"] == module.target_scores.to_dict()
    assert checkpoint["scores"]["miou"] == module.scores.miou
