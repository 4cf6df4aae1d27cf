"""Train a model: `python train.py [group=option] [key=value]`; `--help` lists the groups."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from segmentation.cli.command import command
from segmentation.runs.directory import recorded


@command("train")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.train.train import train

    train(cfg)
    return recorded(HydraConfig.get().runtime.output_dir)


if __name__ == "__main__":
    main()
