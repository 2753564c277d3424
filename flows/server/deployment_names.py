"""The names under which `stepmill serve` deploys: two stores on one server share none.

The store that was served first has the plain names of `prefect.yaml`. The deployments and the work
pool of another one end in a digest of its address, so that neither changes where the other's runs
write, and a worker takes the runs of its own store only.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POOL = "stepmill"
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class ServedNames:
    """How the deployments of a store are called."""

    suffix: str
    """What is added to each name; empty for the plain names."""
    owner: str
    """The store that has the plain names."""

    @property
    def pool(self) -> str:
        """The work pool."""
        return f"{POOL}{self.suffix}"


def served_names(root: str) -> ServedNames:
    """The names for a store on the server that PREFECT_API_URL names."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    plain = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
    with get_client(sync_client=True) as client:
        found = client.read_deployments(work_pool_filter=plain)
    return names_beside(root, [deployment.parameters.get("root") for deployment in found])


def names_beside(root: str, roots: list[Any]) -> ServedNames:
    """The names for a store beside deployments that write to these roots."""
    others = [each for each in roots if isinstance(each, str) and each != root]
    if not others or root in roots:
        return ServedNames("", root)
    digest = hashlib.sha256(root.encode()).hexdigest()[:_DIGITS]
    return ServedNames(f"-{digest}", others[0])


@contextlib.contextmanager
def renamed(file: Path, names: ServedNames) -> Iterator[Path]:
    """A file of deployments with these names, as long as the block runs."""
    if not names.suffix:
        yield file
        return
    import yaml

    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    for deployment in plan["deployments"]:
        deployment["name"] += names.suffix
        deployment["work_pool"] = {**deployment["work_pool"], "name": names.pool}
    plan.pop("definitions", None)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / file.name
        place.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
        yield place
