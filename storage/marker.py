"""The file that makes a folder a store, and records the newest schema version of its rows.

A commit adds rows of this version to a store of an older one. The marker is raised first, so that
an older stepmill, which cannot read such rows, rejects the store.
"""

import json
from pathlib import Path

from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION
from storage.roots import LocalRoot, Root, scratch_folder

MARKER = "stepmill.json"
_keep_files: set[str] = set()
"""Object stores that kept an existing file when this process tried to overwrite it."""


def read_version(root: Root, *, create: bool) -> int:
    """The schema version of a store, which is created if `create` is set.

    Raises:
        StoreUnusable: the store does not exist and is not created, it is newer than this stepmill,
            or its place cannot keep the commit rule.
    """
    if not root.exists(MARKER):
        if not create:
            raise StoreUnusable(f"{root.url} is not a store: it has no {MARKER}")
        put_marker(root)
    with root.open(MARKER) as stream:
        text = stream.read()
    try:
        version = int(json.loads(text)["schema_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreUnusable(
            f"{root.url}/{MARKER}: expected a schema version, got {error!r}"
        ) from error
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{root.url} was written by schema version {version}; this stepmill reads up to "
            f"{SCHEMA_VERSION}: use a newer stepmill"
        )
    return version


def put_marker(root: Root) -> None:
    """Make a root a store of this version.

    Raises:
        StoreUnusable: a name can be used twice there.
    """
    if isinstance(root, LocalRoot):
        root.folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(root) as folder:
        marker = folder / MARKER
        marker.write_bytes(_text())
        root.put(marker, MARKER)
        _try_overwriting(root, marker)


def check_keeps_files(root: Root) -> None:
    """Test an object store once per process, before its first commit.

    A store may have been moved to a server that ignores conditions. The marker is put where it is,
    with the same bytes, so that the test changes nothing on any server.

    Raises:
        StoreUnusable: an existing file was overwritten.
    """
    if isinstance(root, LocalRoot) or root.url in _keep_files:
        return
    with root.open(MARKER) as stream:
        text = stream.read()
    with scratch_folder(root) as folder:
        marker = folder / MARKER
        marker.write_bytes(text)
        _try_overwriting(root, marker)


def _try_overwriting(root: Root, marker: Path) -> None:
    if root.put(marker, MARKER):
        raise StoreUnusable(
            f"{root.url}: the object store overwrites files in spite of If-None-Match, so "
            "rows could be lost: use one that supports conditional writes"
        )
    _keep_files.add(root.url)


def raise_version(root: Root) -> int:
    """Write this schema version into the marker of a store; the version."""
    root.rewrite(MARKER, _text())
    return SCHEMA_VERSION


def _text() -> bytes:
    return json.dumps({"schema_version": SCHEMA_VERSION}).encode() + b"\n"
