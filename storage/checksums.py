"""Checksums of whole Parquet files: a damaged file is named, its rows are never read as others.

Parquet's own page checksums, which are written too, cover neither the headers of pages nor the
footer, whose column names, row counts and statistics change rows just as well; and DuckDB does not
verify them. So a committed file also carries a seal: 24 bytes between its last page and its footer,
where no reader looks, with a CRC-32 of everything before and one of everything after.

    8 bytes of magic | body CRC | body length | footer CRC      (4, 8 and 4 bytes, little-endian)

The footer's metadata says that there is a seal, so that a seal which is damaged itself is missed.
Files of versions before the seal have none; folding (`compaction.py`) gives them one.
"""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

SEALED_KEY = b"stepmill_sealed"
SEALED = {SEALED_KEY: b"1"}
"""Metadata of a file that gets a seal."""
_MAGIC = b"STEPSEAL"
_SEAL = struct.Struct("<8sIQI")
_END_BYTES = 8
"""A Parquet file ends with the length of its footer, four bytes, and the magic bytes."""
_CHUNK_BYTES = 4 << 20


class Readable(Protocol):
    """What reads a file at any place: a binary file, or Arrow's."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; the place from the beginning."""
        ...

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        ...


def seal(path: Path) -> None:
    """Put a seal into a finished Parquet file, whose metadata has `SEALED`."""
    with path.open("r+b") as stream:
        footer, start = _read_footer(stream)
        stream.seek(0)
        crc = _crc(stream, start)
        stream.seek(start)
        stream.write(_SEAL.pack(_MAGIC, crc, start, zlib.crc32(footer)) + footer)


def open_checked(stream: pa.NativeFile) -> pq.ParquetFile:
    """A Parquet file whose footer is verified, and whose pages will be as they are read.

    Raises:
        ValueError: the footer is not what was written.
    """
    check_seal(stream)
    stream.seek(0)
    return pq.ParquetFile(stream, page_checksum_verification=True)


def read_checked(stream: pa.NativeFile) -> pq.ParquetFile:
    """A Parquet file in memory that was read once and verified as a whole.

    Raises:
        ValueError: a byte is not what was written.
    """
    held = pa.py_buffer(stream.read())
    check_seal(pa.BufferReader(held), whole=True)
    return pq.ParquetFile(pa.BufferReader(held), page_checksum_verification=True)


def check_seal(stream: Readable, *, whole: bool = False) -> bool:
    """Verify a file's footer and, if `whole`, its body; False if it has no seal to verify.

    Raises:
        ValueError: a byte is not what was written, or the file has no footer.
    """
    footer, start = _read_footer(stream)
    stream.seek(max(0, start - _SEAL.size))
    found = stream.read(min(_SEAL.size, start))
    is_sealed = found.startswith(_MAGIC) and len(found) == _SEAL.size
    if not is_sealed:
        if SEALED_KEY in footer:
            raise ValueError("its bytes are not those that were written: the seal is damaged")
        return False
    _, body_crc, num_body, footer_crc = _SEAL.unpack(found)
    if zlib.crc32(footer) != footer_crc:
        raise ValueError("its footer is not the one that was written (CRC-32)")
    if whole:
        stream.seek(0)
        if num_body != start - _SEAL.size or _crc(stream, num_body) != body_crc:
            raise ValueError("its rows are not those that were written (CRC-32)")
    return True


def _read_footer(stream: Readable) -> tuple[bytes, int]:
    """A file's footer with its length and magic bytes, and where it begins."""
    size = stream.seek(0, 2)
    if size < _END_BYTES:
        raise ValueError(f"too short for a Parquet file: {size} bytes")
    stream.seek(size - _END_BYTES)
    start = size - _END_BYTES - int.from_bytes(stream.read(_END_BYTES)[:4], "little")
    if start < 0:
        raise ValueError("its footer would be longer than the file")
    stream.seek(start)
    return stream.read(size - start), start


def _crc(stream: Readable | BinaryIO, num_bytes: int) -> int:
    """The CRC-32 of the next bytes."""
    crc, left = 0, num_bytes
    while left > 0 and (chunk := stream.read(min(left, _CHUNK_BYTES))):
        crc, left = zlib.crc32(chunk, crc), left - len(chunk)
    return crc
