"""Score a trained model on a split: `python evaluate.py run=<run directory>`."""

from segmentation.__main__ import evaluate

if __name__ == "__main__":
    evaluate()
