"""Images in, label masks out, with a trained model."""

from pathlib import Path

import numpy as np
import torch

from segmentation.data.transforms import resize_image
from segmentation.hardware import fastest_precision
from segmentation.models import load_model
from segmentation.scores import label_map


class Predictor:
    """Segments images with a trained model.

    Args:
        model: a run directory, a `.ckpt`, or a model directory.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        ModelError: `model` is none of these.
    """

    def __init__(self, model: str | Path, device: str = "cpu") -> None:
        loaded = load_model(Path(model).expanduser())
        self.classes = loaded.classes
        self.size = loaded.size
        self.device = torch.device(device)
        self.bfloat16 = fastest_precision(device) == "bf16-mixed"
        self.model = loaded.model.to(self.device)

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the label of every pixel.

        Args:
            image: `uint8` (H, W, 3), RGB.

        Returns:
            `uint8` (H, W), indices of `classes`.
        """
        resized = np.ascontiguousarray(resize_image(image, self.size))
        batch = torch.from_numpy(resized).permute(2, 0, 1)[None].to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(batch)
        return label_map(logits, image.shape[:2])[0].to(torch.uint8).cpu().numpy()
