"""Rows of older schema versions, converted to the columns of this one.

Version 3 had no `trajectories.role`: a rollout had its own strategy, and what a search drew in a
role had a word after the strategy (`beam ahead`, `filter_vote judge`). The rule is here twice, for
views and for records; rows with a role are not changed. Its `metrics` joined several names in one:
`schemas.metric_names` separates them for records, the view `curves` in SQL.
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
    """The columns of a table in SQL, over rows of any version."""
    derived = _IN_SQL.get(spec.name, {})
    quoted = {name: f'"{name}"' for name in spec.schema.names}
    return [f"{derived.get(name, column)} as {column}" for name, column in quoted.items()]


def present_records(spec: TableSpec, records: list) -> list:
    """Records read from a file of any version, in the columns of this one."""
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
