"""What rows of older schema versions say in the columns of this one.

Version 3 had no `trajectories.role`: a rollout was known by its strategy, and what a search drew in
a role had a word after the strategy (`beam ahead`, `filter_vote judge`). The same rule stands here
twice, for views and for records; rows that have a role are left as they are. Its `metrics` glued
names together: `schemas.metric_names` takes them apart, for records here and in the view `curves`.
"""

import re
from dataclasses import replace

from schemas.metric_names import current_names
from schemas.rows import METRICS, TRAJECTORIES, Metric, TableSpec, Trajectory

_IN_SQL = {
    TRAJECTORIES.name: {
        "role": "case when role is not null then role when strategy = 'rollout' then 'rollout' "
        "when suffix(strategy, ' ahead') then 'lookahead' "
        "when suffix(strategy, ' judge') then 'judge' end",
        "strategy": "if(role is null, regexp_replace(strategy, ' (ahead|judge)$', ''), strategy)",
    }
}
_MARKED = re.compile(r"(?P<strategy>.+) (?P<word>ahead|judge)", re.DOTALL)
_ROLES = {"ahead": "lookahead", "judge": "judge"}


def present_columns(spec: TableSpec) -> list[str]:
    """The columns of a table in SQL, over files of any version that have all of them."""
    derived = _IN_SQL.get(spec.name, {})
    return [f"{derived[name]} as {name}" if name in derived else name for name in spec.schema.names]


def present_records(spec: TableSpec, records: list) -> list:
    """Records that were read from a file of any version."""
    present = _PRESENT.get(spec.name)
    return records if present is None else list(map(present, records))


def _present_trajectory(row: Trajectory) -> Trajectory:
    if row.role is not None:
        return row
    if row.strategy == "rollout":
        return replace(row, role="rollout")
    if marked := _MARKED.fullmatch(row.strategy):
        return replace(row, strategy=marked["strategy"], role=_ROLES[marked["word"]])
    return row


def _present_metric(row: Metric) -> Metric:
    names = {name: getattr(row, name) for name in _NAMES}
    present = current_names(names)
    return row if present == names else replace(row, **present)


_NAMES = ("strategy", "metric", "bin", "pick", "arm", "against")
_PRESENT = {TRAJECTORIES.name: _present_trajectory, METRICS.name: _present_metric}
