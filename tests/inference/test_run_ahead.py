"""Items computed in a thread: in order, bounded, and with the errors where they belong."""

import threading
import time
import weakref
from contextlib import closing

import pytest

from segmentation.inference import ahead
from segmentation.inference.ahead import run_ahead


class Item:
    """An object that can be watched."""


def test_items_keep_their_order_and_are_computed_meanwhile():
    started = []

    def items():
        for number in range(50):
            started.append(number)
            yield number

    out = []
    with closing(run_ahead(items(), lambda item: 1)) as iterator:
        for item in iterator:
            if item == 0:
                while len(started) < ahead.MOST_ITEMS:
                    time.sleep(0.001)
            out.append(item)
    assert out == list(range(50))


@pytest.mark.parametrize(("size", "most"), [(1, ahead.MOST_ITEMS), (ahead.MOST_BYTES // 3, 3)])
def test_few_items_are_alive_however_many_there_are(size, most):
    alive = weakref.WeakSet()
    counts = []

    def items():
        for _ in range(200):
            item = Item()
            alive.add(item)
            yield item
            del item

    for item in run_ahead(items(), lambda item: size):
        counts.append(len(alive))
        del item
    assert len(counts) == 200
    assert max(counts) <= most + 3  # one in each hand, and one that waits for room


def test_one_item_passes_however_large():
    assert list(run_ahead(iter("abc"), lambda item: 10 * ahead.MOST_BYTES)) == ["a", "b", "c"]


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    iterator = run_ahead(items(), lambda item: 1)
    assert [next(iterator), next(iterator)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(iterator)


def test_who_stops_early_ends_the_thread_and_closes_the_items():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with closing(run_ahead(items(), lambda item: 1)) as iterator:
        assert next(iterator) == 0
    assert closed.is_set()
    assert threading.active_count() == before
