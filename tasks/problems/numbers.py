"""Floats of 16 and 32 bits as the decimals that they print as: 0.1, not 0.10000000149011612."""

from typing import Any


def shorten_floats(batch: Any) -> Any:
    """An Arrow record batch whose columns of short floats are doubles."""
    import pyarrow as pa

    for place, field in enumerate(batch.schema):
        if pa.types.is_float32(field.type) or pa.types.is_float16(field.type):
            bits = 32 if pa.types.is_float32(field.type) else 16
            values = shorten_values(batch.column(place).to_pylist(), bits)
            batch = batch.set_column(place, field.name, pa.array(values, pa.float64()))
    return batch


def shorten_hub_floats(rows: Any) -> Any:
    """A hub's data set (`datasets.Dataset`) whose columns of short floats are doubles."""
    kinds = {name: getattr(feature, "dtype", None) for name, feature in rows.features.items()}
    bits = {name: int(kind[5:]) for name, kind in kinds.items() if kind in ("float16", "float32")}
    if not bits:
        return rows

    def shorten(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            name: shorten_values(values, bits[name]) if name in bits else values
            for name, values in columns.items()
        }

    return rows.with_transform(shorten)


def shorten_values(values: list[Any], bits: int) -> list[float | None]:
    """The doubles nearest to what prints floats of so many bits."""
    import numpy as np

    kind = np.float32 if bits == 32 else np.float16
    return [None if value is None else float(str(kind(value))) for value in values]
