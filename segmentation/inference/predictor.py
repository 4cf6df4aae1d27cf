"""Predict label masks and image-level targets of images with a trained model."""

from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path

import numpy as np
import torch

from segmentation.data.augment.window import Size, resize_image
from segmentation.errors import ConfigError, ModelError, check_count
from segmentation.inference.options import InferenceOptions
from segmentation.inference.test_time import averaged
from segmentation.inference.wrapper import outputs
from segmentation.metrics.counting import label_map
from segmentation.models import Outputs, load_model
from segmentation.system.hardware import fastest_precision

PRECISIONS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""Lightning's precisions, and the dtype of autocast; None: float32 throughout."""
PLAIN = InferenceOptions()
MAX_ENLARGEMENT = 4
"""Most pixels of a resized image, as a multiple of the pixels of a training image."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image.

    Attributes:
        labels: `uint8` (H, W), indices of `Predictor.classes`; None for a model that does not
            segment.
        probabilities: `float32` (categories,) of the image's category; empty without one.
        values: `float32` (values,) in the units of their columns; empty without any.
    """

    labels: np.ndarray | None
    probabilities: np.ndarray
    values: np.ndarray


class Predictor:
    """Runs a trained model on images.

    >>> import numpy as np
    >>> from segmentation import Predictor
    >>> predictor = Predictor("camvid_efficientnet_lite0_long")
    >>> grey = np.full((360, 480, 3), 128, dtype=np.uint8)
    >>> labels = predictor(grey)
    >>> labels.shape, labels.dtype
    ((360, 480), dtype('uint8'))
    >>> predictor.classes.names[:4]
    ('Sky', 'Building', 'Pole', 'Road')

    Args:
        model: a run directory, a `.ckpt`, a model directory, or the name of a shipped model.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        options: test-time augmentation and sliding windows; none by default.
        precision: a key of `PRECISIONS`, or ``"auto"``: bfloat16 where the hardware has it.
        short_side: pixels that an image's shorter side is resized to before the forward pass;
            labels are always at the image's own size. ``"auto"``: the short side of the training
            images, if the image is more than twice or less than half as large and no windows are
            used. None: no resizing. A model trained with images resized to one size always uses
            that size.

    Attributes:
        size: (height, width) that the model was trained with and uses; None: any.
        learnt_size: the median (height, width) of the training images; None: unknown.
        classes: what labels mean; None for a model that does not segment.
        columns: the image-level targets; None for a model without any.
        channels: of the images that the model takes.

    Raises:
        ModelError: `model` is none of these.
        ConfigError: an unknown precision, an invalid `short_side`, or windows for a model that
            does not segment.
    """

    def __init__(
        self,
        model: str | Path,
        device: str = "cpu",
        options: InferenceOptions = PLAIN,
        precision: str = "auto",
        short_side: int | str | None = "auto",
    ) -> None:
        chosen = fastest_precision(device) if precision == "auto" else precision
        if chosen not in PRECISIONS:
            raise ConfigError(f"precision={chosen!r}: use auto, {', '.join(PRECISIONS)}.")
        if isinstance(short_side, str) and short_side != "auto":
            raise ConfigError(f"short_side={short_side!r}: give a number of pixels, auto or null.")
        if not isinstance(short_side, str | None):
            check_count("short_side", short_side, 1)
        loaded = load_model(model)
        if loaded.size is not None and short_side not in ("auto", None):
            raise ConfigError(
                f"short_side={short_side}: this model was trained with images resized to "
                f"{loaded.size[0]}x{loaded.size[1]}, and takes no others. Omit short_side."
            )
        self.classes = loaded.classes
        self.size = loaded.size
        self.learnt_size = loaded.learnt_size
        self.channels = loaded.channels
        self._short_side = None if short_side == "auto" and options.window else short_side
        self.device = torch.device(device)
        self.dtype = PRECISIONS[chosen]
        self.model = averaged(loaded.model, options).to(self.device)
        self.head = loaded.model.target_head
        self.columns = None if self.head is None else self.head.columns

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the label of every pixel, `uint8` (H, W); see `predict`.

        Raises:
            ModelError: the model does not segment.
        """
        labels = self.predict(image).labels
        if labels is None:
            raise ModelError("this model predicts image-level targets only: it does not segment.")
        return labels

    def seen_size(self, height: int, width: int) -> Size:
        """Return the height and width that an image is resized to before the forward pass.

        Args:
            height, width: the image's own, in pixels.
        """
        if self.size is not None:
            return self.size
        zoom = 1.0
        if isinstance(self._short_side, int):
            zoom = self._short_side / min(height, width)
        elif self._short_side == "auto" and self.learnt_size is not None:
            zoom = min(self.learnt_size) / min(height, width)
            if 0.5 <= zoom <= 2:
                zoom = 1.0
            # a long strip would become huge
            zoom = min(zoom, sqrt(MAX_ENLARGEMENT * prod(self.learnt_size) / (height * width)))
        return max(1, round(height * zoom)), max(1, round(width * zoom))

    @torch.inference_mode()
    def predict(self, image: np.ndarray) -> Prediction:
        """Predict the labels of an image, its image-level targets, or both.

        Args:
            image: (H, W, C) with the model's `channels` in their type: `uint8` RGB of most models.
                Of a model with one channel it may be (H, W).

        Raises:
            ModelError: the image has other channels, or another type.
        """
        image = self._checked(image)
        resized = np.ascontiguousarray(resize_image(image, self.seen_size(*image.shape[:2])))
        logits, targets = self._outputs(resized)
        labels, nothing = None, np.zeros(0, np.float32)
        if logits is not None:
            labels = label_map(logits, image.shape[:2])[0].to(torch.uint8).cpu().numpy()
        if self.head is None or targets is None:
            return Prediction(labels, nothing, nothing)
        return Prediction(
            labels,
            targets.category.softmax(dim=1)[0].cpu().numpy(),
            self.head.in_units(targets.values)[0].cpu().numpy(),
        )

    def _checked(self, image: np.ndarray) -> np.ndarray:
        channels = self.channels
        if image.ndim == 2 and len(channels) == 1:
            image = image[..., None]
        if image.ndim != 3 or image.shape[2] != len(channels) or image.dtype != channels.dtype:
            raise ModelError(
                f"the model takes images (H, W, {len(channels)}) of {channels.dtype}: {channels}; "
                f"this one is {image.dtype} {image.shape}."
            )
        return image

    @torch.inference_mode()
    def predict_window(self, pixels: np.ndarray) -> np.ndarray:
        """Return the labels of a part of an image at its own size, `uint8` (H, W).

        Args:
            pixels: see `predict`.

        Raises:
            ModelError: other channels, another type, or a model that does not segment.
        """
        logits, _ = self._outputs(self._checked(pixels))
        if logits is None:
            raise ModelError("this model predicts image-level targets only: it does not segment.")
        return label_map(logits, pixels.shape[:2])[0].to(torch.uint8).cpu().numpy()

    def _outputs(self, image: np.ndarray) -> Outputs:
        if image.dtype == np.uint16:  # which PyTorch does not compute with
            image = image.astype(np.float32)
        batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            return outputs(self.model, batch.to(self.device))
