"""Threads that stand for ranks: what they all_reduce is added up among them."""

import threading
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from segmentation.training.losses import base


class FakeRanks:
    """Stands for torch.distributed in `base.over_ranks`.

    Args:
        ranks: how many threads will call it.
    """

    def __init__(self, ranks: int) -> None:
        self.ranks = ranks
        self.messages = 0
        self._barrier = threading.Barrier(ranks, timeout=30)
        self._sums: dict[int, Tensor] = {}

    def is_available(self) -> bool:
        return True

    is_initialized = is_available

    def get_world_size(self) -> int:
        return self.ranks

    def all_reduce(self, tensor: Tensor) -> None:
        assert not tensor.requires_grad
        self._sums[threading.get_ident()] = tensor.clone()
        if self._barrier.wait() == 0:
            self.messages += 1
        total = torch.stack(list(self._sums.values())).sum(dim=0)  # fails for unlike messages
        self._barrier.wait()
        tensor.copy_(total)


def in_ranks(function: Callable[..., Any], arguments: Sequence[tuple]) -> tuple[list[Any], int]:
    """Call a function in as many ranks as there are arguments; all return, or the test fails.

    Returns:
        What each rank returned, and how many messages each has sent.
    """
    ranks = FakeRanks(len(arguments))
    results: list[Any] = [None] * len(arguments)

    def call(rank: int) -> None:
        results[rank] = function(*arguments[rank])

    threads = [threading.Thread(target=call, args=(rank,)) for rank in range(len(arguments))]
    with mock.patch.object(base, "dist", ranks):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(result is not None for result in results), "a rank has failed"
    return results, ranks.messages
