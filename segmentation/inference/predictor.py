"""Images in, label masks and image-level targets out, with a trained model."""

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
from segmentation.models import load_model
from segmentation.system.hardware import fastest_precision

PRECISIONS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""By their names in Lightning: the type that autocast computes in; None for float32 throughout."""
PLAIN = InferenceOptions()
MOST_ENLARGED = 4
"""An image is seen with so many times the pixels of those that were learnt from, at most."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image, as far as it predicts it.

    Attributes:
        labels: `uint8` (H, W), indices of `Predictor.classes`; None of a model that does not
            segment.
        probabilities: `float32` (categories,) of the image's category; empty without one.
        values: `float32` (values,) in their columns' units; empty without any.
    """

    labels: np.ndarray | None
    probabilities: np.ndarray
    values: np.ndarray


class Predictor:
    """Predicts what a trained model was trained for.

    Args:
        model: a run directory, a `.ckpt`, a model directory, or a name of `models.shipped`.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        options: test-time augmentation and windows; none by default.
        precision: a key of `PRECISIONS`, or ``"auto"``: bfloat16 where the hardware has it.
        short_side: pixels that an image's shorter side is resized to for the model, its labels
            back; ``"auto"``: that of the images it learnt from, where an image is more than twice
            or less than half as large and not seen in windows; None: images are seen as they are.
            A model that was trained with images resized to one size always sees that size.

    Attributes:
        size: (height, width) that the model was trained with and sees; None: images' own.
        learnt_size: the median (height, width) of the images it learnt from; None: not known.
        classes: what labels mean; None of a model that does not segment.
        columns: the image-level targets; None of a model without.

    Raises:
        ModelError: `model` is none of these.
        ConfigError: another precision, no such side, or windows for a model that does not segment.
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
                f"{loaded.size[0]}x{loaded.size[1]}, and sees no others. Leave short_side out."
            )
        self.classes = loaded.classes
        self.size = loaded.size
        self.learnt_size = loaded.learnt_size
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
            raise ModelError("this model predicts image-level targets and no labels of pixels.")
        return labels

    def seen_size(self, height: int, width: int) -> Size:
        """Return the height and width at which the model sees an image.

        Args:
            height, width: of the image, in pixels.
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
            zoom = min(zoom, sqrt(MOST_ENLARGED * prod(self.learnt_size) / (height * width)))
        return max(1, round(height * zoom)), max(1, round(width * zoom))

    @torch.inference_mode()
    def predict(self, image: np.ndarray) -> Prediction:
        """Return all that the model says of an image.

        Args:
            image: `uint8` (H, W, 3), RGB.
        """
        resized = np.ascontiguousarray(resize_image(image, self.seen_size(*image.shape[:2])))
        batch = torch.from_numpy(resized).permute(2, 0, 1)[None].to(self.device)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            logits, targets = outputs(self.model, batch)
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
