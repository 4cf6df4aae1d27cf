"""Make a model ready to give away: `python publish.py run=<run directory> output=<folder>`."""

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("publish")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.publish.publish import publish

    return publish(cfg)


if __name__ == "__main__":
    main()
