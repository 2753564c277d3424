"""A row is a measured figure."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured figure.

    Its columns, from what is measured to what it is measured against:

    * `strategy`: a way to choose among stored solutions with its setting (`majority`,
      `best_of_n[min]`), a search as its decisions name it (`beam[width=2]`), `compute_optimal` for
      a choice between searches, the method of step labels, `step_scores` of the verifier,
      `critique` and `retry` for second attempts with and without one (`verifier` is the critic),
      or `pool` for the solutions themselves;
    * `pick`: for a search, how the answer was picked unless by its main pick; for
      `compute_optimal`, what it chooses by (`oracle_quintile`, or `oracle_quintile,tokens` if the
      budget is tokens);
    * `arm`: one of the compared variants: an arm of a loop, the search with its N that
      `compute_optimal` chose (`beam@16`), or what a critic was told (`nothing`, `answer,t=1`);
    * `against`: what is compared with: the baseline of a gain, the reference of step scores
      (`checker` or a method of labels), the other method of a label audit;
    * `bin`: `all`, or `<kind>=<value>` such as `level=3`, in a loop after its round
      (`round=2,level=3`), see `schemas.metric_names.Bin`.
    """

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
    pick: str | None = None
    arm: str | None = None
    against: str | None = None


METRICS = TableSpec("metrics", Metric)
