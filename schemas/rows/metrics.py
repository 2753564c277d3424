"""One row is a measured figure."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured figure. `bin` is `all`, or `<kind>=<value>` such as `level=3`."""

    policy: str
    verifier: str | None
    strategy: str
    budget: Int32 | None
    bin: str
    metric: str
    value: float
    ci_low: float | None
    ci_high: float | None
    num_problems: Int32
    set_name: str | None = None
    created_at: datetime | None = None


METRICS = TableSpec("metrics", Metric)
