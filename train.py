"""Train a model: `python train.py [group=option] [key=value]`; `--help` lists the groups."""

from segmentation.__main__ import train

if __name__ == "__main__":
    train()
