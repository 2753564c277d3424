"""A row is a trace of the planted-subsequence study."""

from dataclasses import dataclass
from typing import Literal

from schemas.tables import Int32, TableSpec

PlantedArm = Literal[
    "teacher",
    "pool",
    "base",
    "base_cold",
    "vf",
    "vf_likelihood",
    "vb_rl",
    "vb_bon",
    "truth_rl",
    "truth_bon",
    "read",
]
"""Who wrote a trace: the mixture (`teacher`); the base to train on (`pool`), to measure (`base`)
or at a lower temperature (`base_cold`); the policy trained without a verifier (`vf`;
`vf_likelihood` if no reward chose its rate and epochs), or with one by RL (`vb_rl`) or best of N
(`vb_bon`); the same two with the truth in its place. `read` are those of the base that a verifier
scored and was not trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedSample:
    """A trace, who wrote it, what it earned, and what a verifier and two policies say about it."""

    arm: PlantedArm
    hold: str
    """What the mixture has in common with the single skill: `gamma`, `success`, `reward`,
    `expert`, or `one` for the single skill itself."""
    gammas: tuple[float, ...]
    weights: tuple[float, ...]
    horizon: Int32
    seed: Int32
    """The repetition of the study."""
    n: Int32 | None
    """Right traces of the verifier-free arm, labelled ones of the others; None without training."""
    reward_kind: str
    """`bilevel` or `binary`."""
    question: Int32
    sample_index: Int32
    inputs: tuple[Int32, ...]
    symbols: tuple[Int32, ...]
    gamma: float | None
    """The skill that the mixture wrote it with."""
    hit_time: Int32 | None
    """The symbol, from 1, that completed the gold; None where none did."""
    reward: float
    score: float | None
    """The verifier's estimate of the reward."""
    base_logprob: float | None
    """Under the base, in nats, of the whole trace."""
    mixture_logprob: float | None
    """Under the mixture, exactly."""


PLANTED_SAMPLES = TableSpec("planted_samples", PlantedSample)
