"""How an answer is graded: a config per kind of answer, in a union on `type`."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import FrozenConfig, Since
from schemas.judging import JudgeGraderConfig


def _check_marks(marks: tuple[str, ...] | str) -> tuple[str, ...] | str:
    if isinstance(marks, str):
        try:
            re.compile(marks)
        except re.error as error:
            raise ValueError(
                f"expected a regular expression, or a list of texts, got {marks!r}: {error}"
            ) from error
    if "" in (marks, *marks):
        raise ValueError("expected texts that stand before an answer, got an empty one")
    return marks


Marks = Annotated[tuple[str, ...] | str, AfterValidator(_check_marks)]
"""Texts that mark the answer after them, or one regular expression. The first group of the
expression is the answer; without a group, the answer follows the match."""


class MathGraderConfig(FrozenConfig):
    """Answers that are mathematics: exact for plain numbers, Math-Verify for the rest."""

    type: Literal["math"] = "math"
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Processor seconds for one comparison; if one takes longer, it is ungraded, not wrong."""
    max_answer_chars: Annotated[int, Field(ge=16, le=4000)] = 1000
    """A longer answer is not parsed: right if it equals the gold answer's text, else ungraded."""
    percent: Literal["hundredth", "ignored"] = "hundredth"
    """`hundredth`: 10% is 1/10 and never 10. `ignored`: the sign is dropped, 10% is 10 and not
    1/10; for data sets whose gold answers leave the sign out."""
    last_number: bool = False
    """Take the last number of a text that marks no answer. This credits numbers that were not meant
    as the answer, so accuracies with and without it are not comparable."""
    marks: Annotated[Marks, Since(4)] = ()
    r"""What marks the answer after it, such as `["A:"]`: a list of texts, or one regular expression
    (`'RESULT=(\d+)'`). The last one in a text counts, before boxes and `Answer:`, which still
    count in a text that has none."""
    num_processes: Annotated[int, Field(ge=1)] = 2
    """Maximum number of Math-Verify processes; each starts when a comparison first needs it."""
    memory_mb: Annotated[int, Field(ge=256)] = 1024
    """Address space of one process; a comparison that needs more is ungraded."""
    cache_size: Annotated[int, Field(ge=0)] = 65536
    """Compared pairs whose verdicts are cached."""


class ExactGraderConfig(FrozenConfig):
    """Answers that are strings: right when equal after normalisation."""

    type: Literal["exact"] = "exact"
    ignore_case: bool = False
    """`East` is `east`."""
    marks: Annotated[Marks, Since(4)] = ()
    r"""What marks the answer after it, such as `["A:"]`: a list of texts, or one regular expression
    (`'RESULT=(\d+)'`). The last one in a text counts, before boxes and `Answer:`, which still
    count in a text that has none."""


class PlantedGraderConfig(FrozenConfig):
    """Texts that contain the gold symbols in order, others between them (arXiv:2502.12118)."""

    is_offered: ClassVar[bool] = False
    type: Literal["planted"] = "planted"


class ProgramGraderConfig(FrozenConfig):
    """Programs that are right when they pass their problem's unit tests, run in a sandbox."""

    type: Literal["program"] = "program"
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 6
    """Processor seconds of a program; five times as many seconds may pass."""
    memory_mb: Annotated[int, Field(ge=64)] = 512
    """Address space of each process of a program."""
    num_processes: Annotated[int, Field(ge=2)] = 16
    """Processes and threads that a program may have at one time."""
    num_sandboxes: Annotated[int, Field(ge=1)] = 2
    """Programs that are run at one time."""


class BehaviourGraderConfig(ProgramGraderConfig):
    """As `program`, and programs that do the same on the tests' inputs count as one vote more."""

    type: Literal["behaviour"] = "behaviour"  # pyright: ignore[reportIncompatibleVariableOverride]


class ProofGraderConfig(FrozenConfig):
    """Proofs of the theorem in a problem's check, by Coq or Lean 4 in the sandbox."""

    type: Literal["proof"] = "proof"
    checker: Literal["coq", "lean"] = "coq"
    """`coq`: `coqc`, as installed in /usr. `lean`: Lean 4, on the path or in ~/.elan."""
    project: Annotated[str | None, Since(4)] = None
    """For `lean`: folder of a Lake project that is built, whose libraries a header may import; None
    for what comes with Lean."""
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 10
    """Processor seconds for one proof; one that needs more is wrong. If five times as many pass on
    the clock before, the machine is too busy and the proof is ungraded."""
    memory_mb: Annotated[int, Field(ge=256)] = 2048
    """Memory of the checker: address space of `coq`, what `lean` counts itself."""
    cache_size: Annotated[int, Field(ge=0)] = 65536
    """Checked proofs whose verdicts are cached."""

    @model_validator(mode="after")
    def _project_is_for_lean(self) -> Self:
        if self.project is not None and self.checker != "lean":
            raise ValueError("project: expected checker=lean with it, got checker=coq")
        return self


MemberConfig = Annotated[
    MathGraderConfig
    | ExactGraderConfig
    | PlantedGraderConfig
    | ProgramGraderConfig
    | BehaviourGraderConfig
    | ProofGraderConfig
    | JudgeGraderConfig,
    Field(discriminator="type"),
]
"""A grader that an ensemble may have."""


class EnsembleGraderConfig(FrozenConfig):
    """Several graders whose verdicts are combined; a member may be a judge."""

    type: Literal["ensemble"] = "ensemble"
    graders: Annotated[tuple[MemberConfig, ...], Field(min_length=1)] = (
        MathGraderConfig(),
        ExactGraderConfig(),
    )
    """The members, in order; the answer is that of the first that finds one."""
    combine: Literal["first", "majority", "all", "any"] = "first"
    """`first`: the first member that decides. `majority` of those that decide, null at a tie. `all`
    must say right: one wrong decides, else one null leaves it open. `any` may say right: one right
    decides, else one null leaves it open."""

    @model_validator(mode="after")
    def _members_differ(self) -> Self:
        hashes = [member.config_hash() for member in self.graders]
        for index, digest in enumerate(hashes):
            if digest in hashes[:index]:
                raise ValueError(
                    f"graders: expected members that differ, got member {index} "
                    f"({self.graders[index].type}) equal to member {hashes.index(digest)}"
                )
        return self


GraderConfig = Annotated[
    MathGraderConfig
    | ExactGraderConfig
    | PlantedGraderConfig
    | ProgramGraderConfig
    | BehaviourGraderConfig
    | ProofGraderConfig
    | JudgeGraderConfig
    | EnsembleGraderConfig,
    Field(discriminator="type"),
]


def members_of(config: GraderConfig) -> tuple[MemberConfig, ...]:
    """The graders of an ensemble, or the grader itself."""
    return config.graders if isinstance(config, EnsembleGraderConfig) else (config,)


def judges_in(config: object) -> tuple[JudgeGraderConfig, ...]:
    """The judges among a grader and its members; none for what is no config of a grader."""
    members = config.graders if isinstance(config, EnsembleGraderConfig) else (config,)
    return tuple(member for member in members if isinstance(member, JudgeGraderConfig))
