"""Which models wrote and scored a set's stored solutions, according to the rows."""

from collections.abc import Collection, Sequence
from pathlib import PurePath
from typing import Any

from flows.runs.sets import verifiers_of
from schemas.engines import SHIPPED_POLICY, EngineConfig
from schemas.evaluation import EvaluationJob
from schemas.unit_names import SolutionsGroup, SolutionsName
from schemas.units import Stage, UnitPath
from storage import Store
from storage.runs import recorded_configs
from tasks.engines.open import identify_engine
from tasks.models.checkpoints import find_checkpoint

SOLVING = (Stage.SAMPLING, Stage.IMPORTS)
"""The flows that make a set's solutions."""


def name_models(
    store: Store, run_id: str, job: EvaluationJob, sampled: Sequence[str]
) -> tuple[EvaluationJob, list[str]]:
    """The job with names instead of models, and those files of the set that the policy wrote.

    Raises:
        ValueError: the policy wrote none of them; or it is not named and several wrote them; or
            the verifier is not named and several scored them.
    """
    by_policy = _by_policy(store, sampled)
    policy = job.policy_name or (job.policy and identify_engine(job.policy))
    policy = policy or _only(list(by_policy), "policy", run_id, job.set_name)
    if policy not in by_policy:
        policy = _earlier_shipped(job.policy, list(by_policy)) or policy
    if policy not in by_policy:
        raise ValueError(
            f"run {run_id}, set {job.set_name}: expected solutions by {policy!r}, "
            f"got some by {_quoted(list(by_policy))}"
        )
    files = by_policy[policy]
    verifier = job.verifier_name
    verifier = verifier or (job.verifier and identify_engine(job.verifier, "verifier"))
    if verifier is None and (scored_by := verifiers_of(store, run_id, files)):
        verifier = _only(scored_by, "verifier", run_id, job.set_name)
    named = job.with_fields(policy=None, policy_name=policy, verifier=None, verifier_name=verifier)
    return named, files


def _earlier_shipped(policy: EngineConfig | None, known: Sequence[str]) -> str | None:
    """The one among these policies that an earlier version shipped, if the shipped one is named."""
    if policy is None or policy.type != "vllm" or policy.model != SHIPPED_POLICY:
        return None
    shipped = [name for name in known if name.startswith(f"{SHIPPED_POLICY}-")]
    return shipped[0] if len(shipped) == 1 else None


def solving_configs(
    store: Store, run_id: str, set_names: Collection[str], flows: Sequence[str] = SOLVING
) -> list[dict[str, Any]]:
    """The recorded configs of the flows that made the solutions of these sets.

    A model's folder is where it lies, even if the store was moved.
    """
    found = []
    for flow in flows:
        for config in recorded_configs(store, run_id, flow):
            if config.get("set_name") in set_names:
                policy = config.get("policy")
                if isinstance(policy, dict) and policy.get("type") == "vllm":
                    policy = {**policy, "model": _find_model(store, policy["model"])}
                found.append({**config, "policy": policy})
    return found


def _find_model(store: Store, model: str) -> str:
    """The path of a recorded model even if the store was moved; names that are not paths stay."""
    return find_checkpoint(store, model) if PurePath(model).is_absolute() else model


def _by_policy(store: Store, sampled: Sequence[str]) -> dict[str, list[str]]:
    """The files of each policy; all files of a stage and group are by the same policy."""
    by_group: dict[tuple[str, SolutionsGroup], list[str]] = {}
    for path in sampled:
        key = UnitPath.parse(path).stage, SolutionsName.of(path).group
        by_group.setdefault(key, []).append(path)
    found: dict[str, list[str]] = {}
    for paths in by_group.values():
        found.setdefault(store.read(paths[0], (0, 1))[0].policy, []).extend(paths)
    return found


def _only(names: Sequence[str], role: str, run_id: str, set_name: str) -> str:
    if len(names) != 1:
        raise ValueError(
            f"run {run_id}, set {set_name}: expected {role}_name, one of {_quoted(names)}"
        )
    return names[0]


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
