"""The names of units as values: `str` writes a name, `parse` reads it, `of` reads it from a path.

A name says what the unit's file holds. It begins with a set of problems, whose name has no dot.

    train.00000                        solutions of a set; the number is the index of the unit
    train.r1-89be69d0.00000            solutions of one policy in a round of a loop
    eval.i00000                        imported solutions
    train.00000-000                    rollouts and step labels of a part of a unit of solutions
    train.00000-000-checker            labels of another type, made after the first ones
    eval.i00000-000                    imported step labels
    eval.00000-b34dec69cb9c4c50        a verifier's scores of a unit of solutions
    train.00000-rg2-5f0c61d2a7b3e894   solutions made wrong on purpose, from a unit of solutions
    eval.00000-7a1be3d90c52f468        critiques of a unit's solutions; the digest covers critic and
                                       settings. Their refinements have the same and one more digest
    train.00000-talk2-0d93e1b7745ac2f6 the second round of self-talk about a unit's solutions: its
                                       critiques, or what the actor went on with. Round 0 has the
                                       finished talks
    eval.00000-000-942a4af785d435cb    a grader's verdicts on a unit of solutions, rollouts,
                                       second attempts or error paths
    eval.00000-5b0c61d2a7b3e894        a judge's judgements of such a unit, of which its verdicts
                                       are made
    eval.beam-n4-421984db8386.00000    trees, and their decisions, of a cell of a search
    verifier-c8ebf8585bb9b03d          a model or figures, with a digest of all their inputs
"""

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, ClassVar, Self, get_args

from schemas.units import UnitPath, derive_id

_SET = r"(?P<set_name>[A-Za-z0-9][A-Za-z0-9_-]{0,49})"
_INDEX = r"(?P<index>\d{5}|[1-9]\d{5,})"
_NUMBER = r"\d{3}|[1-9]\d{3,}"


class UnitName:
    """Base of the kinds of names."""

    form: ClassVar[str]
    """An example or several, for messages."""
    pattern: ClassVar[re.Pattern[str]]
    """What `parse` accepts. Its groups are fields, whose types say how to read them."""
    template: ClassVar[str]
    """What `str` writes, with the fields of the name as `{0.field}`."""

    def __str__(self) -> str:
        """The name."""
        return self.template.format(self)

    @classmethod
    def parse(cls, name: str) -> Self:
        """The value of a name.

        Raises:
            ValueError: the text is not a name of this kind.
        """
        if (parts := cls.pattern.fullmatch(name)) is None:
            raise ValueError(f"expected the name of a unit like {cls.form}, got {name!r}")
        kinds = {each.name: each.type for each in fields(cls)}  # type: ignore[arg-type]
        found = {field: text for field, text in parts.groupdict().items() if text is not None}
        return cls(**{field: _read(kinds[field], text) for field, text in found.items()})

    @classmethod
    def of(cls, path: str) -> Self:
        """The value of the name in a unit's path.

        Raises:
            ValueError: the text is not the path of a unit with a name of this kind.
        """
        return cls.parse(UnitPath.parse(path).unit)


class NameAfterAnother(UnitName):
    """Base of the names that begin with the name of the unit that was read."""

    @property
    def group(self) -> "SolutionsGroup":
        """The group of the solutions that it is about."""
        first, *_ = fields(self)  # type: ignore[arg-type]
        return getattr(self, first.name).group


@dataclass(frozen=True, slots=True, order=True)
class SolutionsGroup(UnitName):
    """All solutions of a set, or those that one policy sampled in a round of a loop."""

    set_name: str
    round: int | None = None
    policy_id: str | None = None
    """With a round, the first eight digits of a hash of the policy's id."""

    form = "train or train.r1-89be69d0"
    pattern = re.compile(rf"{_SET}(\.r(?P<round>0|[1-9]\d*)-(?P<policy_id>[0-9a-f]{{8}}))?")

    @classmethod
    def of_round(cls, set_name: str, number: int, policy: str) -> Self:
        """The group of a policy's solutions in a round."""
        return cls(set_name, number, _short(policy))

    def is_of(self, rounds: Collection[int], policies: Collection[str] | None = None) -> bool:
        """Whether the round is one of these, and the policy one of these if any are given."""
        is_one = self.round is not None and self.round in rounds
        return is_one and (policies is None or self.policy_id in set(map(_short, policies)))

    def __str__(self) -> str:
        """The name."""
        return (
            self.set_name
            if self.round is None
            else f"{self.set_name}.r{self.round}-{self.policy_id}"
        )


