"""Who wrote and who scored a set's stored solutions, as the rows say."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from flows.runs.sets import IMPORTS_STAGE
from flows.scoring import STAGE as SCORING_STAGE
from schemas.evaluation import EvaluationJob
from schemas.rows import STEP_SCORES
from storage import Store
from tasks.engines.open import identify_engine

_SCORES_NAME = re.compile(r"(?P<unit>.+)-(?P<verifier>[0-9a-f]{16})")


def name_models(
    store: Store, run_id: str, job: EvaluationJob, sampled: Sequence[str]
) -> tuple[EvaluationJob, list[str]]:
    """The job with names in the place of models, and the policy's files among the set's.

    Raises:
        ValueError: the policy wrote none of them, or it is not named and they are by several; the
            verifier is not named and several scored them.
    """
    by_policy = _by_policy(store, sampled)
    policy = job.policy_name or (job.policy and identify_engine(job.policy))
    policy = policy or _only(list(by_policy), "policy", run_id, job.set_name)
    if policy not in by_policy:
        raise ValueError(
            f"run {run_id}, set {job.set_name}: expected solutions by {policy!r}, "
            f"got some by {_names(by_policy)}"
        )
    files = by_policy[policy]
    verifier = job.verifier_name or (job.verifier and identify_engine(job.verifier))
    if verifier is None and (scored_by := _verifiers(store, run_id, files)):
        verifier = _only(scored_by, "verifier", run_id, job.set_name)
    named = job.with_fields(policy=None, policy_name=policy, verifier=None, verifier_name=verifier)
    return named, files


def _by_policy(store: Store, sampled: Sequence[str]) -> dict[str, list[str]]:
    """The files of each policy; all files of a stage and round are by the same one."""
    by_group: dict[str, list[str]] = {}
    for path in sampled:
        group = PurePath(path).with_suffix("").with_suffix("")
        by_group.setdefault(str(group), []).append(path)
    found: dict[str, list[str]] = {}
    for paths in by_group.values():
        found.setdefault(store.read(paths[0], (0, 1))[0].policy, []).extend(paths)
    return found


def _verifiers(store: Store, run_id: str, files: Sequence[str]) -> list[str]:
    """The verifiers that scored any of these files."""
    units = {PurePath(path).stem for path in files}
    by_id: dict[str, str] = {}
    for stage in (SCORING_STAGE, IMPORTS_STAGE):
        for path in store.files(STEP_SCORES.name, run_id=run_id, stage=stage):
            match = _SCORES_NAME.fullmatch(PurePath(path).stem)
            if match and match["unit"] in units:
                by_id.setdefault(match["verifier"], path)
    return sorted(store.read(path, (0, 1))[0].verifier for path in by_id.values())


def _only(names: Sequence[str], role: str, run_id: str, set_name: str) -> str:
    if len(names) != 1:
        raise ValueError(
            f"run {run_id}, set {set_name}: expected {role}_name, one of {_names(names)}"
        )
    return names[0]


def _names(names: Sequence[str] | dict[str, list[str]]) -> str:
    return ", ".join(map(repr, names))
