"""Compare models: `python compare.py runs=[<run>,<run>,...]` or `sweep=<directory>`."""

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("compare")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.compare.compare import compare_runs

    return compare_runs(cfg)


if __name__ == "__main__":
    main()