@dataclass(frozen=True, slots=True, order=True)
class SolutionsName(UnitName):
    """A unit of sampled or imported solutions."""

    group: SolutionsGroup
    index: int
    is_imported: bool = False

    form = "train.00000, train.r1-89be69d0.00000 or eval.i00000"
    pattern = re.compile(rf"(?P<group>.+)\.(?P<is_imported>i?){_INDEX}")

    def __str__(self) -> str:
        """The name."""
        return f"{self.group}.{'i' if self.is_imported else ''}{self.index:05d}"


@dataclass(frozen=True, slots=True, order=True)
class LabelsName(NameAfterAnother):
    """Rollouts from a part of a unit's solutions, or the step labels made from them."""

    solutions: SolutionsName
    part: int
    labels_type: str = ""
    """The type of labels that were made beside others of the set; empty for the first ones."""

    form = "train.00000-000 or train.00000-000-checker"
    pattern = re.compile(rf"(?P<solutions>.+)-(?P<part>{_NUMBER})(-(?P<labels_type>[a-z][a-z_]*))?")

    def __str__(self) -> str:
        """The name."""
        return "-".join([f"{self.solutions}-{self.part:03d}", *filter(None, [self.labels_type])])


@dataclass(frozen=True, slots=True, order=True)
class ScoresName(NameAfterAnother):
    """A unit of one verifier's scores of a unit's solutions."""

    solutions: SolutionsName
    verifier_id: str

    form = "eval.00000-b34dec69cb9c4c50"
    template = "{0.solutions}-{0.verifier_id}"
    pattern = re.compile(r"(?P<solutions>.+)-(?P<verifier_id>[0-9a-f]{16})")

    @classmethod
    def by(cls, verifier: str, solutions: SolutionsName) -> Self:
        """The name of a verifier's scores of these solutions."""
        return cls(solutions, derive_id(verifier))


