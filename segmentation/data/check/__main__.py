"""Check a data set: `python -m segmentation.data.check data=<option> data.root=<folder>`."""

import sys

from omegaconf import DictConfig

from segmentation.cli import command


@command("check")
def main(cfg: DictConfig) -> None:
    """Run the command and exit with 1 if there are errors; heavy imports wait until then."""
    from segmentation.commands.check import check

    if any(one.level == "error" for one in check(cfg)):
        sys.exit(1)


if __name__ == "__main__":
    main()
