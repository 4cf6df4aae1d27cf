"""A SLURM of one machine: what `sbatch`, `srun`, `squeue` and `sacct` do for submitit.

It runs the batch script's tasks as SLURM would, each with SLURM's variables, and keeps the script.
"""

import os
import re
import subprocess
import sys
from pathlib import Path


def sbatch(script: Path, kept: Path) -> None:
    text = script.read_text()
    job = os.getpid()  # never the same again, as with SLURM
    kept.write_text(text)
    first, last = map(int, re.search(r"--array=(\d+)-(\d+)", text).groups())  # type: ignore[union-attr]
    for task in range(first, last + 1):
        environment = {
            "SLURM_JOB_ID": f"{job}{task}", "SLURM_ARRAY_JOB_ID": str(job),
            "SLURM_ARRAY_TASK_ID": str(task), "SLURM_NTASKS": "1", "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "1",
            "SLURM_JOB_NODELIST": "here", "CUDA_VISIBLE_DEVICES": "5",
        }  # fmt: skip
        subprocess.Popen(
            ["bash", str(script)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # sbatch returns at once, and so must its pipe
            stderr=subprocess.DEVNULL,
        )
    print(f"Submitted batch job {job}")


def srun(arguments: list[str]) -> None:
    while arguments[0].startswith("-"):
        arguments = arguments[2 if arguments[0] in ("--output", "--error") else 1 :]
    os.execvp(arguments[0], arguments)


def install(folder: Path, kept: Path) -> None:
    """Put the commands where PATH may find them.

    Args:
        kept: where the batch script is kept.
    """
    folder.mkdir()
    for name in ("sbatch", "srun", "sacct", "squeue", "scontrol"):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} {kept} "$@"\n')
        command.chmod(0o755)


if __name__ == "__main__":
    name, kept, *rest = sys.argv[1:]
    if name == "sbatch":
        sbatch(Path(rest[-1]), Path(kept))
    elif name == "srun":
        srun(rest)
