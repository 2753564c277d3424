"""What `--format json` and `csv` print: numbers as numbers, whatever type DuckDB gives a sum."""

import json
from datetime import UTC, datetime

import duckdb
import pytest

from flows.tables.output import cell_words, write_relation

_ROW = """
select
    sum(x) as total, 12345678901234567890123::hugeint as huge, 2.50::decimal(5, 2) as part,
    [sum(x)] as listed, {'n': sum(x)} as nested, date '2026-01-02' as day, null::hugeint as missing
from (values (17000::bigint), (43::bigint)) as numbers(x)
"""


def _rows() -> duckdb.DuckDBPyRelation:
    found = duckdb.sql(_ROW)
    assert found is not None
    return found


def test_json_has_numbers_for_sums_and_decimals_at_any_depth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_relation(_rows(), "json")
    assert json.loads(capsys.readouterr().out) == [
        {
            "total": 17043,
            "huge": 12345678901234567890123,
            "part": 2.5,
            "listed": [17043],
            "nested": {"n": 17043},
            "day": "2026-01-02",
            "missing": None,
        }
    ]


def test_nested_sums_are_numbers_in_csv(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_relation(_rows(), "csv")
    assert b'"[17043]"' in capfdbinary.readouterr().out


def test_a_moment_is_printed_to_the_second() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert cell_words(moment) == "2026-01-02 03:04:05+00:00"
