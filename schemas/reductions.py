"""Which reduction of step scores suits which verifier: by the labels that it was trained on.

* Monte Carlo labels, hard targets: `min`, as in Math-Shepherd (arXiv:2312.08935).
* Monte Carlo labels, soft targets: `min`. The published choice is `last` (arXiv:2408.03314, where
  `min` and `prod` are better only for labels by people); the built-in world contradicts it.
* Labels of a checker or of people, a step each: `min`; arXiv:2305.20050 has the product, which is
  within its noise of the minimum.
* The answer's label alone (an outcome verifier): `last`, the score of the whole
  (arXiv:2110.14168): it was never trained on the steps before.
* Not known (imported scores, published verifiers): `min`.

Measured on 200 dev problems of the built-in world, paired by problem. A verifier of hard targets:
searches by `last` in the place of `min` lose 0.07 (beam, N = 4), 0.04 (beam, 16) and 0.05 (DVTS,
16); best of 64 loses 0.06, votes weighted by it 0.01. A verifier of soft targets: beam loses 0.05
at N = 4 and at 16 and DVTS 0.03 at 16 (with intervals that include 0), best of 64 loses 0.09,
likelihood + logit 0.03 at N = 16. Only the filter vote, which compares the reduced score with a
threshold, gains by `last` under soft targets (0.16 at N = 16): the minimum of soft scores is rarely
above one half. RESULTS.md has the table.

A config that names a reduction wins.
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
