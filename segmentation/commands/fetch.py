"""Download a public data set, or say how to get it, and verify it."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from segmentation.cli.json_output import FLAG, Document, json_output
from segmentation.cli.terminal import make_printable
from segmentation.config import user_path
from segmentation.console import argument, show_error, show_next, typed
from segmentation.errors import ConfigError, SegmentationError


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    words = list(arguments)
    make_printable()
    with json_output(words) as document:
        return _run(words, document)


def _run(words: Sequence[str], document: Document) -> int:
    options = _parser().parse_args(words)
    try:
        if options.data == "camvid":
            _camvid(options.to, options.url)
        else:
            _cityscapes(options.to)
    except SegmentationError as error:
        show_error(error)
        document.fail(error)
        return 1
    except KeyboardInterrupt as error:
        print("stopped. Repeat the command to continue from here.", file=sys.stderr)
        document.fail(error, "interrupted")
        return 130
    document.result = {"data": options.data, "root": options.to}
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=typed("fetch"),
        description="Download a public data set and verify every file.",
    )
    data = parser.add_subparsers(dest="data", required=True, metavar="{camvid,cityscapes}")
    camvid = data.add_parser("camvid", help="download CamVid and check every file")
    cityscapes = data.add_parser("cityscapes", help="say how to get it, check what is there")
    for command, root in ((camvid, "datasets/camvid"), (cityscapes, "datasets/cityscapes")):
        command.add_argument(
            "--to", type=user_path, default=Path(root), metavar="FOLDER", help=f"default: {root}"
        )
        # For the help alone: it is taken out before.
        command.add_argument(
            FLAG, action="store_true", help="print the result as JSON on stdout, all else on stderr"
        )
    camvid.add_argument(
        "--url", help="a mirror: the address below which train/, trainannot/ and so on lie"
    )
    return parser


def _camvid(root: Path, url: str | None) -> None:
    from segmentation.data.fetch.camvid import CAMVID, fetch

    source = CAMVID
    if url is not None:
        if not re.match(r"https?://[^/]", url):
            raise ConfigError(f"--url {url} is no address: it begins with http:// or https://.")
        source = dataclasses.replace(CAMVID, files=url, archive=None)
    fetch(root, source)
    _next(f"CamVid is complete in {root}, every file as published.", "camvid", root)


def _cityscapes(root: Path) -> None:
    from segmentation.data.fetch.cityscapes import check, how_to

    try:
        lines = check(root)
    except SegmentationError:
        print(how_to(root), flush=True)
        raise
    _next("\n".join([*lines, f"Cityscapes is complete in {root}."]), "cityscapes", root)


def _next(where: str, data: str, root: Path) -> None:
    show_next(where, f"{typed('train')} data={data} {argument('data.root', root)}")
