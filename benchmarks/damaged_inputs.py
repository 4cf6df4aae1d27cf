"""Open damaged files with every reader and every command, and count how each attempt ends.

    python benchmarks/damaged_inputs.py [--inputs 20] [--commands 4] [--seed 0] [--only <row>]

hypothesis draws the damage: a file that is whole loses its end, its beginning or its middle, gets
other bytes, another type in place of a value, another file's content, zeros, nothing. An attempt
ends as

    clear error  a SegmentationError, or a command's message without a stack trace
    accepted     the damage left something valid, or a cache was made again
    trace        any other exception: a defect
    hang         longer than `LIMIT` seconds: a defect

It prints a table by kind of file, and exits with 1 if there is a trace or a hang.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "helpers")]
os.environ |= {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "offline", "CITYSEG_CORES": "1"}

import yaml  # noqa: E402
from commands import run, succeed  # noqa: E402
from fakes import LABELS, fake_camvid, samples_of, write_targets  # noqa: E402
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from platformdirs import user_cache_path  # noqa: E402

from segmentation.data.annotations.convert import find_annotations  # noqa: E402
from segmentation.data.cache.cache import open_pairs  # noqa: E402
from segmentation.data.discovery.scan import scan_samples  # noqa: E402
from segmentation.data.discovery.scanned_dataset import scan_dataset  # noqa: E402
from segmentation.data.discovery.splits import find_splits  # noqa: E402
from segmentation.data.files import read_image, read_mask, read_palette  # noqa: E402
from segmentation.data.images.image_format import read_format  # noqa: E402
from segmentation.data.masks.labels import read_table  # noqa: E402
from segmentation.data.targets.columns import column_names  # noqa: E402
from segmentation.data.targets.files import read_target_file  # noqa: E402
from segmentation.errors import SegmentationError  # noqa: E402
from segmentation.models import load_model  # noqa: E402
from segmentation.runs.curves import read_rows  # noqa: E402
from segmentation.runs.directory import (  # noqa: E402
    read_environment,
    read_metrics,
    read_settings,
)
from segmentation.runs.per_image_file import read_scored  # noqa: E402
from segmentation.runs.trained_config import trained_config  # noqa: E402
from segmentation.runs.views import read_views, view_names  # noqa: E402
from segmentation.streets.write import write_streets  # noqa: E402
from segmentation.sweep.jobs.state import JobState, read_job, write_job  # noqa: E402
from segmentation.sweep.search.storage import read_study_file, write_study_file  # noqa: E402
from segmentation.sweep.search.trials import TrialFile  # noqa: E402

FIXTURES = ROOT / "tests" / "fixtures" / "annotations"
LIMIT = 120
"""Seconds until an attempt counts as a hang."""
TINY = [
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "augment=none", "data.batch_size=2", "data.workers=0",
    "trainer=cpu", "trainer.max_epochs=1", "trainer.log_every_n_steps=1", "logger=none",
    "trainer.precision=32-true", "data.cache=off",
]  # fmt: skip
EXACT = ["trainer=cpu", "trainer.precision=32-true", "data.workers=0"]
ENDS = ("clear error", "accepted", "trace", "hang")


@dataclass(frozen=True)
class Case:
    """A file, and what opens it.

    Attributes:
        kind: the row of the table.
        whole: a folder whose files are whole.
        file: of that folder, to be damaged; None: the cache, which `attempt` makes anew.
        attempt: opens a copy of the folder.
        slow: a command, of which fewer inputs are drawn.
    """

    kind: str
    whole: Path
    file: str
    attempt: Callable[[Path], object]
    slow: bool = False


class Hang(BaseException):
    """An attempt took longer than `LIMIT`."""


# What a file may have become


def damaged(content: bytes, structured: bool) -> st.SearchStrategy[bytes]:
    """Draw what became of a file: of bytes, or of the values in JSON or YAML."""
    length = max(len(content), 1)
    place = st.integers(0, length)
    anything = st.binary(max_size=64)
    replaced = st.tuples(place, place, anything).map(
        lambda part: content[: min(part[:2])] + part[2] + content[max(part[:2]) :]
    )
    broken = [
        st.sampled_from([b"", bytes(length), b"[]", b"null", b"3", b'"a"', b"[" * 10**5, b"{a: ["]),
        place.map(lambda at: content[:at]),
        place.map(lambda at: content[at:]),
        replaced,
        replaced,
        anything,
        st.just(content.decode("utf-8", "replace").encode("utf-16")),
        st.just(b"\xef\xbb\xbf" + content),
    ]
    if not structured:
        return st.one_of(broken)
    values = yaml.safe_load(content)
    places = list(_places(values))
    changed = st.tuples(st.sampled_from(places), VALUES).map(
        lambda drawn: json.dumps(_replaced(values, *drawn)).encode()
    )
    return st.one_of(*broken, *[changed] * 8)


REMOVED = object()
VALUES: st.SearchStrategy[Any] = st.sampled_from([
    REMOVED, REMOVED, None, True, 0, -1, 3, 10**30, 10**400, 0.5, -2.5, 1e308, float("nan"),
    float("inf"), "", "a", "0.5", "../..", "/", "\ud800", "a\nb\x1b[2J", "${oc.env:HOME}",
    "x" * 5000, [], [None], [1], [1, 2], [[1]], {}, {"a": None}, {"a": 1}, {"": {"": []}},
])  # fmt: skip


def _places(values: Any, path: tuple = ()) -> Iterator[tuple]:
    items: Sequence[tuple[Any, Any]] = ()
    if isinstance(values, dict):
        items = list(values.items())
    elif isinstance(values, list):
        items = list(enumerate(values[:2]))
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _replaced(values: Any, path: tuple, new: Any) -> Any:
    """Return a copy of nested values with another one at a path, or without it."""
    copy = dict(values) if isinstance(values, dict) else list(values)
    key, *rest = path
    if rest:
        copy[key] = _replaced(copy[key], tuple(rest), new)
    elif new is REMOVED:
        del copy[key]
    else:
        copy[key] = new
    return copy


# The files that are whole, and what opens them


def made(base: Path) -> dict[str, Path]:
    """Make data, a run with an evaluation, a sweep and a model, by the commands themselves."""
    data = fake_camvid(base / "data", {"train": 4, "val": 2, "test": 2})
    write_targets(data)
    finished = base / "run" / "a"
    succeed("train.py", "data=camvid", f"data.root={data}", *TINY, f"hydra.run.dir={finished}")
    succeed("evaluate.py", f"run={finished}", *EXACT)
    shutil.copytree(finished, base / "run" / "b")
    begun = base / "begun"
    shutil.copytree(finished, begun / "a")
    (begun / "a" / "metrics.json").unlink()
    sweep = base / "sweep"
    for name in ("a", "b"):
        shutil.copytree(finished, sweep / name)
        write_job(sweep / name, JobState([f"seed={name}"], "finished", 0.1, 1.0, 0))
        TrialFile("sqlite:///none.db", "study", 1).write(sweep / name)
    write_study_file(sweep, None, "study")
    listed = fake_camvid(base / "listed", {"train": 2, "val": 2})
    for split in ("train", "val"):
        lines = (f"{split}/{split}_{k:03d}.png {split}annot/{split}_{k:03d}.png" for k in range(2))
        (listed / f"{split}.txt").write_text("\n".join(lines) + "\n")
    table = base / "table"
    shutil.copytree(listed, table)
    rows = [
        f"{split}/{split}_{k:03d}.png,{split}annot/{split}_{k:03d}.png,{split}"
        for split in ("train", "val")
        for k in range(2)
    ]
    for split in ("train", "val"):
        (table / f"{split}.txt").unlink()
    (table / "pairs.csv").write_text("\n".join(["image,mask,split", *rows]) + "\n")
    plain = fake_camvid(base / "plain", {"train": 2, "val": 1})
    shutil.copy(finished / "classes.yaml", plain / "classes.yaml")
    return {
        "data": data, "run": base / "run", "begun": begun, "sweep": sweep, "listed": listed,
        "table": table, "plain": plain,
    }  # fmt: skip


def readers(there: dict[str, Path]) -> Iterator[Case]:
    """Yield the files with their readers."""
    of_runs: dict[str, Callable[[Path], object]] = {
        "metrics.json": read_metrics,
        "environment.json": read_environment,
        "config.yaml": read_settings,
        "per_image.npz": read_scored,
        "views.zip": lambda path: read_views(path, view_names(path)),
        "metrics.csv": lambda path: read_rows(path / "metrics.csv"),
        "classes.yaml": lambda path: read_table(path / "classes.yaml"),
    }
    of_jobs: dict[str, Callable[[Path], object]] = {
        "job.json": read_job,
        "trial.json": TrialFile.read,
    }

    def inside(read: Callable[[Path], object], part: str) -> Callable[[Path], object]:
        return lambda at: read(at / part)

    for file, read in of_runs.items():
        yield Case(f"run: {file}", there["run"], f"a/{file}", inside(read, "a"))
    for file, read in of_jobs.items():
        yield Case(f"sweep: {file}", there["sweep"], f"a/{file}", inside(read, "a"))
    yield Case("sweep: study.json", there["sweep"], "study.json", read_study_file)
    for file in ("config.json", "model.safetensors"):
        yield Case(
            f"model: {file}", there["run"], f"a/model/{file}",
            lambda at: load_model(at / "a" / "model"),
        )  # fmt: skip
    yield Case(
        "model: checkpoint", there["run"], "a/checkpoints/best.ckpt",
        lambda at: (
            load_model(at / "a" / "checkpoints" / "best.ckpt"),
            trained_config(at / "a" / "checkpoints" / "best.ckpt"),
        ),
    )  # fmt: skip
    for file in ("train/train_000.png", "trainannot/train_000.png"):
        kind = "mask" if "annot" in file else "image"
        yield Case(f"data: {kind}", there["data"], file, inside(_pixels, file))
    yield Case(
        "data: targets.csv", there["data"], "targets.csv",
        lambda at: read_target_file(at / "targets.csv", column_names(at / "targets.csv")),
    )  # fmt: skip
    yield Case("data: splits list", there["listed"], "train.txt", find_splits)
    yield Case(
        "data: table of pairs", there["table"], "pairs.csv",
        lambda at: find_splits(at, at / "pairs.csv"),
    )  # fmt: skip
    for name, file in {
        "coco_supervision": "train/_annotations.coco.json",
        "labelme_labelme": "val/scene4.json",
        "label_studio_json": "project-1.json",
        "cvat_datumaro": "train.xml",
        "yolo_supervision": "data.yaml",
        "voc_datumaro": "labelmap.txt",
    }.items():
        if (FIXTURES / name / file).is_file():
            kind = f"annotations: {name.partition('_')[0]}"
            yield Case(kind, FIXTURES / name, file, find_annotations)


def _pixels(path: Path) -> None:
    """Read a file as an image and as a mask; each may refuse it."""
    read_format(path)
    for read in (read_image, read_mask, read_palette):
        with contextlib.suppress(SegmentationError):
            read(path)


def caches(there: dict[str, Path]) -> Iterator[tuple[str, Path, str, Callable[[], object]]]:
    """Yield kinds of caches: name, folder, pattern of the files, and what makes and opens it."""
    samples = samples_of(there["plain"])
    yield (
        "cache: scan", user_cache_path("cityseg") / "scans", "*.npz",
        lambda: scan_samples(samples, LABELS),
    )  # fmt: skip
    yield (
        "cache: pairs", user_cache_path("cityseg") / "decoded", "*.pairs",
        lambda: open_pairs(
            scan_dataset(there["plain"], find_splits(there["plain"]), "camvid"), "disk"
        )["train"][0],
    )  # fmt: skip
    yield (
        "cache: class table", user_cache_path("cityseg") / "tables", "*.json",
        lambda: scan_dataset(there["data"], find_splits(there["data"]), "each-value"),
    )  # fmt: skip
    yield (
        "cache: converted", user_cache_path("cityseg") / "converted", "*/conversion.json",
        lambda: find_annotations(FIXTURES / "labelme_labelme"),
    )  # fmt: skip
    streets = there["plain"].parent / "streets"
    yield (
        "cache: streets", streets, "streets.json",
        lambda: write_streets(streets, size=(60, 80), counts={"train": 1}),
    )  # fmt: skip


def commands(there: dict[str, Path]) -> Iterator[Case]:
    """Yield the files of runs with the commands that read them."""
    files = ("metrics.json", "environment.json", "config.yaml", "classes.yaml", "per_image.npz")

    def command(*words: str) -> Callable[[Path], object]:
        def attempt(at: Path) -> None:
            script, *more = (word.replace("AT", str(at)) for word in words)
            _checked(script, *more)

        return attempt

    for file in (*files, "evaluation/test/metrics.json", "model/config.json"):
        for name, words in {
            "evaluate": ("evaluate.py", "run=AT/a", *EXACT),
            "compare": ("compare.py", "runs=[AT/a,AT/b]", "output=AT/out", "resamples=1000",
                        "speed=false"),
            "publish": ("publish.py", "run=AT/a", "output=AT/out"),
            "predict": ("predict.py", "model=AT/a", f"input={there['data']}/test", "output=AT/out",
                        "device=cpu"),
            "resume finished": ("train.py", "resume=AT/a"),
            "rerun": ("train.py", "rerun=AT/a", "hydra.run.dir=AT/again"),
        }.items():  # fmt: skip
            yield Case(f"{name}: {file}", there["run"], f"a/{file}", command(*words), slow=True)
    for file in ("environment.json", "config.yaml", "metrics.csv", "checkpoints/last.ckpt"):
        words = ("train.py", "resume=AT/a")
        yield Case(f"resume: {file}", there["begun"], f"a/{file}", command(*words), slow=True)
    for file in ("job.json", "metrics.json", "config.yaml"):
        words = ("compare.py", "sweep=AT", "output=AT/out", "resamples=1000", "speed=false")
        yield Case(
            f"compare sweep: {file}", there["sweep"], f"a/{file}", command(*words), slow=True
        )
    for kind, file in (("plain", "classes.yaml"), ("plain", "train/train_000.png"),
                       ("plain", "trainannot/train_000.png"), ("listed", "train.txt")):  # fmt: skip
        words = ("check.py", "data=folder", "data.root=AT", "output=AT-report")
        yield Case(f"check: {file}", there[kind], file, command(*words), slow=True)


def _checked(script: str, *words: str) -> None:
    done = run(script, *words)
    if "Traceback" in done.stderr or done.returncode not in (0, 1):
        raise RuntimeError(f"{script} {' '.join(words)}: {done.stderr[-3000:]}")
    if done.returncode:
        raise SegmentationError(done.stderr)


# The attempts


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise `Hang` in a block that takes longer than `LIMIT`."""

    def alarm(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ended(attempt: Callable[[], object]) -> tuple[str, str]:
    """Return how an attempt ends, and its trace."""
    try:
        with (
            limited(),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            attempt()
    except SegmentationError:
        return "clear error", ""
    except Hang:
        return "hang", traceback.format_exc()
    except Exception:
        return "trace", traceback.format_exc()
    return "accepted", ""


def drawn(strategy: st.SearchStrategy[bytes], count: int, number: int) -> list[bytes]:
    """Draw contents of a file."""
    contents: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        verbosity=Verbosity.quiet, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(content: bytes) -> None:
        contents.append(content)

    collect()
    return contents


def attempts(case: Case, count: int, number: int, base: Path) -> Iterator[tuple[str, str]]:
    """Open copies of a folder in which one file is damaged."""
    content = (case.whole / case.file).read_bytes()
    structured = case.file.endswith((".json", ".yaml")) and bool(yaml.safe_load(content))
    for damage in drawn(damaged(content, structured), count, number):
        copy = base / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(case.whole, copy)
        (copy / case.file).write_bytes(damage)
        yield ended(lambda: case.attempt(copy))  # noqa: B023


def cache_attempts(
    folder: Path, pattern: str, attempt: Callable[[], object], count: int, number: int
) -> Iterator[tuple[str, str]]:
    """Damage each file of a cache, which has to be made again."""
    attempt()
    path = next(folder.glob(pattern))
    content = path.read_bytes()
    structured = path.suffix == ".json"
    for damage in drawn(damaged(content, structured), count, number):
        path.write_bytes(damage)
        yield ended(attempt)


def main() -> int:
    """Make the attempts and print their table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=20, help="for each file and its reader")
    parser.add_argument("--commands", type=int, default=4, help="for each file and command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    table: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(base / "cache")
        there = made(base)
        rows: list[tuple[str, Iterator[tuple[str, str]]]] = []
        for case in (*readers(there), *commands(there)):
            count = options.commands if case.slow else options.inputs
            rows.append((case.kind, attempts(case, count, options.seed, base)))
        for kind, cache, pattern, attempt in caches(there):
            found = cache_attempts(cache, pattern, attempt, options.inputs, options.seed)
            rows.append((kind, found))
        for kind, outcomes in rows:
            if options.only not in kind:
                continue
            table[kind] = Counter()
            for end, trace in outcomes:
                table[kind][end] += 1
                if trace:
                    print(f"--- {kind}: {end}\n{trace}", file=sys.stderr, flush=True)
            _print_row(kind, table[kind])
    total = sum(table.values(), Counter())
    _print_row("all", total)
    return int(bool(total["trace"] or total["hang"]))


def _print_row(kind: str, count: Counter[str]) -> None:
    cells = "  ".join(f"{count[end]:5} {end}" for end in ENDS)
    print(f"{kind:40} {sum(count.values()):5} attempts  {cells}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
