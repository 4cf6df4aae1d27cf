"""What all tests share: caches and logins of their own, and the fake data."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["CITYSEG_CORES"] = "1"  # the other cores have test processes of their own

ROOT = Path(__file__).resolve().parent.parent
CAMVID = ROOT.parent / "shared" / "camvid"


def pytest_configure() -> None:
    """Keep absl, which OpenVINO imports, from closing our stderr when logging is configured."""
    with suppress(ImportError):
        from absl import logging

        logging.get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_collection_finish() -> None:
    """Leave what the tests import out of later garbage collections, which find nothing there."""
    freeze_objects()


def pytest_unconfigure() -> None:
    """Let go of them at the end, where triton would report each as leaked."""
    gc.unfreeze()


def freeze_objects() -> None:
    """Leave all objects there are out of later garbage collections."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def quick_collections() -> None:
    """Leave earlier tests' objects out too: statsmodels collects with every correction by Holm."""
    freeze_objects()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache directory out of the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """Real CamVid, where this machine has it beside the checkout (or in $CAMVID)."""
    root = Path(os.environ.get("CAMVID", CAMVID))
    if not root.is_dir():
        pytest.skip("real CamVid is not on this machine")
    return root


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run as somebody whom no W&B server knows, in a home directory that is returned."""
    import wandb

    home = tmp_path / "home"
    home.mkdir()
    for name in os.environ:
        if name.startswith(("WANDB_", "XDG_", "MLFLOW_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "none"))
    wandb.teardown()  # settings are read once
    monkeypatch.setattr(wandb, "run", None)  # of an earlier test: W&B would not log in beside it
    before = dict(os.environ)
    yield home
    wandb.teardown()
    os.environ.clear()
    os.environ.update(before)
