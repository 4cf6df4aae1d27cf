"""The commands that people type: `cityseg train`, or `python train.py` in a clone.

Heavy imports wait until the configuration is complete and its options and paths are checked.
"""

import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from segmentation import __version__
from segmentation.cli.command import command
from segmentation.cli.terminal import make_printable
from segmentation.console import typed
from segmentation.errors import did_you_mean
from segmentation.system.packages import require_extra


def check_options(cfg: DictConfig) -> None:
    """Check what the words of a training and the file system alone say."""
    from segmentation.build.training_options import check_training_options

    check_training_options(cfg)


def check_training(cfg: DictConfig) -> None:
    """Check a job's devices, and build everything of its training but its caches, on the CPU."""
    from segmentation.build.job_devices import check_job_devices, use_one_cpu
    from segmentation.build.training import read_training
    from segmentation.commands.train.command import build_once
    from segmentation.system.logs import quiet_libraries

    quiet_libraries()
    check_job_devices(cfg)
    use_one_cpu(cfg)
    with TemporaryDirectory() as directory:
        build_once(read_training(cfg, Path(directory)))


@command("train", checks=[check_options, check_training])
def train(cfg: DictConfig) -> object:
    """Train a model and score it."""
    from segmentation.runs.directory import at_work, begun, recorded

    directory = Path(HydraConfig.get().runtime.output_dir)
    if not cfg.rerun and not begun(directory):  # which have options of their own
        check_options(cfg)
    from segmentation.build.training import read_training
    from segmentation.commands.train.command import train
    from segmentation.system.logs import collected_warnings, quiet_libraries
    from segmentation.system.ranks import rank

    quiet_libraries()
    with collected_warnings() as warnings, at_work(directory) if rank() == 0 else nullcontext():
        train(read_training(cfg, directory), warnings)
    return recorded(directory)


@command("evaluate")
def evaluate(cfg: DictConfig) -> object:
    """Score a trained model on a split."""
    require_extra("report", typed("evaluate"))
    from segmentation.build.evaluation import read_evaluation

    plan = read_evaluation(cfg)
    from segmentation.commands.evaluate.command import evaluate
    from segmentation.system.logs import collected_warnings, quiet_libraries

    quiet_libraries()
    with collected_warnings() as warnings:
        return evaluate(plan, warnings)


@command("predict")
def predict(cfg: DictConfig) -> object:
    """Predict the labels of images."""
    from segmentation.build.prediction import read_prediction

    plan = read_prediction(cfg)
    from segmentation.commands.predict import predict

    return predict(plan)


@command("export")
def export(cfg: DictConfig) -> object:
    """Export a model for other runtimes, and compare the file with it."""
    from segmentation.build.export import read_export
    from segmentation.commands.export import export
    from segmentation.system.logs import quiet_libraries

    quiet_libraries()
    return export(read_export(cfg))


@command("compare")
def compare(cfg: DictConfig) -> object:
    """Compare runs, image by image."""
    require_extra("report", typed("compare"))
    from segmentation.build.comparison import read_comparison

    plan = read_comparison(cfg)
    from segmentation.commands.compare.command import compare_runs
    from segmentation.system.logs import quiet_libraries

    quiet_libraries()
    return compare_runs(plan)


@command("publish")
def publish(cfg: DictConfig) -> object:
    """Write a model directory with its card, to give away."""
    from segmentation.build.publication import read_publication

    plan = read_publication(cfg)
    from segmentation.commands.publish.command import publish

    return publish(plan)


@command("check")
def check(cfg: DictConfig) -> object:
    """Check a data set before training on it."""
    from segmentation.build.inspection import read_check

    plan = read_check(cfg)
    from segmentation.commands.check import check

    return check(plan)


@command("preview")
def preview(cfg: DictConfig) -> object:
    """Draw what an augmentation does to images."""
    from segmentation.build.inspection import read_preview

    plan = read_preview(cfg)
    from segmentation.commands.preview import preview

    return {"output": preview(plan)}


def fetch(subcommand: bool = False) -> None:
    """Download a public data set and verify it."""
    from segmentation.commands.fetch import main

    sys.exit(main(sys.argv[2:] if subcommand else sys.argv[1:]))


COMMANDS = {
    "train": train, "evaluate": evaluate, "compare": compare, "predict": predict,
    "publish": publish, "export": export, "check": check, "preview": preview, "fetch": fetch,
}  # fmt: skip


def main() -> None:
    """Run `cityseg <command> [arguments]`."""
    make_printable()
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in COMMANDS:
        COMMANDS[name](subcommand=True)
    elif name == "--version":
        print(f"cityseg {__version__}")
    elif name in ("-h", "--help"):
        print(_usage())
    else:
        hint = did_you_mean(name, COMMANDS)
        sys.exit(f"error: there is no command {name!r}.{hint}\n{_usage()}")


def _usage() -> str:
    commands = [f"  {name:10}{function.__doc__}" for name, function in COMMANDS.items()]
    usage = ["usage: cityseg <command> [arguments]", "       cityseg --version", ""]
    return "\n".join([*usage, *commands, "", "`cityseg <command> --help` lists its options."])


if __name__ == "__main__":
    main()
