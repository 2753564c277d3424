"""Stream rows into the Parquet files of a set, and choose among them if they are too many.

Rows first go to one file, since the shares of stages and the number of rows can be decided only
when all rows are known. The kept rows are then copied in order, batch by batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.dataset_export.builders import Form
from schemas.training_rows import TrainingRow, schema_of, to_batch

_BATCH_ROWS = 4096


def spool_rows(
    path: Path,
    form: Form,
    rows: Iterable[TrainingRow],
    on_progress: Callable[[int], None],
    extra_columns: Sequence[str] = (),
) -> int:
    """Write all rows to one file; their number, which is also reported while writing."""
    num_rows, rows = 0, iter(rows)
    schema = schema_of(form, extra_columns)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            writer.write_batch(to_batch(form, batch, extra_columns))
            num_rows += len(batch)
            on_progress(num_rows)
    return num_rows


def choose_rows(
    stages: np.ndarray,
    *,
    shares: Sequence[float] | None,
    max_rows: int | None,
    seed: int,
) -> np.ndarray:
    """Whether each row is kept: stages in their shares, and at most `max_rows`.

    Args:
        stages: [num_rows] the stage of each row, from 1.
        shares: relative share of each stage; None for rows without stages. A stage without rows
            gets none, and the others keep their proportions.
        max_rows: None for all rows that the shares allow.
        seed: the seed of the draws.
    """
    rng = np.random.default_rng(seed)
    kept = np.ones(len(stages), dtype=bool)
    if shares is not None:
        counts = np.bincount(stages, minlength=len(shares) + 1)[1:]
        per_share = min(
            (count / share for count, share in zip(counts, shares, strict=True) if count and share),
            default=0.0,
        )
        for stage, share in enumerate(shares, 1):
            number = int(per_share * share + 1e-9)
            _drop(kept, np.flatnonzero(stages == stage), number, rng)
    if max_rows is not None:
        _drop(kept, np.flatnonzero(kept), max_rows, rng)
    return kept


def read_stages(path: Path) -> np.ndarray:
    """[num_rows] the stage of each row of a file; 0 where rows have none."""
    file = pq.ParquetFile(path)
    if "stage" not in file.schema_arrow.names:
        return np.zeros(file.metadata.num_rows, dtype=np.int32)
    return np.array(file.read(["stage"]).column("stage").to_pylist(), dtype=np.int32)


def copy_rows(
    path: Path, folder: Path, *, kept: np.ndarray, rows_per_file: int
) -> Iterator[pa.RecordBatch]:
    """Copy rows into `train-00000.parquet` and so on; yields each batch once it is written.

    Args:
        path: the file of all rows.
        folder: the folder of the new files.
        kept: [num_rows] which rows to copy.
        rows_per_file: maximum number of rows of one file.
    """
    file = pq.ParquetFile(path)
    writer: pq.ParquetWriter | None = None
    num_files = num_seen = room = 0
    for batch in file.iter_batches(_BATCH_ROWS):
        start, num_seen = num_seen, num_seen + batch.num_rows
        # As a list: for a NumPy array Arrow would import pandas, which takes longer than the rest.
        batch = batch.filter(pa.array(kept[start:num_seen].tolist()))
        while batch.num_rows:
            if writer is None:
                name = folder / f"train-{num_files:05d}.parquet"
                writer = pq.ParquetWriter(
                    name, file.schema_arrow, compression="zstd", write_page_checksum=True
                )
                num_files, room = num_files + 1, rows_per_file
            part, batch = batch.slice(0, room), batch.slice(room)
            writer.write_batch(part)
            room -= part.num_rows
            yield part
            if not room:
                writer.close()
                writer = None
    if writer is not None:
        writer.close()


def _drop(kept: np.ndarray, among: np.ndarray, number: int, rng: np.random.Generator) -> None:
    """Keep `number` of these rows, drawn uniformly."""
    if len(among) > number:
        kept[rng.permutation(among)[number:]] = False
