"""The kinds of rows in the store, each a module with a record and its table.

To add a table, add a module here: `TABLES` holds the tables of all modules, and the catalog has a
view of each.
"""

from importlib import import_module
from pkgutil import iter_modules

from schemas.rows.check_results import CheckResult, CheckStatus
from schemas.rows.critiques import CRITIQUES, Critique, CritiqueStep
from schemas.rows.decisions import DECISIONS, Decision, DecisionStatus
from schemas.rows.documents import DOCUMENTS, Document
from schemas.rows.failures import FAILURES, Failure
from schemas.rows.judgements import JUDGEMENTS, Judgement
from schemas.rows.metrics import METRICS, Metric
from schemas.rows.models import MODELS, Model, ModelRole
from schemas.rows.planted_samples import PLANTED_SAMPLES, PlantedSample
from schemas.rows.problems import PROBLEMS, Problem
from schemas.rows.relations import RELATIONS, MeasuredRelation
from schemas.rows.runs import RUNS, RunEvent, RunState
from schemas.rows.step_labels import STEP_LABELS, Evidence, StepLabel
from schemas.rows.step_scores import STEP_SCORES, StepScores
from schemas.rows.token_rewards import TOKEN_REWARDS, TokenRewards
from schemas.rows.training_sets import TRAINING_SETS, TrainingSet
from schemas.rows.trajectories import TRAJECTORIES, Status, Step, Trajectory
from schemas.rows.verdicts import VERDICTS, MemberVerdict, Verdict
from schemas.tables import SCHEMA_VERSION, TableSpec, from_table, now, to_table

__all__ = [
    "CRITIQUES",
    "DECISIONS",
    "DOCUMENTS",
    "FAILURES",
    "JUDGEMENTS",
    "METRICS",
    "MODELS",
    "PLANTED_SAMPLES",
    "PROBLEMS",
    "RELATIONS",
    "RUNS",
    "SCHEMA_VERSION",
    "STEP_LABELS",
    "STEP_SCORES",
    "TABLES",
    "TOKEN_REWARDS",
    "TRAINING_SETS",
    "TRAJECTORIES",
    "VERDICTS",
    "CheckResult",
    "CheckStatus",
    "Critique",
    "CritiqueStep",
    "Decision",
    "DecisionStatus",
    "Document",
    "Evidence",
    "Failure",
    "Judgement",
    "MeasuredRelation",
    "MemberVerdict",
    "Metric",
    "Model",
    "ModelRole",
    "PlantedSample",
    "Problem",
    "RunEvent",
    "RunState",
    "Status",
    "Step",
    "StepLabel",
    "StepScores",
    "TableSpec",
    "TokenRewards",
    "TrainingSet",
    "Trajectory",
    "Verdict",
    "from_table",
    "now",
    "to_table",
]


def _find_tables() -> dict[str, TableSpec]:
    """The tables that the modules of this package declare, by name.

    Raises:
        ValueError: two of them have the same name.
    """
    found: dict[str, TableSpec] = {}
    for module in iter_modules(__path__, f"{__name__}."):
        for spec in vars(import_module(module.name)).values():
            if isinstance(spec, TableSpec) and found.setdefault(spec.name, spec) is not spec:
                raise ValueError(f"{module.name}: another table is named {spec.name!r}")
    return found


TABLES: dict[str, TableSpec] = _find_tables()
"""Every table of the store, by name."""
