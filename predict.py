"""Segment images: `python predict.py input=<images> output=<folder> [model=<run directory>]`."""

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("predict")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.predict import predict

    return predict(cfg)


if __name__ == "__main__":
    main()
