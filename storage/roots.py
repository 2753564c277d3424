"""Where a store's files lie: a local folder, or a prefix of an S3 bucket."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StoreUnusable
from storage.local_files import held
from storage.local_root import STAGING, UNFINISHED, VERIFIED, LocalRoot
from storage.object_root import ObjectRoot
from storage.root import Root

__all__ = [
    "STAGING",
    "UNFINISHED",
    "VERIFIED",
    "LocalRoot",
    "ObjectRoot",
    "Root",
    "open_root",
    "scratch_folder",
    "staged_file",
]


def open_root(root: str | Path) -> Root:
    """The root with that name.

    Raises:
        StoreUnusable: it is a URL of a kind that cannot keep the commit rule, or without a bucket.
    """
    text = str(root)
    if text.startswith("s3://"):
        return ObjectRoot(text)
    if "://" in text:
        raise StoreUnusable(f"root {text}: expected a local folder or s3://BUCKET/PREFIX")
    return LocalRoot(Path(text).expanduser().absolute())


@contextlib.contextmanager
def scratch_folder(root: Root) -> Iterator[Path]:
    """A local folder for unfinished files, removed afterwards."""
    folder = root.scratch_parent() / f"stepmill-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        with held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def staged_file(root: Root, suffix: str) -> Iterator[Path]:
    """An empty local file to be finished and then `put`, removed afterwards."""
    path = root.scratch_parent() / f"{uuid.uuid4().hex}{suffix}"
    path.touch(exist_ok=False)
    try:
        with held(path):
            yield path
    finally:
        path.unlink(missing_ok=True)
