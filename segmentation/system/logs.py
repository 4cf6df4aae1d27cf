"""Silence known noise of the libraries, and collect this package's own warnings."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from segmentation.system.ranks import rank
from segmentation.system.redaction import redact

# Each is wrong here, or about something the user cannot change.
NOISE = (
    r".*does not have many workers.*",  # workers follow the cores on purpose
    r".*Experiment logs directory .* exists and is not empty.*",  # it is the run directory
    r".*Checkpoint directory .* exists and is not empty.*",
    r".*The number of training batches .* is smaller than the logging interval.*",
    r".*isinstance\(treespec, LeafSpec\).*",  # Lightning's, about PyTorch's own internals
    r".*`isinstance\(.*LeafSpec\).*",
    r".*It is recommended to use .*sync_dist=True.*",  # every rank holds the same scores
    r".*your dataloader is not resumable.*",  # its sampler is: see EpochSampler
    r".*You have overridden `on_.*",
    r".*Using `torch.utils.data.Sampler`.*",
    r".*You requested to overfit.*",  # trainer.overfit_batches is about just that
    r".*GPU available but not used.*",  # the summary says which device trains
)


def quiet_libraries() -> None:
    """Silence the libraries' known noise; their other warnings still show."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if rank() != 0:  # else every process would print each line
        logging.getLogger("segmentation").setLevel(logging.ERROR)
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect this package's warnings, which are shown with every score."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (message := redact(record.getMessage())) not in messages:
                messages.append(message)

    collector = Collector(logging.WARNING)
    package = logging.getLogger("segmentation")
    package.addHandler(collector)
    try:
        yield messages
    finally:
        package.removeHandler(collector)
