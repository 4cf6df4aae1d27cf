"""Segment images: `python predict.py model=<run directory> input=<images> output=<folder>`."""

from omegaconf import DictConfig

from segmentation.cli import command


@command("predict")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.predict import predict

    return predict(cfg)


if __name__ == "__main__":
    main()
