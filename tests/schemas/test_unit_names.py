"""Names of units and paths: written names are read back, and any other name is refused."""

import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.unit_names import (
    DigestName,
    LabelsName,
    ScoresName,
    SearchCell,
    SolutionsGroup,
    SolutionsName,
    TreesName,
    UnitName,
    VerdictsName,
)
from schemas.units import Unit, UnitPath, derive_id

_STORE = Path(__file__).parents[1] / "fixtures" / "store-v3.tar.gz"
_LETTERS = "abcxyzABC0189_-"
_KINDS = {
    ("trajectories", "sampling"): SolutionsName,
    ("trajectories", "imports"): SolutionsName,
    ("trajectories", "step_labels"): LabelsName,
    ("trajectories", "search"): TreesName,
    ("decisions", "search"): TreesName,
    ("step_labels", "step_labels"): LabelsName,
    ("step_scores", "scoring"): ScoresName,
    ("step_scores", "imports"): ScoresName,
    ("verdicts", "regrading"): VerdictsName,
    ("problems", "problems"): SolutionsGroup,
    ("metrics", "evaluation"): DigestName,
    ("metrics", "search"): DigestName,
    ("metrics", "policy_training"): DigestName,
    ("models", "prm_training"): DigestName,
    ("models", "policy_training"): DigestName,
}
"""The form of unit names by table and stage; those of other stages are not read."""


def stored_paths() -> list[str]:
    with tarfile.open(_STORE) as archive:
        names = [name.removeprefix("store/") for name in archive.getnames()]
    return [name for name in names if "/stage=" in name and name.endswith(".parquet")]


def made_up(seed: int) -> Iterator[UnitName]:
    """One name of each kind."""
    rng = random.Random(seed)
    name = rng.choice(_LETTERS[:-2]) + "".join(rng.choices(_LETTERS, k=rng.randrange(50)))
    index, number = rng.choice([0, 7, 99_999, 100_000, 10**7]), rng.choice([0, 12, 999, 1000])
    digest = derive_id(seed)
    in_round = SolutionsGroup.of_round(name, rng.randrange(200), f"policy-{seed}")
    for group in (SolutionsGroup(name), in_round):
        solutions = SolutionsName(group, index)
        labels = LabelsName(solutions, number)
        yield from (group, solutions, labels, ScoresName.by("v", solutions))
        yield from (VerdictsName(graded, number, digest) for graded in (solutions, labels))
    imported = SolutionsName(SolutionsGroup(name), index, is_imported=True)
    yield from (imported, ScoresName.by("v", imported), VerdictsName(imported, number, digest))
    cell = SearchCell(name, rng.choice(["beam", "best_of_n", "x2"]), index + 1, digest[:12])
    yield from (cell, TreesName(cell, index), DigestName.derive(name, seed))


@pytest.mark.parametrize("seed", range(200))
def test_every_name_is_read_as_what_it_was_written_for(seed):
    for value in made_up(seed):
        assert type(value).parse(str(value)) == value
        path = UnitPath(table="t", run_id="r-1", stage="s", unit=str(value))
        assert UnitPath.parse(str(path)) == path
        assert type(value).of(str(path)) == value


@pytest.mark.parametrize("seed", range(50))
def test_no_name_of_solutions_is_one_of_another_kind(seed):
    kinds = (SolutionsName, LabelsName, ScoresName, VerdictsName, SearchCell)
    for value in made_up(seed):
        for kind in kinds:
            if isinstance(value, kinds) and not isinstance(value, kind):
                with pytest.raises(ValueError, match="expected the name of a unit like"):
                    kind.parse(str(value))


def test_names_and_paths_of_version_3_are_read_and_written_alike():
    paths = stored_paths()
    seen = set()
    for text in paths:
        path = UnitPath.parse(text)
        assert str(path) == text
        unit = Unit(run_id=path.run_id, stage=path.stage, name=path.unit, table=path.table)
        assert unit.path == text
        if kind := _KINDS.get((path.table, path.stage)):
            assert str(kind.of(text)) == path.unit
            seen.add((path.table, path.stage))
    assert seen == set(_KINDS)


def test_the_parts_of_stored_names():
    group = SolutionsGroup("eval", 1, "a11f9b7f")
    assert SolutionsName.parse("eval.r1-a11f9b7f.00003") == SolutionsName(group, 3)
    graded = VerdictsName.parse("eval.00000-000-942a4af785d435cb").graded
    assert graded == SolutionsName(SolutionsGroup("eval"), 0)
    rollouts = VerdictsName.parse("eval.00000-001-002-942a4af785d435cb")
    first = SolutionsName(SolutionsGroup("eval"), 0)
    assert (rollouts.graded, rollouts.number) == (LabelsName(first, 1), 2)
    cell = SearchCell("eval", "best_of_n", 4, "d6a445430ebf")
    assert TreesName.parse("eval.best_of_n-n4-d6a445430ebf.00000") == TreesName(cell, 0)
    assert ScoresName.parse("a.i00012-a6235752ef51e86c").solutions.is_imported


def test_rounds_and_policies_of_a_group():
    group = SolutionsGroup.of_round("train", 2, "policy-a")
    assert str(group) == f"train.r2-{derive_id('policy-a')[:8]}"
    assert group.is_of([1, 2])
    assert group.is_of([2], ["policy-b", "policy-a"])
    assert not group.is_of([1, 22])
    assert not group.is_of([2], ["policy-b"])
    assert not SolutionsGroup("train").is_of([0])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (SolutionsName, "train"),
        (SolutionsName, "train.0"),
        (SolutionsName, "train.000001"),
        (SolutionsName, "train.r1-89be69d0"),
        (SolutionsName, "train.x.00000"),
        (SolutionsName, "-train.00000"),
        (LabelsName, "train.00000-00"),
        (ScoresName, "eval.00000-b34dec69cb9c4c5"),
        (VerdictsName, "eval.00000-942a4af785d435cb"),
        (SearchCell, "eval.beam-n0-421984db8386"),
        (TreesName, "eval.00000"),
        (DigestName, "verifier"),
    ],
)
def test_other_names_are_refused(kind, name):
    with pytest.raises(ValueError, match="expected the name of a unit like"):
        kind.parse(name)


@pytest.mark.parametrize(
    "path",
    [
        "problems/mine.parquet",
        "problems/run_id=a/stage=b/c.txt",
        "problems/run_id=a/stage=b/c/d.parquet",
        "/problems/run_id=a/stage=b/c.parquet",
        "problems/stage=b/run_id=a/c.parquet",
    ],
)
def test_other_paths_are_refused(path):
    with pytest.raises(ValueError, match="expected TABLE/run_id=RUN/stage=STAGE/UNIT"):
        UnitPath.parse(path)
