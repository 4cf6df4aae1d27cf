"""What all tests share: caches and logins of their own, and the fake data."""

import os
from pathlib import Path

import pytest

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["WANDB_MODE"] = "offline"

ROOT = Path(__file__).resolve().parent.parent
CAMVID = ROOT.parent / "shared" / "camvid"


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
