"""The former place of `python fetch.py`, told of for one version."""

if __name__ == "__main__":
    raise SystemExit("this has moved: type python fetch.py, or cityseg fetch")
