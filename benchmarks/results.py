"""The tables of docs/results.md and README.md, from run directories: `make results`.

``python benchmarks/results.py`` reads every finished run below runs/results (results.sh trains
them) and every scoring of one by evaluate.py, and brings docs/results.csv up to date, a row for
each; rows whose run is not on this machine stay as they are. cog then writes the tables between its
marks in the documents, by the functions below, from results.csv alone.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from segmentation.commands.recipe import command
from segmentation.console import duration
from segmentation.directories import owner, read_metrics, read_settings
from segmentation.runs import read_environment

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "results.csv"
COMPARISON = ROOT / "docs" / "comparison.csv"
"""What compare.py says of the encoders."""
RARE = ("Pole", "SignSymbol", "Fence", "Pedestrian", "Bicyclist")
"""The classes that the original protocol never learns."""


def collect(folder: Path) -> pd.DataFrame:
    """Return a row for each scoring below a folder, by the path it has there."""
    found = []
    for path in sorted(folder.glob("**/metrics.json")):
        scoring = path.parent
        run = owner(scoring) or scoring.parent.parent  # <run>/evaluation/<scoring>
        metrics, environment = read_metrics(scoring), read_environment(run)
        if owner(run) != run or metrics is None or environment is None or "miou" not in metrics:
            continue
        kept = read_settings(run)
        words = environment.get("command", [""])[
            1:
        ]  # of runs that did not keep the overrides alone
        typed = environment.get("overrides", words)
        low, high = (metrics.get("intervals") or {}).get("miou") or (None, None)
        found.append(
            {
                "scoring": scoring.relative_to(folder).as_posix(),
                "command": command(typed, kept["data"]["name"]),
                "encoder": kept["encoder"]["name"],
                "encoder_weights": environment["encoder_weights"],
                "epochs": kept["trainer"]["max_epochs"],
                "seed": kept["seed"],
                "split": metrics["split"],
                "views": views(metrics.get("inference") or {}),
                "miou": metrics["miou"],
                "low": low,
                "high": high,
                **{f"iou {name}": value for name, value in metrics["iou"].items()},
                "parameters": metrics.get("parameters"),
                "seconds": metrics.get("seconds"),
                "device": environment["device"],
                "commit": (environment.get("git") or {}).get("commit"),
            }
        )
    return pd.DataFrame(found)


def views(inference: dict) -> str:
    """Return how each image was seen, such as ``flip, scales 0.75 1 1.25``; plainly is ``once``."""
    said = ["flip"] if inference.get("flip") else []
    if inference.get("scales", [1.0]) != [1.0]:
        said.append("scales " + " ".join(f"{scale:g}" for scale in inference["scales"]))
    if inference.get("window"):
        said.append("windows " + "x".join(map(str, inference["window"])))
    return ", ".join(said) or "once"


def update(found: pd.DataFrame) -> None:
    """Write what was found into results.csv, in place of its own earlier rows."""
    kept = known() if TABLE.is_file() else pd.DataFrame(columns=["scoring"])
    if not found.empty:
        kept = pd.concat([kept[~kept["scoring"].isin(found["scoring"])], found])
    whole = {key: "Int64" for key in ("parameters", "epochs", "seed") if key in kept}
    kept.astype(whole).sort_values("scoring").to_csv(TABLE, index=False, float_format="%.6g")


def known() -> pd.DataFrame:
    """Return all rows of results.csv."""
    return pd.read_csv(TABLE)


def rows(folder: str, split: str = "val", views: str | None = "once") -> pd.DataFrame:
    """Return the rows of the runs below a folder.

    Args:
        folder: below runs/results, such as ``ablation``; a run or a sweep.
        split: that was scored.
        views: how each image was seen, see `views`; None: in any way.
    """
    found = known()
    below = (found["scoring"] + "/").str.startswith(f"{folder}/")
    found = found[below & (found["split"] == split)]
    return found if views is None else found[found["views"] == views]


def settings(found: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what was typed, without its seed, and the rows of all its seeds."""
    typed = found["command"].str.replace(r" seed=\d+", "", regex=True)
    yield from found.groupby(typed, sort=False)


def ablation(folder: str, experiment: str) -> str:
    """Return the table of an ablation: each setting, its seeds together, against the baseline.

    Args:
        folder: the sweep, see `rows`.
        experiment: of the baseline; what is typed beside it is the change.
    """
    found = {changed(typed, experiment): one for typed, one in settings(rows(folder))}
    base = found[""]["miou"].mean()
    lines = [
        {
            "change": f"`{change}`" if change else "(baseline)",
            "mIoU": spread(one["miou"]),
            "seeds": len(one),
            "to the baseline": f"{100 * (one['miou'].mean() - base):+.1f}" if change else "",
            **{name: points(one[f"iou {name}"].mean()) for name in RARE},
        }
        for change, one in sorted(found.items(), key=lambda item: -item[1]["miou"].mean())
    ]
    return markdown(lines)


