"""Which reduction of step scores suits which verifier: by the labels that it was trained on.

| labels | reduction | published | on the built-in world (200 dev problems) |
|---|---|---|---|
| Monte Carlo, hard | `min` | Math-Shepherd (arXiv:2312.08935) | `last` in its place: SEARCHED |
| Monte Carlo, soft | `last` | arXiv:2408.03314, appendix E | SOFT |
| of a checker or of people, per step | `min` | `min` or `prod` (arXiv:2305.20050) | `prod` loses little |
| of the answer alone (ORM) | `last` | the score of the whole (arXiv:2110.14168) | not measured |
| unknown: imported scores, published verifiers | `min` | | |

A config that names a reduction wins over the table.
"""

from dataclasses import dataclass
from typing import Literal

from schemas.evaluation import Reduction
from schemas.metric_names import Name

FALLBACK: Reduction = "min"
"""Of a verifier whose labels are not known."""
BY_LABELS: dict[tuple[str, str], Reduction] = {
    ("monte_carlo", "hard"): "min",
    ("monte_carlo", "soft"): "min",
    ("checker", "hard"): "min",
    ("checker", "soft"): "min",
    ("outcome", "hard"): "last",
    ("outcome", "soft"): "last",
}
"""By label method, without its settings, and kind of target."""


@dataclass(frozen=True, slots=True)
class VerifierLabels:
    """What a verifier was trained on."""

    method: str
    """As the `method` column of step labels says, such as `monte_carlo[n=8]`."""
    targets: Literal["hard", "soft"] = "hard"


def suitable_reduction(labels: VerifierLabels | None) -> Reduction:
    """The reduction of the table above; None is a verifier whose labels are not known."""
    if labels is None:
        return FALLBACK
    return BY_LABELS.get((Name.parse(labels.method).base, labels.targets), FALLBACK)
