"""Build the configured model."""

from omegaconf import DictConfig, OmegaConf

from segmentation import models
from segmentation.build.training_options import check_weights
from segmentation.classes import ClassTable
from segmentation.config import plain
from segmentation.data.images.channels import RGB, Channels
from segmentation.targets import TargetColumns


def build_model(
    cfg: DictConfig,
    num_classes: int,
    columns: TargetColumns | None = None,
    classes: ClassTable | None = None,
    channels: Channels = RGB,
) -> models.Model:
    """Return the configured encoder with a decoder, a head for image-level targets, or both.

    Args:
        cfg: `encoder`, `decoder`, `model` and `task`.
        num_classes: of the segmentation.
        columns: the image-level targets; None for none.
        classes: of the segmentation, for `model.weights`.
        channels: of the images.
    """
    earlier = OmegaConf.select(cfg, "model.weights")  # configurations of before lack it
    check_weights(cfg)
    encoder = {
        "name": cfg.encoder.name,
        "weights": "none" if earlier else cfg.encoder.weights,
        "in_channels": len(channels),
    }
    dropout = cfg.task.targets.dropout
    model: models.Model
    if not cfg.task.segmentation and columns is not None:
        model = models.build_target_model(encoder, columns, dropout)
    else:
        model = models.build_model(encoder, plain(cfg.decoder), num_classes, columns, dropout)
    if channels.low:
        model.set_value_range(channels.low, channels.high)
    if earlier:  # its own normalisation comes with its weights
        models.warm_start(model, earlier, classes)
    return model
