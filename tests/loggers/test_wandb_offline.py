"""A W&B log that was cut off anywhere keeps its whole records."""

import os
import struct
from pathlib import Path

import pytest
import wandb
from hypothesis import given
from hypothesis import strategies as st

from segmentation.loggers.run_id import write_run_id
from segmentation.loggers.wandb_offline import BLOCK, repair_logs, whole_bytes


def written(sizes: list[int]) -> tuple[bytes, list[int]]:
    """Write records as LevelDB's specification has it; return the log and where each record ends.

    A fragment ends where its block does; no fragment begins in a block's last six bytes.
    """
    content, ends = bytes(7), []
    for size in sizes:
        left, first = size, True
        while first or left:
            room = BLOCK - len(content) % BLOCK
            if room < 7:
                content += bytes(room)
                room = BLOCK
            part = min(left, room - 7)
            last = part == left
            kind = (1 if last else 2) if first else (4 if last else 3)
            content += struct.pack("<IHB", 0, part, kind) + b"x" * part
            left, first = left - part, False
            if last:
                break
        ends.append(len(content))
    return content, ends


@given(st.lists(st.integers(1, 2 * BLOCK), max_size=4), st.data())
def test_what_is_kept_is_the_whole_records_before_the_cut(sizes: list[int], data) -> None:
    content, ends = written(sizes)
    edges = [edge + near for edge in [7, *ends] for near in (-1, 0, 1)]
    cut = data.draw(st.one_of(st.integers(0, len(content)), st.sampled_from(edges)))
    kept = content[: max(cut, 0)]
    expected = max((end for end in [7, *ends] if end <= len(kept)), default=0)
    assert whole_bytes(kept) == expected


def test_the_log_of_a_real_run_is_whole(tmp_path: Path) -> None:
    run = wandb.init(
        mode="offline", dir=tmp_path, settings=wandb.Settings(silent=True, console="off")
    )
    for step in range(30):
        run.log({"step": step, "text": "x" * 2000})
    run.finish()
    wandb.teardown()
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = path.read_bytes()
    assert len(content) > BLOCK
    assert whole_bytes(content) == len(content)
    assert len(content) - 3000 < whole_bytes(content[:-700]) < len(content) - 700
    repair_logs(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("left", [0, 3, 7, 12])
def test_a_part_without_a_record_is_removed(left: int, tmp_path: Path) -> None:
    path = tmp_path / "wandb" / "offline-run-20260101_000000-abc" / "run-abc.wandb"
    path.parent.mkdir(parents=True)
    path.write_bytes(written([100])[0])
    os.truncate(path, left)
    repair_logs(tmp_path)
    assert not path.exists()


def test_parts_that_were_uploaded_while_they_were_written_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "wandb" / "run-20260101_000000-abc" / "run-abc.wandb"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    repair_logs(tmp_path)
    assert path.exists()


def test_in_a_directory_of_many_runs_only_the_logs_of_this_one_are_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "shared"))
    write_run_id(tmp_path / "run" / "wandb", "abc")
    whole = written([100])[0]
    for run_id in ("abc", "other-abcd"):
        path = tmp_path / f"shared/wandb/offline-run-20260101_000000-{run_id}/run-{run_id}.wandb"
        path.parent.mkdir(parents=True)
        path.write_bytes(whole + b"cut")
    repair_logs(tmp_path / "run")
    sizes = {path.stem: path.stat().st_size for path in tmp_path.rglob("*.wandb")}
    assert sizes == {"run-abc": len(whole), "run-other-abcd": len(whole) + 3}
