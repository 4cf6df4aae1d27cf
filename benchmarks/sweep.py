"""What a sweep costs its parent: time per trial, memory and disk, for jobs that do nothing.

    python benchmarks/sweep.py [--trials 100 1000] [--launchers basic joblib]

Each job is a real child process through Hydra's real sweeper and launcher; only the training is a
stub, so that what is left is the sweep's own cost.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUB = ROOT / "tests" / "helpers" / "stub_train.py"


def resident(pid: int) -> float:
    """Return the memory of a process in MB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(launcher: str, trials: int) -> str:
    """Sweep once; return a row: seconds for each trial, the parent's memory on the way, disk."""
    directory = Path(tempfile.mkdtemp()) / "sweep"
    command = [
        sys.executable, str(STUB), "-m", f"launcher={launcher}", f"seed=range(100,{100 + trials})",
        f"hydra.sweep.dir={directory}",
    ]  # fmt: skip
    start = time.perf_counter()
    memory: dict[int, float] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sweep:

        def watch() -> None:
            while sweep.poll() is None:
                done = sum(1 for _ in directory.glob("*/metrics.json"))
                memory[done] = resident(sweep.pid)
                time.sleep(2)

        watcher = threading.Thread(target=watch)
        watcher.start()
        sweep.wait()
        watcher.join()
    seconds = time.perf_counter() - start
    finished = sum(1 for _ in directory.glob("*/metrics.json"))
    moments = sorted(memory)

    def nearest(done: int) -> int:
        return min(moments, key=lambda moment: abs(moment - done))

    again = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    again = time.perf_counter() - again
    used = sum(path.stat().st_blocks * 512 for path in directory.rglob("*"))
    table = (directory / "jobs.csv").stat().st_size
    shutil.rmtree(directory.parent)
    steps = ", ".join(
        f"{memory[done]:.0f} MB at {done}" for done in dict.fromkeys(map(nearest, (1, 100, trials)))
    )
    return (
        f"{launcher}: {finished}/{trials} finished, {1000 * seconds / trials:.0f} ms per trial; "
        f"parent {steps}; all again (nothing to do) {1000 * again / trials:.0f} ms per trial; "
        f"disk {used / trials / 1000:.0f} kB per trial, jobs.csv {table / 1000:.0f} kB"
    )


def main() -> None:
    """Print one row for each launcher and number of trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1000])
    parser.add_argument("--launchers", nargs="+", default=["basic", "joblib"])
    arguments = parser.parse_args()
    for launcher in arguments.launchers:
        for trials in arguments.trials:
            print(measure(launcher, trials), flush=True)


if __name__ == "__main__":
    main()
