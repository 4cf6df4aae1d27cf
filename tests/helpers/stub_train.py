"""Stands for train.py in a sweep: the real command under -m, and a child that is over at once.

As a child it understands a few overrides: `seed` is the score in per cent, `seed=13` fails,
`checkpoint_minutes` is how many seconds it takes; it notes each start in `starts.jsonl`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__" and not {"-m", "--multirun"} & set(sys.argv):
    given = dict(one.lstrip("+").partition("=")[::2] for one in sys.argv[1:])
    directory = Path((given.get("hydra.run.dir") or given["resume"]).strip("'"))
    directory.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    (directory / "config.yaml").write_text("seed: 0\n")
    with (directory / "starts.jsonl").open("a") as starts:
        kept = ("CUDA_", "OMP_", "SLURM_", "CITYSEG_", "WANDB_RUN_", "HYDRA_", "SUBMITIT_")
        environment = {key: value for key, value in os.environ.items() if key.startswith(kept)}
        note = {"argv": sys.argv[1:], "pid": os.getpid(), "environment": environment,
                "cwd": os.getcwd()}  # fmt: skip
        starts.write(json.dumps(note) + "\n")
    until = time.monotonic() + float(given.get("checkpoint_minutes", 0))
    parent = int(os.environ["CITYSEG_PARENT"])
    while time.monotonic() < until and os.getppid() == parent:
        time.sleep(0.02)
    if os.getppid() != parent:
        sys.exit(143)
    seed = int(given.get("seed", 0))
    if seed == 13:
        print("the data are cursed\nerror: thirteen")
        sys.exit(1)
    (directory / "checkpoints").mkdir(exist_ok=True)
    for name in ("best", "last", "previous"):
        (directory / "checkpoints" / f"{name}.ckpt").touch()
    (directory / "per_image.npz").touch()
    (directory / "metrics.json").write_text(json.dumps({"score": seed / 100}))
    sys.exit(0)

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("train")
def main(cfg: DictConfig) -> object:
    """Never called under -m."""
    raise AssertionError("a sweep does not train by itself")


if __name__ == "__main__":
    main()
