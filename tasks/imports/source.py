"""Where imported rows come from: a file or a data set of the hub, its digest, and its format."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from schemas.imports import ImportsJob
from tasks.imports.formats import FORMATS, detect_format
from tasks.problems.hub import load_hub_rows
from tasks.problems.row_files import Row, iterate_rows


def iterate_source(job: ImportsJob) -> Iterator[Row]:
    """The rows of the job's file or data set in order, at most `limit` of them.

    Raises:
        ValueError: it does not exist, or cannot be read.
    """
    if job.path is not None:
        return iterate_rows(job.path, job.limit)
    assert job.dataset is not None
    rows = load_hub_rows(
        job.dataset, job.dataset_name, split=job.dataset_split, revision=job.revision
    )
    return islice(iter(rows), job.limit)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        ValueError: there is no such file.
    """
    if not path.is_file():
        raise ValueError(f"expected a file at {path}, there is none")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_source(job: ImportsJob) -> str:
    """The SHA-256 of the job's file, or of the rows of its data set.

    Raises:
        ValueError: it does not exist.
    """
    if job.path is not None:
        return digest_of(job.path)
    digest = hashlib.sha256()
    for row in iterate_source(job):
        digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def name_format(job: ImportsJob) -> ImportsJob:
    """The job with the format of a labelled set and whose labels these are; else unchanged.

    Rows of solutions keep the format `auto`, so that the config is the one of older versions.
    """
    kind = detect_format(iterate_source(job), job) if job.format == "auto" else job.format
    if kind is None or kind in ("auto", "solutions"):
        return job
    _, _, method = FORMATS[kind]
    return job.with_fields(format=kind, labels_method=job.labels_method or method)
