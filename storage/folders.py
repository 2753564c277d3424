"""Folders of an object store on the local disk, in the user's cache."""

import contextlib
import hashlib
import os
import shutil
import uuid
from pathlib import Path

from storage.roots import ObjectRoot


def fetch_folder(url: str) -> Path:
    """A folder `s3://bucket/...` as a local folder, fetched once and kept in the user's cache.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    root = ObjectRoot(url)
    parent, _, name = root.url.rpartition("/")
    target = cache_folder(parent) / name
    if target.is_dir():
        return target
    paths = list(root.files())
    if not paths:
        raise FileNotFoundError(f"the folder {root.url} does not exist")
    building = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    try:
        for path in paths:
            file = building / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with root.open(path) as stream:
                file.write_bytes(stream.read())
        with contextlib.suppress(OSError):  # another process was faster
            building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def cache_folder(url: str) -> Path:
    """The place in the user's cache for a folder of an object store."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepmill"
    return cache / hashlib.sha256(url.encode()).hexdigest()[:16]
