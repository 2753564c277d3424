"""Coverage of the shipped theorems by random tactics: exact, with the law fitted to it.

    python -m benchmarks.tactics

No proof is checked: the policy's table says which of its proofs Coq accepts.
"""

import numpy as np

from schemas.engines import TacticsConfig
from tasks.engines.tactics_engine import ProofState, TacticsEngine, tactic_proofs
from tasks.evaluation.statistics.coverage import fit_coverage_law

_SHOWN = (1, 2, 4, 8, 16, 64, 256, 1024, 10_000)
_FITTED = (16, 64, 1024)


def main() -> None:
    """Print coverage by k, and the law up to several k."""
    engine = TacticsEngine(TacticsConfig())
    chances = np.array([engine.value(ProofState(name)) for name in tactic_proofs()])
    num_proofs = sum(map(len, tactic_proofs().values()))
    print(f"{num_proofs} proofs, {(chances == 0).sum()} of {len(chances)} theorems without one")
    for k in _SHOWN:
        print(f"k = {k}: {np.mean(1 - (1 - chances) ** k):.3f}")
    for most in _FITTED:
        ks = [1 << power for power in range(most.bit_length())]
        rates = np.stack([1 - (1 - chances) ** k for k in ks], axis=1)
        law = fit_coverage_law(ks, rates, num_resamples=1000, confidence=0.95, seed=0)
        assert law is not None
        (a_low, a_high), (b_low, b_high) = law.a_interval, law.b_interval
        print(
            f"k up to {most}: a {law.fit.a:.2f} ({a_low:.2f}, {a_high:.2f}), "
            f"b {law.fit.b:.2f} ({b_low:.2f}, {b_high:.2f}), error {law.fit.error:.3f}"
        )


if __name__ == "__main__":
    main()
