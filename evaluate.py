"""Score a model: `python evaluate.py run=<run directory> [split=val|test]`."""

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("evaluate")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.evaluate.evaluate import evaluate

    return evaluate(cfg)


if __name__ == "__main__":
    main()
