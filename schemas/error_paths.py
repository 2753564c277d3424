"""Solutions made wrong on purpose: drawn hot, branched off a right one, or with an error put in."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName
from schemas.engines import SHIPPED_POLICY, EngineConfig, VLLMConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.prompts import PlainPromptConfig, PromptConfig, check_stop
from schemas.sampling_parameters import PromptedConfig, SamplingParameters

ERROR_PATH = "error_path"
"""The role of an error path."""

RuleKind = Literal["arithmetic", "operator", "miscopied", "left_out", "earlier_number", "sign"]
"""`arithmetic`: a calculation gets another result. `operator`: a product becomes a sum or a sum a
product, a division a difference. `miscopied`: the digits of a number are swapped, or it is off by
one. `left_out`: a step is left out. `earlier_number`: an earlier number stands in the place of
another one. `sign`: something is added instead of taken away, or the other way round."""

RULE_KINDS: tuple[RuleKind, ...] = get_args(RuleKind)

MODEL_KINDS = {
    "calculation": "a calculation with a wrong result",
    "formula": "a formula or rule that does not apply here",
    "condition": "a condition of the problem that is misread",
    "missing_case": "a case or a part that is forgotten",
    "copy": "a number that is copied wrongly",
    "logic": "a conclusion that does not follow",
}
"""Kinds of errors that a model is asked for, in the words of its prompt."""


class ErrorPathConfig(SamplingParameters):
    """What every way to make error paths has."""

    needs_template: ClassVar[bool] = True
    """Whether it begins with a stored solution, its template."""
    type: str
    """The strategy of its rows."""
    num_paths: Annotated[int, Field(ge=1)] = 2
    """Paths of each template, or of each problem where there is no template."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Maximum tokens that are sampled; a longer path is `truncated`."""


class HotConfig(ErrorPathConfig):
    """Whole solutions drawn hot; only their answer is known to be wrong (RG1, arXiv:2411.16579)."""

    needs_template: ClassVar[bool] = False
    type: Literal["rg1"] = "rg1"
    temperature: Annotated[float, Field(ge=0)] = 1.3
    """The higher, the more solutions are wrong."""


class RisingConfig(ErrorPathConfig):
    """The first steps of a template, then steps drawn hotter and hotter (RG2, arXiv:2411.16579).

    Each step is a request of its own. The first error is known to come after the kept steps.
    """

    type: Literal["rg2"] = "rg2"
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Temperature of the first drawn step."""
    temperature_rise: Annotated[float, Field(ge=0)] = 0.2
    """How much hotter each further step is."""
    max_temperature: Annotated[float, Field(gt=0)] = 2.0
    """No step is hotter than this."""
    kept_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the template's steps that is kept, at least one and all but one; None to draw the
    number for each path."""

    def temperature_of(self, index: int) -> float:
        """The temperature of drawn step `index`."""
        return min(self.temperature + index * self.temperature_rise, self.max_temperature)

    @model_validator(mode="after")
    def _begins_below_the_maximum(self) -> Self:
        if self.temperature > self.max_temperature:
            raise ValueError(
                f"temperature must be at most max_temperature ({self.max_temperature:g}), "
                f"got {self.temperature:g}"
            )
        return self


class RuleErrorsConfig(FrozenConfig):
    """Errors put into a step by rule, each kind only where the step's text allows it."""

    type: Literal["rules"] = "rules"
    kinds: Annotated[tuple[RuleKind, ...], Field(min_length=1)] = RULE_KINDS
    """The kinds that are drawn from."""


class ModelErrorsConfig(SamplingParameters):
    """A model rewrites a step so that it has an error of the drawn kind."""

    type: Literal["model"] = "model"
    engine: EngineConfig | None = None
    """The model; None for the policy."""
    prompt: PromptConfig | None = None
    """How the model is prompted; None for the prompt of the job without what is about solving."""
    kinds: Annotated[dict[str, str], Field(min_length=1)] = MODEL_KINDS
    """The kinds that are drawn from: a name, which the row's note begins with, and its words for
    the model."""
    template: Annotated[str, Field(min_length=1)] = (
        "Problem: {question}\n\nThe solution so far:\n{before}\n\nIts next step:\n{step}\n\n"
        "Rewrite this next step so that it contains an error that a student might make: {kind}. "
        "Keep its style and length. Write the rewritten step alone, without any comment.\n"
    )
    """The model's task; `{question}`, `{before}`, `{step}` and `{kind}` are filled in."""
    temperature: Annotated[float, Field(ge=0)] = 0.7
    """0 writes the same error each time."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Maximum tokens of the rewritten step; a longer one is an `error`."""

    @model_validator(mode="after")
    def _template_names_its_places(self) -> Self:
        for place in ("question", "before", "step", "kind"):
            if self.template.count(f"{{{place}}}") != 1:
                raise ValueError(
                    f"template: expected {{{place}}} exactly once, got {self.template!r}"
                )
        return self


class InjectedConfig(ErrorPathConfig):
    """A template with an error in one step, from which the policy goes on (RG3, arXiv:2411.16579).

    Place and content of the error are known.
    """

    type: Literal["rg3"] = "rg3"
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Temperature of the steps after the error."""
    errors: Annotated[RuleErrorsConfig | ModelErrorsConfig, Field(discriminator="type")] = (
        RuleErrorsConfig()
    )
    """What puts the error in."""


ErrorPath = Annotated[HotConfig | RisingConfig | InjectedConfig, Field(discriminator="type")]


class ErrorPathsJob(PromptedConfig):
    """How wrong solutions of a set's problems are made from its stored solutions."""

    set_name: SetName = "train"
    """The set of solutions, as named by the sampling stage."""
    round: Annotated[int, Field(ge=0)] | None = None
    """Only the solutions that a loop sampled from the policy in this round; None for all."""
    templates: Literal["right", "wrong", "all"] = "right"
    """Which finished solutions may be templates. From a wrong one it is not known that the steps
    before a path's error are right."""
    templates_per_problem: Annotated[int, Field(ge=1)] = 1
    """The first so many solutions of each problem are its templates."""
    paths: Annotated[tuple[ErrorPath, ...], Field(min_length=1)] = (
        HotConfig(),
        RisingConfig(),
        InjectedConfig(),
    )
    """The ways in which paths are made, each with its own settings."""
    policy: EngineConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The model that writes the paths."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy is prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether a path's answer is right."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with template or problem, way and index into the seed of each path."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)

    @model_validator(mode="after")
    def _paths_differ(self) -> Self:
        hashes = [path.config_hash() for path in self.paths]
        if len(set(hashes)) < len(hashes):
            raise ValueError("paths: expected ways that differ, got one of them twice")
        models = {each.engine.config_hash() for each in self.model_errors if each.engine}
        if len(models) > 1:
            raise ValueError(
                f"paths: expected one model that puts errors in, got {len(models)}: make their "
                "paths by jobs of their own"
            )
        return self

    @model_validator(mode="after")
    def _stops_outside_steps_of_paths(self) -> Self:
        for path in self.paths:
            check_stop("paths.stop", path.stop, self.prompt.separator, self.prompt.known_answers)
        return self

    @property
    def model_errors(self) -> list[ModelErrorsConfig]:
        """The models that put errors in."""
        errors = [path.errors for path in self.paths if isinstance(path, InjectedConfig)]
        return [each for each in errors if isinstance(each, ModelErrorsConfig)]

    @property
    def annotator(self) -> EngineConfig | None:
        """The model that puts errors in; None if that is the policy, or none does."""
        found = (errors.engine for errors in self.model_errors)
        return next((engine for engine in found if engine is not None), None)
