"""The former place of `python preview.py`, told of for one version."""

if __name__ == "__main__":
    raise SystemExit(
        "python -m segmentation.data.preview is now: python preview.py, or cityseg preview"
    )
