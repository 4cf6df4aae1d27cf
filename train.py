"""Train a model: `python train.py [group=option] [key=value]`; `--help` lists the groups."""

from omegaconf import DictConfig

from segmentation.cli import command


@command("train")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.train import train

    return train(cfg)


if __name__ == "__main__":
    main()
