"""Predict a stream of items some of which hold an image, with reading and writing beside it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

from segmentation.data.images.image_reader import Decoded
from segmentation.inference.ahead import run_ahead
from segmentation.inference.predictor import Predictor
from segmentation.inference.result import Result

T = TypeVar("T")


def predict_ahead(
    predictor: Predictor,
    items: Iterable[T],
    image_of: Callable[[T], Decoded | None],
    confidence: bool = False,
) -> Generator[tuple[T, Result | None], None, None]:
    """Yield items with the predictions for them, in their order.

    Reading and prediction run ahead, each in a thread of its own, so that they overlap with what
    the caller does with the results. Whoever stops early closes this iterator.

    Args:
        predictor: of the model.
        items: read in a thread.
        image_of: returns the image of an item; None for one that is passed on as it is.
        confidence: see `Predictor.__call__`.
    """

    def size(item: T) -> int:
        image = image_of(item)
        return 0 if image is None else image.pixels.nbytes

    with closing(run_ahead(items, size)) as read:
        results = _predicted(predictor, read, image_of, confidence)
        # With a result wait its mask, its confidence and the image
        with closing(run_ahead(results, lambda pair: 3 * size(pair[0]))) as ahead:
            yield from ahead


def _predicted(
    predictor: Predictor,
    items: Iterable[T],
    image_of: Callable[[T], Decoded | None],
    confidence: bool,
) -> Iterator[tuple[T, Result | None]]:
    waiting: deque[T] = deque()

    def images() -> Iterator[Decoded]:
        for item in items:
            waiting.append(item)
            if (image := image_of(item)) is not None:
                yield image

    for result in predictor(images(), confidence=confidence):
        while image_of(waiting[0]) is None:
            yield waiting.popleft(), None
        yield waiting.popleft(), result
    for item in waiting:
        yield item, None
