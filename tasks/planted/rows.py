"""Traces as rows of `planted_samples`, and rows as traces."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from schemas.experiments.planted import RewardKind
from schemas.rows.planted_samples import PLANTED_SAMPLES, PlantedArm
from tasks.planted.grid import Base
from tasks.planted.traces import Traces, hitting_times, rewards_at

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Makes the rows of one base, reward and n."""

    base: Base
    reward: RewardKind
    num: int | None = None

    def rows(
        self,
        arm: PlantedArm,
        traces: Traces,
        *,
        per_question: int,
        gammas: "Tensor | None" = None,
        scores: "Tensor | None" = None,
        base_logprobs: "Tensor | None" = None,
        mixture_logprobs: "Tensor | None" = None,
    ) -> pa.Table:
        """The traces of an arm, those of a question one after another.

        Args:
            arm: who wrote them.
            traces: the traces.
            per_question: how many are of one question.
            gammas: [num_traces] the skills they were written with.
            scores: [num_traces] a verifier's estimates of the reward.
            base_logprobs: [num_traces] under the base.
            mixture_logprobs: [num_traces] under the mixture.
        """
        num, schema = len(traces), PLANTED_SAMPLES.schema
        times = hitting_times(traces)
        rewards = rewards_at(times, traces.horizon, self.reward)
        mixture = self.base.mixture
        columns = {
            "arm": [arm] * num,
            "hold": [self.base.held] * num,
            "gammas": [mixture.gammas] * num,
            "weights": [mixture.weights] * num,
            "horizon": [traces.horizon] * num,
            "seed": [self.base.repetition] * num,
            "n": [self.num] * num,
            "reward_kind": [self.reward] * num,
            "question": [index // per_question for index in range(num)],
            "sample_index": [index % per_question for index in range(num)],
            "inputs": traces.inputs.tolist(),
            "symbols": traces.symbols.tolist(),
            "gamma": _values(gammas, num),
            "hit_time": [time or None for time in times.tolist()],
            "reward": rewards.double().tolist(),
            "score": _values(scores, num),
            "base_logprob": _values(base_logprobs, num),
            "mixture_logprob": _values(mixture_logprobs, num),
        }
        arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


def traces_of(table: pa.Table, arm: PlantedArm) -> Traces:
    """The traces of an arm among rows, in order."""
    import torch

    chosen = table.filter(pc.field("arm") == arm)
    return Traces(
        torch.tensor(chosen["inputs"].to_pylist()), torch.tensor(chosen["symbols"].to_pylist())
    )


def _values(values: "Tensor | None", num: int) -> list[float | None]:
    return [None] * num if values is None else values.double().tolist()
