"""Models on the Hugging Face hub: fetch, save and push the two files that are a model.

huggingface_hub's own `ModelHubMixin` does not fit: it saves the arguments of the constructor, which
are paths of this machine, deletes a `config.json` of somebody else before it writes, and generates
a card that says nothing. Its functions below the mixin are used.
"""

import json
import logging
import shutil
import tempfile
from pathlib import Path

import huggingface_hub

from segmentation.errors import ConfigError, ModelError, SegmentationError
from segmentation.model_files import TENSORS
from segmentation.models.description import parse_description
from segmentation.models.hub import brief
from segmentation.models.saving import CONFIG, load_model, save_model
from segmentation.system.files import MAX_JSON_BYTES, atomic_file, read_bounded

log = logging.getLogger(__name__)

CARD = "README.md"
TIMEOUT = 10.0
"""Seconds to wait for the hub to tell of a file."""


def fetch_model(repo: str, revision: str | None = None) -> Path:
    """Return the local directory of a model of the hub, downloaded if it is not there yet.

    Only `config.json` and `model.safetensors` are downloaded, which contain no code. Endpoint,
    login, cache, proxies and offline mode are those of huggingface_hub (HF_ENDPOINT, HF_TOKEN,
    HF_HOME, HTTPS_PROXY, HF_HUB_OFFLINE).

    Raises:
        ModelError: the hub does not deliver them.
    """
    named = repo if revision is None else f"{repo} at {revision}"
    try:
        directory = huggingface_hub.snapshot_download(
            repo, revision=revision, allow_patterns=[CONFIG, TENSORS], etag_timeout=TIMEOUT
        )
    except Exception as error:  # network, disk and protocol errors of several libraries
        raise ModelError(
            f"{named}: no such file or directory here, and the Hugging Face hub "
            f"({huggingface_hub.constants.ENDPOINT}) does not deliver such a model "
            f"({brief(error)})."
        ) from error
    missing = [name for name in (CONFIG, TENSORS) if not (Path(directory) / name).is_file()]
    if missing:
        raise ModelError(f"{named}: the hub has no {' and no '.join(missing)} there.")
    return Path(directory)


def save_copy(source: Path, directory: Path) -> None:
    """Write the model directory of a model, as it was trained.

    Args:
        source: what it was loaded from; of a model directory the files are copied, with its card.
        directory: created if missing.

    Raises:
        ConfigError: the directory holds another kind of model, or is a file.
        ModelError: an exported file is no model directory, or the files cannot be written.
    """
    _check_target(directory)
    if source.suffix == ".safetensors":
        source = source.parent
    if not (source / TENSORS).is_file():
        loaded = load_model(source)
        extra = loaded.info["extra"]
        save_model(loaded.model, directory, loaded.classes, loaded.size, extra)
        return
    if directory.resolve() == source.resolve():
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (TENSORS, CONFIG, CARD):
            if (source / name).is_file():
                with atomic_file(directory / name) as partial:
                    shutil.copyfile(source / name, partial)
    except OSError as error:
        raise ModelError(f"{directory}: the model can't be written: {error}") from error


def push(source: Path, repo: str, private: bool, revision: str | None, message: str) -> str:
    """Upload the model directory of a model to the hub in one commit; return its address.

    Raises:
        ModelError: the hub refuses.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_copy(source, Path(folder))
        if not (Path(folder) / CARD).is_file():
            log.warning(
                "%s has no card, so nobody can know what the model is: python publish.py "
                "run=<run> output=<folder> writes one; push that folder.", source
            )  # fmt: skip
        try:
            api = huggingface_hub.HfApi()
            api.create_repo(repo, private=private, exist_ok=True)
            return str(
                api.upload_folder(
                    repo_id=repo, folder_path=folder, commit_message=message, revision=revision
                ).commit_url
            )
        except Exception as error:  # network and protocol errors of several libraries
            raise ModelError(
                f"{repo}: the Hugging Face hub ({huggingface_hub.constants.ENDPOINT}) does not "
                f"take the model ({brief(error)}). Log in with: hf auth login"
            ) from error


def _check_target(directory: Path) -> None:
    """Check that a directory is new, or holds a model of this project."""
    if directory.is_file():
        raise ConfigError(f"{directory} is a file: give a directory.")
    if not any((directory / name).exists() for name in (CONFIG, TENSORS)):
        return
    try:
        parse_description(json.loads(read_bounded(directory / CONFIG, MAX_JSON_BYTES)))
    except (OSError, ValueError, RecursionError, SegmentationError) as error:
        raise ConfigError(
            f"{directory} holds a model that is not of this project, or a newer one. Give another "
            "directory."
        ) from error