@dataclass(frozen=True, slots=True, order=True)
class ErrorPathsName(NameAfterAnother):
    """A unit of solutions made wrong on purpose, in one way, from a unit of solutions."""

    solutions: SolutionsName
    kind: str
    """The way: `rg1`, `rg2` or `rg3`."""
    digest: str

    form = "train.00000-rg2-5f0c61d2a7b3e894"
    template = "{0.solutions}-{0.kind}-{0.digest}"
    pattern = re.compile(r"(?P<solutions>.+)-(?P<kind>rg[123])-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class CritiquesName(NameAfterAnother):
    """A unit of critiques of a unit's solutions; the digest covers critic and settings."""

    read: SolutionsName | ErrorPathsName
    digest: str

    form = "eval.00000-7a1be3d90c52f468"
    template = "{0.read}-{0.digest}"
    pattern = re.compile(r"(?P<read>.+)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class RefinementsName(NameAfterAnother):
    """A unit of refinements made with a unit's critiques; the digest covers actor and settings."""

    critiques: CritiquesName
    digest: str

    form = "eval.00000-7a1be3d90c52f468-0d93e1b7745ac2f6"
    template = "{0.critiques}-{0.digest}"
    pattern = re.compile(r"(?P<critiques>.+)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class TalkName(NameAfterAnother):
    """A unit of one round of self-talk, or, as round 0, of the talks that all rounds end in."""

    solutions: SolutionsName
    round: int
    digest: str

    form = "train.00000-talk2-0d93e1b7745ac2f6"
    template = "{0.solutions}-talk{0.round}-{0.digest}"
    pattern = re.compile(r"(?P<solutions>.+)-talk(?P<round>0|[1-9]\d*)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class VerdictsName(NameAfterAnother):
    """A unit of one grader's verdicts on solutions, rollouts, second attempts or error paths.

    The number counts the gradings of that unit, so that an earlier grader can be used again.
    """

    graded: SolutionsName | LabelsName | RefinementsName | ErrorPathsName
    number: int
    grader_id: str

    form = "eval.00000-000-942a4af785d435cb"
    template = "{0.graded}-{0.number:03d}-{0.grader_id}"
    pattern = re.compile(rf"(?P<graded>.+)-(?P<number>{_NUMBER})-(?P<grader_id>[0-9a-f]{{16}})")


@dataclass(frozen=True, slots=True)
class JudgementsName(NameAfterAnother):
    """A judge's judgements of a unit's rows; the digest covers model and settings."""

    judged: SolutionsName | LabelsName | RefinementsName | ErrorPathsName
    digest: str

    form = "eval.00000-5b0c61d2a7b3e894"
    template = "{0.judged}-{0.digest}"
    pattern = re.compile(r"(?P<judged>.+)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, slots=True, order=True)
class SearchCell(UnitName):
    """A strategy at a budget over a set; the digest covers everything that decides the rows."""

    set_name: str
    strategy: str
    budget: int
    digest: str

    form = "eval.beam-n4-421984db8386"
    template = "{0.set_name}.{0.strategy}-n{0.budget}-{0.digest}"
    pattern = re.compile(
        rf"{_SET}\.(?P<strategy>[a-z][a-z0-9_]*)-n(?P<budget>[1-9]\d*)-(?P<digest>[0-9a-f]{{12}})"
    )


@dataclass(frozen=True, slots=True, order=True)
class TreesName(UnitName):
    """A unit of a cell's search trees, and of the decisions on them."""

    cell: SearchCell
    index: int

    form = "eval.beam-n4-421984db8386.00000"
    template = "{0.cell}.{0.index:05d}"
    pattern = re.compile(rf"(?P<cell>.+)\.{_INDEX}")

    @property
    def group(self) -> SolutionsGroup:
        """The set that was searched."""
        return SolutionsGroup(self.cell.set_name)


@dataclass(frozen=True, slots=True, order=True)
class DigestName(UnitName):
    """A unit named by all its inputs: a model, or figures. Other inputs make another unit."""

    base: str
    digest: str

    form = "verifier-c8ebf8585bb9b03d"
    template = "{0.base}-{0.digest}"
    pattern = re.compile(r"(?P<base>.+)-(?P<digest>[0-9a-f]{16})")

    @classmethod
    def derive(cls, base: object, *parts: object) -> Self:
        """The name with the digest of the parts."""
        return cls(str(base), derive_id(*parts))


UNITS_READ: dict[tuple[str, str], type[UnitName]] = {
    ("trajectories", "sampling"): SolutionsName,
    ("trajectories", "imports"): SolutionsName,
    ("trajectories", "step_labels"): LabelsName,
    ("trajectories", "search"): TreesName,
    ("decisions", "search"): TreesName,
    ("step_labels", "step_labels"): LabelsName,
    ("step_labels", "imports"): LabelsName,
    ("step_scores", "scoring"): ScoresName,
    ("step_scores", "imports"): ScoresName,
    ("verdicts", "regrading"): VerdictsName,
    ("judgements", "regrading"): JudgementsName,
    ("trajectories", "error_paths"): ErrorPathsName,
    ("critiques", "critiques"): CritiquesName,
    ("trajectories", "refinements"): RefinementsName,
    ("critiques", "self_talk"): TalkName,
    ("trajectories", "self_talk"): TalkName,
}
"""By table and stage, the names by which stages find the units of others."""


def misnamed(path: str) -> str | None:
    """Why no stage finds the unit of this path by its name; None if it does, or need not.

    Raises:
        ValueError: it is not the path of a unit.
    """
    place = UnitPath.parse(path)
    kind = UNITS_READ.get((place.table, place.stage))
    if kind is None:
        return None
    try:
        kind.parse(place.unit)
    except ValueError as error:
        return str(error)
    return None


def _read(kind: Any, text: str) -> Any:
    """The value of a field of this type.

    A digest may be digits alone, so of several kinds of names the pattern does not decide.

    Raises:
        ValueError: the text is of another type.
    """
    kinds = [each for each in get_args(kind) or (kind,) if each is not NoneType]
    readers = [each.parse if issubclass(each, UnitName) else each for each in kinds]
    for reader in readers[:-1]:
        with contextlib.suppress(ValueError):
            return reader(text)
    return readers[-1](text)


def _short(policy: str) -> str:
    """The digits that stand for a policy in a name."""
    return derive_id(policy)[:8]
