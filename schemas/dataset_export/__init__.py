"""Training sets from stored solutions: what is built, from which solutions, after which checks."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName
from schemas.dataset_export.builders import Builder, Form, RestConfig
from schemas.engines import EngineConfig
from schemas.prompts import PromptConfig


class SourceConfig(FrozenConfig):
    """Which stored solutions a set is made from."""

    set_names: Annotated[tuple[SetName, ...], Field(min_length=1)] = ("train",)
    """Sets of problems whose solutions are used."""
    splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("train",)
    """Splits that these problems may come from, so that no run trains on what it measures on."""
    more_runs: tuple[str, ...] = ()
    """Further runs whose solutions are used, besides the run itself."""
    policies: tuple[str, ...] | None = None
    """Models whose solutions are used, by id; None for all."""
    rounds: tuple[int, ...] | None = None
    """Rounds of a loop whose solutions are used; None for all."""
    verifier: str | None = None
    """The verifier whose scores are used, by id; None if only one verifier scored."""


class ChecksConfig(FrozenConfig):
    """What is left out before anything is written; the card has the counts."""

    test_sets: tuple[SetName, ...] | None = None
    """Sets of the runs that no row may touch; None for all that are not sources."""
    ngram: Annotated[int, Field(ge=2)] = 13
    """Consecutive words that make one piece of a question."""
    max_overlap: Annotated[float, Field(gt=0, le=1)] | None = 0.5
    """A problem is left out if at least this share of its pieces occurs in test questions; None
    compares whole questions only. Lower values suit texts that share no template."""
    duplicates: Literal["drop", "keep"] = "drop"
    """`keep` leaves equal and nearly equal solutions in, so that each weighs as often as the policy
    writes it: right solutions are alike more often than wrong ones."""
    near_duplicate: Annotated[float, Field(gt=0, le=1)] | None = 0.95
    """A solution is left out if its three-word pieces are at least this similar (Jaccard) to those
    of an earlier one of the same problem, grade and answer; None leaves out only equal texts."""
    leakage: Literal["marked", "off"] = "marked"
    """`marked` leaves out problems whose prompt marks the gold answer as the answer."""
    max_step_repeats: Annotated[int, Field(ge=1)] | None = 2
    """Maximum number of times that a solution may repeat a step; None for any."""
    min_step_chars: Annotated[int, Field(ge=0)] = 2
    """Minimum number of visible characters of every step."""
    min_steps: Annotated[int, Field(ge=1)] = 1
    """Minimum number of steps of a solution."""


class DatasetExportJob(FrozenConfig):
    """One training set: what is built, from which solutions, with which prompt."""

    builder: Builder = RestConfig()
    """What is built."""
    source: SourceConfig = SourceConfig()
    """From which solutions."""
    checks: ChecksConfig = ChecksConfig()
    """What is left out."""
    prompt: PromptConfig | None = None
    """How the policy was prompted; None for the recorded prompt of the run."""
    policy: EngineConfig | None = None
    """The model whose chat template and tokenizer the set is for; None for the recorded one."""
    max_rows: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of rows, drawn uniformly from all; None for all."""
    rows_per_file: Annotated[int, Field(ge=1)] = 100_000
    """Rows per Parquet file."""
    seed: int = 0
    """Decides which rows are drawn where not all are kept."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """A run; its sets may be those of several runs."""
        return ()

    @model_validator(mode="after")
    def _tests_are_not_sources(self) -> Self:
        if both := sorted(set(self.source.set_names) & set(self.checks.test_sets or ())):
            raise ValueError(
                f"checks.test_sets: expected sets that are not sources, got {', '.join(both)}"
            )
        return self

    @property
    def kind(self) -> str:
        """The builder's name, which the name of the set begins with."""
        return self.builder.type

    @property
    def form(self) -> Form:
        """The form of the rows."""
        return self.builder.form
