"""Check a data set: `python check.py data=<option> data.root=<folder>`."""

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("check")
def main(cfg: DictConfig) -> object:
    """Run the command, which exits with 1 if there are errors; heavy imports wait until then."""
    from segmentation.commands.check import check

    return check(cfg)


if __name__ == "__main__":
    main()
