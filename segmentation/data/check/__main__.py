"""The former place of `python check.py`, told of for one version."""

if __name__ == "__main__":
    raise SystemExit("this has moved: type python check.py, or cityseg check")
