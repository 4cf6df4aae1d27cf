"""No secret is shown."""

import logging
import logging.config
from pathlib import Path

import pytest
import yaml

from segmentation.config import CONF
from segmentation.console import show_error
from segmentation.sweep.jobs.state import JobState, read_job, write_job
from segmentation.sweep.table import labels, plan, to_csv, to_json
from segmentation.system.redaction import (
    RedactingFormatter,
    last_component,
    redact,
    redacted,
    strip_folders,
)

KEY = "0123456789" * 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://me:pass@host:1/x failed", "GET https://***@host:1/x failed"),
        ("postgresql://user:a:b@db/x and mail@host", "postgresql://***@db/x and mail@host"),
        ("sweep.storage=postgresql://u:p/a@s@s@db/x", "sweep.storage=postgresql://***@db/x"),
        ("https://u:p@ss@h/x", "https://***@h/x"),
        ("https://a@b@c/x", "https://***@c/x"),
        ("https://host:80/path/a@b.c", "https://host:80/path/a@b.c"),
        ("http://token@host/path", "http://***@host/path"),
        ("postgresql://db/x?user=u&password=p:a@s&ssl=1", "postgresql://db/x?user=u&password=***&ssl=1"),
        ("http://h/x?sslpassword=a&access_token=b#c", "http://h/x?sslpassword=***&access_token=***#c"),
        (f"key {KEY} refused", "key *** refused"),
        ("http://host/path and http://host:80/a", "http://host/path and http://host:80/a"),
        ("http://host/a@b", "http://host/a@b"),
        ("no folder https:/me:p/w@host/x", "no folder https:/***@host/x"),
        ("x://me:p@host, C:/a@b", "x://***@host, C:/a@b"),
    ],
)  # fmt: skip
def test_secrets_are_left_out(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("file /home/me/mine.pth, then more", "file mine.pth, then more"),
        ("model ../runs/first", "model first"),
        ("~/a/b.ckpt", "b.ckpt"),
        ("'/data/one'", "'one'"),
        ("C:\\Users\\me\\w.pth", "w.pth"),
        ("hub timm/resnet34.a1_in1k", "hub timm/resnet34.a1_in1k"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("1/2 of train/val", "1/2 of train/val"),
    ],
)
def test_of_a_path_its_last_part_is_left(text: str, shown: str) -> None:
    assert strip_folders(text) == shown


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("runs/alice/mine.pth", "mine.pth"),
        ("~alice/x/y.pt", "y.pt"),
        ("/home/me/My Project/secret client/m.pth", "m.pth"),
        ("/home/o'brien/x", "x"),
        ("/mnt/a,b/client/x.pt", "x.pt"),
        ("file:///home/alice/x.pt", "x.pt"),
        ("C:\\Users\\me\\runs\\first\\", "first"),
        ("first", "first"),
    ],
)
def test_what_is_known_to_be_a_path_keeps_nothing_but_its_end(path: str, last: str) -> None:
    assert last_component(path) == last


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h/x#access_token=abc", "https://h/x#access_token=***"),
        ("https://h/x?key=abc&v=1", "https://h/x?key=***&v=1"),
        ("https://h/x?sig=a%2Fb&sv=2", "https://h/x?sig=***&sv=2"),
        ("https://h/x?X-Amz-Signature=abc", "https://h/x?X-Amz-Signature=***"),
        ("https://user:p/w@h/x", "https://***@h/x"),
        ("https://h/x?keyboard=us", "https://h/x?keyboard=us"),
    ],
)
def test_secrets_of_urls(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redacted({"a": [text, 1], "b": {"c": text}}) == {"a": [shown, 1], "b": {"c": shown}}


def test_what_is_logged() -> None:
    record = logging.LogRecord("x", 30, "f", 1, "GET %s", ("https://u:p/w@h?token=a",), None)
    assert RedactingFormatter("%(message)s").format(record) == "GET https://***@h?token=***"


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show_error("GET https://u:p/w@h?token=a failed")
    assert capsys.readouterr().err == "error: GET https://***@h?token=*** failed\n"


def test_the_jobs_of_a_sweep(tmp_path: Path) -> None:
    words = ["seed=1", "logger.mlflow.tracking_uri=https://u:p/w@h"]
    job = JobState(words, "failed", error="GET https://u:p/w@h?token=a")
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job
    shown = [(tmp_path / "job.json").read_text(), plan({"a": job}), to_csv({"a": job})]
    for text in (
        *shown,
        str(to_json({"a": job})),
        str(labels({"a": job, "b": JobState([], "waiting")})),
    ):
        assert "https://***@h" in text
        assert "p/w" not in text
        assert "token=a" not in text


def test_every_log_of_a_command_is_redacted() -> None:
    for name in ("train", "once"):
        (formatter,) = yaml.safe_load((CONF / "hydra" / f"{name}.yaml").read_text())["job_logging"][
            "formatters"
        ].values()
        assert formatter["class"].endswith(".RedactingFormatter")
        logging.config.dictConfig(
            {"version": 1, "disable_existing_loggers": False, "formatters": {"simple": formatter}}
        )
