"""Run predict.py with a tiny model on pictures of noise."""

import numpy as np
import pytest
from commands import run
from fakes import CLASSES
from PIL import Image

from segmentation.models import build_model, save_model

OPTIONS = ["device=cpu", "precision=32-true"]


@pytest.fixture(scope="module", name="model")
def tiny_model(tmp_path_factory):
    """The directory of a model of random weights."""
    folder = tmp_path_factory.mktemp("model")
    encoder = {"name": "test_resnet", "weights": "none"}
    tiny = build_model(encoder, {"channels": [16, 16, 8, 8, 8]}, len(CLASSES)).eval()
    save_model(tiny, folder, CLASSES, None)
    return folder


def picture(path, seed=0, size=(32, 48), **options):
    """Write noise of a size (height, width); return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def predict(model, source, output, *more):
    """Run predict.py."""
    return run(
        "predict.py", f"model={model}", f"input={source}", f"output={output}", *OPTIONS, *more
    )
