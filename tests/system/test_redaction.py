"""No secret is shown."""

import pytest

from segmentation.system.redaction import last_component, redact, strip_folders

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
