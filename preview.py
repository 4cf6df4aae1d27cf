"""Show what an augmentation does: `python preview.py augment=street`."""

from omegaconf import DictConfig

from segmentation.cli.command import command


@command("preview")
def main(cfg: DictConfig) -> object:
    """Run the command; heavy imports wait until the configuration stands."""
    from segmentation.commands.preview import preview

    return {"output": preview(cfg)}


if __name__ == "__main__":
    main()
