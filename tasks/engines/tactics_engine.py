"""A policy of random tactics for the shipped theorems, whose chance of a proof is exact.

A proof is one to three of eight tactics, a line each and equally likely, and `Qed.`. After the
first tactic it ends with probability `p_end`. `tactic_proofs.json` has, for each theorem, every
sequence of up to three tactics that closes it in Coq 8.16 (found depth-first in coqtop), so success
probabilities are sums over it. A tactic after a closed goal is an error in Coq.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from schemas.engines import TacticsConfig
from schemas.errors import RequestRejected
from tasks.engines.analytic_engine import AnalyticEngine

TACTICS = (
    "intros.",
    "auto.",
    "tauto.",
    "lia.",
    "reflexivity.",
    "congruence.",
    "simpl.",
    "induction l.",
)
MAX_TACTICS = 3
_QED = len(TACTICS)
_THEOREM = re.compile(r"^Theorem goal : (.*)\.$", re.M)


@dataclass(frozen=True, slots=True)
class ProofState:
    """A theorem and the tactics so far, as digits."""

    statement: str
    tactics: str = ""
    is_ended: bool = False


class TacticsEngine(AnalyticEngine[ProofState]):
    """The policy of random tactics, and a verifier that knows its chance of a proof."""

    def __init__(self, config: TacticsConfig) -> None:
        """An engine named after its length."""
        super().__init__(
            name="tactics",
            model_id=f"tactics[{config.p_end:g}]",
            vocabulary=[*(f"{tactic}\n" for tactic in TACTICS), "Qed."],
            verifier_noise=config.verifier_noise,
        )
        self._p_end = config.p_end

    def begin(self, prompt: str) -> ProofState:
        """The state before the first tactic of the last theorem in the prompt."""
        found = _THEOREM.findall(prompt)
        if not found or found[-1] not in tactic_proofs():
            raise RequestRejected(f"tactics: expected a shipped theorem in the prompt: {prompt!r}")
        return ProofState(found[-1])

    def advance(self, state: ProofState, token_id: int) -> ProofState:
        """The state after one more line."""
        if token_id == _QED:
            return ProofState(state.statement, state.tactics, is_ended=True)
        return ProofState(state.statement, state.tactics + str(token_id))

    def next_steps(self, state: ProofState) -> Mapping[int, float]:
        """Probability of each line that may come next."""
        if state.is_ended:
            return {}
        p_end = self._p_end_after(len(state.tactics))
        if p_end == 1:
            return {_QED: 1.0}
        lines = dict.fromkeys(range(len(TACTICS)), (1 - p_end) / len(TACTICS))
        return lines | {_QED: p_end} if p_end else lines

    def value(self, state: ProofState) -> float:
        """The probability that the proof is one."""
        proofs = tactic_proofs()[state.statement]
        if state.is_ended:
            return float(state.tactics in proofs)
        return sum(
            self._p_rest(len(state.tactics), len(proof))
            for proof in proofs
            if proof.startswith(state.tactics)
        )

    def _p_rest(self, num_done: int, num_tactics: int) -> float:
        """The probability of certain further tactics and of the end after them."""
        p = self._p_end_after(num_tactics)
        for num in range(num_done, num_tactics):
            p *= (1 - self._p_end_after(num)) / len(TACTICS)
        return p

    def _p_end_after(self, num_tactics: int) -> float:
        if num_tactics == 0:
            return 0.0
        return 1.0 if num_tactics == MAX_TACTICS else self._p_end


@cache
def tactic_proofs() -> dict[str, frozenset[str]]:
    """From each statement to the sequences of tactics that prove it, as digits."""
    text = files("tasks.engines").joinpath("tactic_proofs.json").read_text()
    return {statement: frozenset(proofs.split()) for statement, proofs in json.loads(text).items()}
