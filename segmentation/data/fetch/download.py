"""Download missing files, from an archive first and then one by one."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from segmentation.console import PlainConsole
from segmentation.data.fetch.archive import members
from segmentation.data.fetch.client import CONNECTIONS, Client, Patience, UnreachableError
from segmentation.data.fetch.partial import PartialFolder
from segmentation.errors import DataError

FEW = 50
"""Up to so many files are fetched one by one; after 60 an hour GitHub may answer 429."""


@dataclass(frozen=True)
class RemoteDataset:
    """The addresses of a data set's files.

    Args:
        checksums: the list of all files.
        files: the address to which each file's path is appended.
        largest: the largest size of a file, in bytes.
        archive: the address of a ``.tar.gz`` of all files, if any.
        folder: their folder below the archive's top folder.
    """

    checksums: Path
    files: str
    largest: int
    archive: str | None = None
    folder: str = ""


def fill(
    partial: PartialFolder,
    source: RemoteDataset,
    total: int,
    patience: Patience,
    console: PlainConsole,
) -> None:
    """Fetch the missing files, with a progress bar.

    The archive is a single request, but GitHub's cannot be resumed: if it keeps breaking off, the
    files still missing are fetched one by one.

    Args:
        total: the number of files of the whole data set.

    Raises:
        UnreachableError: the server cannot be reached.
        DataError: the server fails, or sends other files.
    """
    bar = Progress(
        TextColumn("CamVid"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[received]:.0f} MB received"),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task("", total=total, received=0.0)
    received, lock = 0, threading.Lock()

    def show(count: int) -> None:
        nonlocal received
        with lock:
            received += count
            done = total - len(partial.missing)
        bar.update(task, completed=done, received=received / 1e6)

    with bar, Client(patience, show) as client:
        if source.archive and len(partial.missing) > FEW:
            try:
                _from_archive(client, partial, source, source.archive)
            except UnreachableError:
                raise
            except DataError as error:
                console.print(
                    f"{error}\nThe {len(partial.missing)} missing files are fetched one by one.",
                    highlight=False, markup=False, soft_wrap=True,
                )  # fmt: skip
        _one_by_one(client, partial, source)
        show(0)


def _from_archive(client: Client, partial: PartialFolder, source: RemoteDataset, url: str) -> None:
    def attempt() -> None:
        with client.open(url) as (_, pieces):
            for name, data in members(pieces, source.largest):
                _, _, path = name.partition("/")
                partial.add(path.removeprefix(f"{source.folder}/"), data)
                if not partial.missing:
                    return

    client.retry(url, attempt)


def _one_by_one(client: Client, partial: PartialFolder, source: RemoteDataset) -> None:
    def one(path: str) -> None:
        url = f"{source.files.rstrip('/')}/{quote(path)}"
        partial.add(path, client.file(url, partial.checksums[path], source.largest))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        files = [pool.submit(one, path) for path in sorted(partial.missing)]
        try:
            for file in as_completed(files):
                file.result()
        except BaseException:
            client.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
