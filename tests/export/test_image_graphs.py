"""What a graph does to images is what the predictor does to them, to the last bit."""

import numpy as np
import onnxruntime
import pytest
import torch

from segmentation.data.augment.window import resize_image
from segmentation.export.image_graphs import image_graph, result_graph
from segmentation.metrics.counting import label_map

SIZES = {
    (64, 96): (64, 96),  # as learnt
    (100, 150): (100, 150),  # less than twice as large
    (20, 31): (64, 99),  # enlarged
    (130, 200): (64, 98),  # averaged
    (256, 384): (64, 96),  # averaged, four pixels to one
}


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString())


def picture(height, width, dtype="uint8"):
    high = {"uint8": 256, "uint16": 60_000, "float32": 1000}[dtype]
    return np.random.default_rng(height).integers(0, high, (height, width, 3)).astype(dtype)


@pytest.fixture(scope="module")
def learnt():
    return session(image_graph(3, "uint8", None, (64, 96)))


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_cv2(learnt, size):
    image = picture(*size)
    pixels, own = learnt.run(["pixels", "size"], {"image": np.stack([image, image[::-1]])})
    assert own.tolist() == list(size)
    for each, found in zip((image, image[::-1]), pixels, strict=True):
        wanted = resize_image(np.ascontiguousarray(each), SIZES[size])
        assert found.shape[1:] == SIZES[size]
        assert (found.transpose(1, 2, 0) != wanted).mean() < 1e-3  # halves, rounded either way


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(30, 41), (200, 90)])
def test_images_of_every_type_are_resized_to_a_fixed_size(dtype, size):
    image = picture(*size, dtype)
    graph = session(image_graph(3, dtype, (48, 64), (64, 96)))
    found = graph.run(["pixels"], {"image": image[None]})[0][0].transpose(1, 2, 0)
    wanted = resize_image(image, (48, 64)).astype(np.float32)
    assert np.abs(found - wanted).max() <= {"uint8": 1, "uint16": 1, "float32": 0.01}[dtype]
    assert found.shape == wanted.shape


def test_without_a_rule_nothing_is_resized():
    image = picture(33, 21)
    found = session(image_graph(3, "uint8", None, None)).run(["pixels"], {"image": image[None]})[0]
    assert (found[0].transpose(1, 2, 0) == image).all()


@pytest.mark.parametrize("size", [(24, 32), (50, 31)])
def test_labels_are_those_of_the_resized_logits(size):
    scores = torch.randn(2, 5, 24, 32, generator=torch.Generator().manual_seed(0))
    found = session(result_graph(5, True)).run(
        ["labels"], {"scores": scores.numpy(), "size": np.array(size)}
    )[0]
    assert found.dtype == np.uint8
    assert (found == label_map(scores, size).numpy()).mean() > 0.999
