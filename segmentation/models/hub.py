"""Download pretrained weights from the Hugging Face hub, with a limit on its response time."""

import os
import threading
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError

from segmentation.models.timm_import import timm

FILENAMES = ("model.safetensors", "pytorch_model.bin")
"""The names under which timm keeps weights, the safe one first."""

TIMEOUT = 3.0
"""Seconds to wait for the hub's first response; HF_HUB_ETAG_TIMEOUT overrides it."""


class HubError(Exception):
    """The hub doesn't deliver the file; the message is a short reason."""


def fetch(cfg: timm.models.PretrainedCfg) -> Path:
    """Return the local file with the weights of one of timm's configurations, downloaded if needed.

    A cached file needs no network. Endpoint, offline mode, cache and proxies are those of
    `huggingface_hub` (HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME, HTTPS_PROXY).

    Raises:
        HubError: timm knows no file, the hub doesn't answer within `TIMEOUT`, or it refuses.
    """
    if not cfg.hf_hub_id:
        known = f"they are at {cfg.url}" if cfg.url else "none are published"
        raise HubError(f"the hub has no weights for it: {known}")
    repo, _, revision = cfg.hf_hub_id.partition("@")
    names = (cfg.hf_hub_filename,) if cfg.hf_hub_filename else FILENAMES
    for name in names:
        cached = huggingface_hub.try_to_load_from_cache(repo, name, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
    name = _first_offered(repo, names, revision or None)
    try:
        return Path(huggingface_hub.hf_hub_download(repo, name, revision=revision or None))
    except Exception as error:  # network, disk and protocol errors of several libraries
        raise HubError(f"the download of {repo} failed: {brief(error)}") from error


def _first_offered(repo: str, names: tuple[str, ...], revision: str | None) -> str:
    """Return the first of the files that the hub has.

    Asked from a thread, because no timeout covers the DNS lookup of the hub.
    """
    timeout = float(os.environ.get("HF_HUB_ETAG_TIMEOUT", TIMEOUT))
    outcome: list[str | Exception] = []

    def ask() -> None:
        for name in names:
            url = huggingface_hub.hf_hub_url(repo, name, revision=revision)
            try:
                huggingface_hub.get_hf_file_metadata(url, timeout=timeout)
            except EntryNotFoundError:
                continue
            except Exception as error:
                outcome.append(error)
                return
            outcome.append(name)
            return
        outcome.append(HubError(f"the hub has no {' nor '.join(names)} in {repo}"))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout + 0.5)
    if not outcome:
        raise HubError(f"the hub did not answer within {timeout:g} s")
    if isinstance(outcome[0], HubError):
        raise outcome[0]
    if isinstance(outcome[0], Exception):
        raise HubError(f"the hub cannot be reached: {brief(outcome[0])}") from outcome[0]
    return outcome[0]


def brief(error: Exception) -> str:
    """Return the kind and the first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
