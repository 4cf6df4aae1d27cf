"""A callback that ends one rank of several in mid-training; named in a test's configuration."""

import sys
import time

import pytorch_lightning as pl

from segmentation.errors import TrainingError


class FailingRank(pl.Callback):
    """End a rank in its fourth step.

    Args:
        rank: which one; None for all.
        how: raise (a defect), exit (with exit code 0), or stop (a user's error).
    """

    def __init__(self, rank, how):
        self.rank = rank
        self.how = how

    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step < 4 or self.rank not in (None, trainer.global_rank):
            return
        if self.how == "raise":
            raise RuntimeError("a defect of this rank")
        if self.how == "exit":
            sys.exit(0)
        raise TrainingError("all ranks stop")

    def on_exception(self, trainer, module, exception):
        if trainer.is_global_zero and self.how == "stop":
            time.sleep(8)  # as a logger may take: longer than Lightning waits before it kills all
            print("rank zero has closed everything", flush=True)
