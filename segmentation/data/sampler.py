"""Which samples a rank sees, and in which order."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Yield (epoch, index) for training; the order is a function of (seed, epoch) alone.

    Each rank takes every `ranks`-th of the permutation, so that one global batch holds the same
    samples however many ranks share it. What does not fill the last global batch is left out of
    this epoch (another sample each epoch), unless the split is smaller than one batch: then
    samples repeat to fill it.

    Args:
        length: samples in the split.
        batch_size: the global batch.
        seed: the run's seed.
        rank, ranks: which process this is, of how many.
        epoch: the one that comes first.
        start: samples of that epoch that this rank has seen already. They are left out when it is
            gone through for the first time; the length stays that of a whole epoch.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
        epoch: int = 0,
        start: int = 0,
    ) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.rank, self.ranks = rank, ranks
        self.epoch = epoch
        self._seen = {epoch: start}

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; Lightning calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        order = np.resize(order, len(self) * self.ranks)
        mine = order[self.rank :: self.ranks][self._seen.pop(self.epoch, 0) :]
        return iter([(self.epoch, int(index)) for index in mine])

    def __len__(self) -> int:
        batches = max(self.length // self.batch_size, 1)
        return batches * self.batch_size // self.ranks


class RankSampler(Sampler[int]):
    """Yield indices for scoring, in order, an equal number on each rank.

    Where the split does not divide evenly the first samples come again at the end, so that no rank
    waits for another for ever; the scores count each image once.
    """

    def __init__(self, length: int, rank: int = 0, ranks: int = 1) -> None:
        self.length = length
        self.rank, self.ranks = rank, ranks

    def __iter__(self) -> Iterator[int]:
        order = np.resize(np.arange(self.length), len(self) * self.ranks)
        return iter([int(index) for index in order[self.rank :: self.ranks]])

    def __len__(self) -> int:
        return -(-self.length // self.ranks)