def changed(typed: str, experiment: str) -> str:
    """Return what a command says besides the experiment and the data."""
    known = ("python", "train.py", f"experiment={experiment}", "data.root=<camvid>")
    return " ".join(word for word in typed.split(" ") if word not in known)


def recipes(folders: Sequence[str]) -> str:
    """Return the table of recipes: what each reached, and on what. One without a run says so."""
    lines: list[dict] = []
    for folder in folders:
        found = rows(folder)
        if found.empty:
            lines.append({"recipe": f"`experiment={folder}`", "val mIoU": "not run"})
            continue
        one = found.iloc[0]
        lines.append(
            {
                "recipe": f"`{one['command'].replace(f' seed={one.seed}', '')}`",
                "val mIoU": spread(found["miou"]),
                "seeds": len(found),
                "95% interval": ends(one) if len(found) == 1 else "",
                "epochs": one["epochs"],
                "time": duration(found["seconds"].mean()),
                "machine": one["device"],
            }
        )
    return markdown(lines)


def classes(folders: Sequence[str]) -> str:
    """Return the IoU of each class, in points: a column for each recipe, the mean of its seeds."""
    found = {folder: rows(folder) for folder in folders}
    found = {folder: one for folder, one in found.items() if not one.empty}
    names = [key for key in known() if key.startswith("iou ")]
    return markdown(
        {"class": key.removeprefix("iou ")}
        | {f"`{folder}`": points(one[key].mean()) for folder, one in found.items()}
        for key in names
    )


def comparison() -> str:
    """Return compare.py's table of encoders: scores, what they tell apart, and cost."""
    return markdown(
        {
            "contender": one["name"],
            "mIoU": points(one["miou"]) + ("" if pd.isna(one["sd"]) else f" ± {points(one['sd'])}"),
            "seeds": one["seeds"],
            "95% interval": ends(one),
            "verdict": one["verdict"],
            "parameters": f"{one['parameters'] / 1e6:.1f} M",
            "FLOPs": f"{one['flops'] / 1e9:.2f} G",
            "images/s": f"{one['images_per_second']:.0f}",
            "latency": f"{one['latency_ms']:.1f} ms",
            "training": duration(one["training_seconds"]),
        }
        for _, one in pd.read_csv(COMPARISON).iterrows()
    )


def original() -> str:
    """Return what the original study's protocol gives: mIoU, and the classes it never learns."""
    return markdown(
        {
            "command": f"`{typed}`",
            "val mIoU": points(one["miou"].mean()),
            **{name: points(one[f"iou {name}"].mean()) for name in RARE},
        }
        for typed, one in settings(rows("original"))
    )


def test_time(folder: str) -> str:
    """Return what flips and scales give, and how many times the pixels they cost."""
    found = rows(folder, views=None)
    plain = found.loc[found["views"] == "once", "miou"].mean()
    return markdown(
        {
            "each image is seen": how,
            "pixels": f"{cost(str(how)):.1f}x",
            "mIoU": spread(one["miou"]),
            "gain": "" if how == "once" else f"{100 * (one['miou'].mean() - plain):+.1f}",
        }
        for how, one in sorted(found.groupby("views"), key=lambda item: cost(str(item[0])))
    )


def cost(how: str) -> float:
    """Return the pixels that views cost, as a multiple of one plain view; see `views`."""
    factor = 1.0
    for part in how.split(", "):
        if part == "flip":
            factor *= 2
        elif part.startswith("scales"):
            factor *= sum(float(scale) ** 2 for scale in part.split()[1:])
    return factor


def points(fraction: float) -> str:
    """Return a fraction in points."""
    return f"{100 * fraction:.1f}"


def spread(values: pd.Series) -> str:
    """Return mean and standard deviation (n - 1) in points, such as ``57.8 ± 0.3``."""
    mean = points(values.mean())
    return f"{mean} ± {points(values.std())}" if len(values) > 1 else mean


def ends(row: pd.Series) -> str:
    """Return the interval of a row in points."""
    return f"[{points(row['low'])}, {points(row['high'])}]" if pd.notna(row["low"]) else ""


def markdown(lines: Sequence[dict] | Iterator[dict]) -> str:
    """Return a Markdown table; what a line lacks is empty."""
    table = pd.DataFrame(list(lines), dtype=object).fillna("")
    return f"\n{table.to_markdown(index=False, disable_numparse=True)}\n"


def main() -> None:
    """Bring results.csv up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs/results"))
    folder = parser.parse_args().folder
    found = collect(folder)
    update(found)
    if (compared := folder / "encoders" / "compared" / COMPARISON.name).is_file():
        shutil.copy(compared, COMPARISON)
    print(
        f"{len(found)} scorings found, {len(known())} in {TABLE.relative_to(ROOT)}", file=sys.stderr
    )


if __name__ == "__main__":
    main()
