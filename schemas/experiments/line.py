"""What Monte Carlo labels and a verifier trained on them are worth (Math-Shepherd)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.evaluation import EvaluationConfig
from schemas.experiments.experiment import QUICK_LINE, ExperimentConfig, Subject
from schemas.experiments.relation import Constant, Relation, StoredFigure
from schemas.factory import FactoryConfig

_SHEPHERD = "Math-Shepherd, arXiv:2312.08935"
_SCALING = "Snell et al., arXiv:2408.03314"
_BUDGETS = (4, 16, 64)


class LineConfig(ExperimentConfig):
    """The whole line: labels against the exact checker, and a verifier's picks against votes."""

    name: ClassVar[str] = "line"
    subject: ClassVar[Subject] = "Verifiers"
    details: ClassVar[str] = "line.md"
    whole_minutes: ClassVar[float | None] = 13
    quick_fields: ClassVar[Mapping[str, Any]] = {"line": QUICK_LINE}

    line: FactoryConfig = FactoryConfig(
        evaluation=EvaluationConfig(baselines=("majority", "likelihood[sum]", "best_of_n[min]"))
    )
    """The line."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        checker = "line.md#labels-and-verifier-against-the-exact-checker"
        return (
            Relation(
                name="labels_agree",
                claim="Monte Carlo labels agree with the truth",
                paper=_SHEPHERD,
                published="85 to 86% of the steps",
                larger=StoredFigure(
                    label="steps with the label of the exact checker",
                    part="line",
                    metric="label_agreement",
                    strategy=self.line.labels.method,
                    set_name="train",
                ),
                smaller=Constant(label="published share", value=0.85),
                details=checker,
            ),
            Relation(
                name="first_errors",
                claim="first errors are found, above the F1 of a published Monte Carlo PRM",
                paper="ProcessBench, arXiv:2412.06559",
                published="F1 .315, on four benchmarks",
                larger=StoredFigure(
                    label="first-error F1 against the exact checker",
                    part="line",
                    metric="first_error_f1",
                    strategy="step_scores",
                    against="checker",
                    set_name="eval",
                ),
                smaller=Constant(label="published F1", value=0.315),
                details=checker,
            ),
            *(self._over("best_of_n[min]", "majority", n, _BEST) for n in _BUDGETS),
            Relation(
                name="over_optimisation",
                claim="selecting ever harder by a verifier over-optimises it",
                paper=_SCALING,
                published="no figure",
                larger=_accuracy("best_of_n[min]", 16),
                smaller=_accuracy("best_of_n[min]", 64),
                point="N = 16 above 64",
                details="line.md#the-verifier-alone-at-n--16-and-at-n--64",
            ),
            *(self._over("weighted[min]", "majority", n, _VOTE) for n in _BUDGETS),
            *(self._over("weighted[min]", "best_of_n[min]", n, _VANILLA) for n in _BUDGETS),
        )

    def _over(self, strategy: str, baseline: str, budget: int, claim: str) -> Relation:
        """A ranker above another at the same N, by the stored gain."""
        return Relation(
            name=f"{strategy}_over_{baseline}".replace("[min]", ""),
            claim=claim,
            paper=_SHEPHERD if baseline == "majority" else _SCALING,
            published="no figure",
            larger=_accuracy(strategy, budget),
            smaller=_accuracy(baseline, budget),
            point=f"N = {budget}",
            difference=StoredFigure(
                label="paired gain",
                part="line",
                metric="gain_over",
                strategy=strategy,
                against=baseline,
                budget=budget,
                set_name="eval",
            ),
        )


_BEST = "a PRM's best of N beats majority"
_VOTE = "a vote weighted by the verifier beats majority"
_VANILLA = "weighted best of N beats vanilla"


def _accuracy(strategy: str, budget: int) -> StoredFigure:
    return StoredFigure(
        label=f"{strategy} at N = {budget}",
        part="line",
        metric="accuracy",
        strategy=strategy,
        budget=budget,
        set_name="eval",
    )
