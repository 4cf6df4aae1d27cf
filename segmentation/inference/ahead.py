"""Compute what comes next while what came before is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_BYTES = 64 << 20
"""How much waits between two steps, unless a single item is larger."""
MOST_ITEMS = 16


def run_ahead(items: Iterable[T], size: Callable[[T], int]) -> Generator[T, None, None]:
    """Yield items in their order while a thread computes the next ones.

    At most `MOST_ITEMS` wait, and no more of them than have `MOST_BYTES` together; but always one.
    An exception of `items` is raised after the items before it. Whoever stops early has to close
    this iterator, as `contextlib.closing` does; that also closes `items`.

    Args:
        items: computed in the thread, one after the other.
        size: returns the bytes of an item.
    """
    buffer: _Buffer[T] = _Buffer()

    def fill() -> None:
        try:
            for item in items:
                if not buffer.put(item, size(item)):
                    break
            buffer.end(None)
        except BaseException as error:
            buffer.end(error)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield from buffer
    finally:
        buffer.stop()
        thread.join()


class _Buffer(Generic[T]):
    """Items between two threads; iterating waits for the next."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._ended = self._stopped = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def put(self, item: T, size: int) -> bool:
        """Wait for room and add an item; return whether anybody still wants it."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_room(size))
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return not self._stopped

    def _has_room(self, size: int) -> bool:
        few = len(self._items) < MOST_ITEMS and self._bytes + size <= MOST_BYTES
        return few or not self._items

    def end(self, error: BaseException | None) -> None:
        """Say that no more items come, and why."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that nobody wants more items."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item, size = self._items.popleft()
                self._bytes -= size
                self._changed.notify_all()
            yield item
            del item
