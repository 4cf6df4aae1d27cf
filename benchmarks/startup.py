"""What commands cost before they work: help, errors, and the way to the first optimizer step.

    python benchmarks/startup.py [--rounds 3] [--step <CamVid>]

Each command is a process of its own. Its processor time is divided by that of a child that only
does `import torch`, measured just before it, so that other load on the machine affects both; the
median of the rounds counts. `--step` also compares `train.py` up to its first optimizer step with a
script that imports the libraries and builds the same model and data by hand.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = "run=camvid_efficientnet_lite0"
COMMANDS = (
    "train --help", "evaluate --help", "compare --help", "train --cfg job",
    "train encoder=resnet35", "train optimzer.lr=1", "train trainer.max_step=5",
    "train optimizer.lr=abc", "train data.batch_size=0", "train trainer.precision=xyz",
    "train data=camvid data.root=/nowhere", "train resume=/nowhere", "train model.weights=/nowhere",
    "evaluate run=/nowhere", f"evaluate {MODEL} data=camvid data.root=/nowhere",
    "compare runs=[/nowhere,/nowhere2]", "predict input=/nowhere output=out",
    "predict model=/nowhere input=. output=out", "publish run=/nowhere output=out",
    "check data=folder data.root=/nowhere", "preview data=folder data.root=/nowhere",
)  # fmt: skip
TRAINING = (
    "data=camvid data.root={root} encoder=resnet18 encoder.weights=none logger=none "
    "data.workers=0 data.cache=off trainer=cpu trainer.max_steps=1 trainer.max_epochs=null"
)
BY_HAND = """
import sys, albumentations, pytorch_lightning, timm, torch
from pathlib import Path
from segmentation.data.discovery.layouts import find_layout
from segmentation.models import build_model
from segmentation.data.files import read_image
model = build_model({"name": "resnet18", "weights": "none"}, {}, 11)
_, splits = find_layout(Path(sys.argv[1]))
images = [read_image(sample.image) for sample in splits["train"].samples[:8]]
"""
FIRST_STEP = """
import os, runpy, sys, torch
from torch.optim.optimizer import register_optimizer_step_pre_hook
register_optimizer_step_pre_hook(lambda *_: os._exit(0))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def seconds(words: list[str], folder: Path) -> float:
    """Return the processor time of a process and its children."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline"}
    pipe = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=environment, stdout=pipe, stderr=pipe
    ) as process:
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return used.ru_utime + used.ru_stime


def ratio(words: list[str], baseline: list[str], rounds: int, folder: Path) -> float:
    """Return the median ratio of the times of two processes that alternate."""
    pairs = [(seconds(baseline, folder), seconds(words, folder)) for _ in range(rounds)]
    return statistics.median(time / base for base, time in pairs)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", type=Path, metavar="CAMVID", help="also up to the first step")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        if arguments.step:
            root = arguments.step.absolute()
            training = [str(ROOT / "train.py"), *TRAINING.format(root=root).split()]
            times = ratio(
                ["-c", FIRST_STEP, *training], ["-c", BY_HAND, str(root)], arguments.rounds, folder
            )
            print(f"{times:5.2f} of the libraries, model and data by hand: first step", flush=True)
        for line in COMMANDS:
            command, *words = line.split()
            process = [str(ROOT / f"{command}.py"), *words]
            times = ratio(process, ["-c", "import torch"], arguments.rounds, folder)
            print(f"{times:5.2f} of `import torch`: {line}", flush=True)


if __name__ == "__main__":
    main()
