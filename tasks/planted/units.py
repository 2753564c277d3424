"""The work of the study's units: a base, the traces that it draws, and a point's two arms.

Reads `models` and `planted_samples`, writes the same. The verifier-free arm learns from the first n
right traces that the base drew, the verifier-based one from the first n, labelled; RL and best of N
maximise the verifier's score and never see the truth. The work runs in a thread of the worker, with
one thread of torch.
"""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.experiments.planted import RewardKind
from schemas.experiments.verification import VerificationExperimentConfig
from schemas.rows import Model, now
from schemas.units import Unit
from storage import Store
from tasks.engines.host import UnitContext
from tasks.engines.planted_engine import NUM_GOLD
from tasks.models.folders import identify_model
from tasks.planted.grid import (
    Base,
    Point,
    base_of,
    num_drawn,
    num_right,
    num_teacher_traces,
    point_of,
)
from tasks.planted.mixtures import exact_figures, reward_of
from tasks.planted.rows import Writer, traces_of
from tasks.planted.traces import (
    Traces,
    draw_inputs,
    draw_traces,
    hitting_times,
    mixture_logprobs,
    rewards_at,
    seeded,
)

if TYPE_CHECKING:
    from torch import Generator, Tensor

_MAX_DRAWS = 8
"""Times that a base draws its planned number, if it is right less often than its mixture."""


async def make_base(
    unit: Unit, config: VerificationExperimentConfig, context: UnitContext
) -> list[Model]:
    """Train a base; its row."""
    rows = await asyncio.to_thread(_train_base, context.store, base_of(unit, config), config)
    context.counters.rows += 1
    return rows


async def draw_from_base(
    unit: Unit, config: VerificationExperimentConfig, context: UnitContext
) -> pa.Table:
    """Traces of the mixture with both log probabilities, and of the base to learn and measure."""
    rows = await asyncio.to_thread(_draw, context.store, unit, base_of(unit, config), config)
    context.counters.rows += rows.num_rows
    return rows


async def train_point(
    unit: Unit, config: VerificationExperimentConfig, context: UnitContext
) -> pa.Table:
    """Train a point's arms; the traces of their policies, and those that the verifier read."""
    rows = await asyncio.to_thread(
        _train_point, context.store, unit, point_of(unit, config), config
    )
    context.counters.rows += rows.num_rows
    return rows


def _train_base(store: Store, base: Base, config: VerificationExperimentConfig) -> list[Model]:
    from tasks.planted.base import train_base

    _use_one_thread()
    started = time.process_time()
    model = train_base(base.mixture, base.horizon, config.base, base.seed(config, "base"))
    with store.scratch() as scratch:
        folder = scratch / "planted"
        model.save_pretrained(folder)
        model_id = identify_model(str(folder))
        store.put_folder(folder, f"checkpoints/{model_id}")
    return [
        Model(
            model_id=model_id,
            role="policy",
            path=f"checkpoints/{model_id}",
            base=None,
            training_set=f"traces of {base.name}",
            metrics=json.dumps({"training_s": time.process_time() - started}),
            created_at=now(),
        )
    ]


def _draw(store: Store, unit: Unit, base: Base, config: VerificationExperimentConfig) -> pa.Table:
    from tasks.planted.model import sample, trace_logprobs

    _use_one_thread()
    model, horizon = _load(store, unit), base.horizon
    writer = Writer(base=base, reward="bilevel")
    generator = seeded(base.seed(config, "drawn"))
    inputs = draw_inputs(num_teacher_traces(config), generator)
    told, gammas = draw_traces(base.mixture, inputs, horizon, generator)
    pool = _draw_pool(model, base, config, generator)
    questions = _questions(base, config).repeat_interleave(config.best_of, 0)
    measured = sample(model, questions, horizon, generator)
    colder = _questions(base, config).repeat_interleave(config.traces_per_question, 0)
    cold = sample(model, colder, horizon, generator, temperature=config.cold_temperature)
    return pa.concat_tables(
        [
            writer.rows(
                "teacher",
                told,
                per_question=1,
                gammas=gammas,
                base_logprobs=trace_logprobs(model, told),
                mixture_logprobs=mixture_logprobs(base.mixture, told),
            ),
            writer.rows("pool", pool, per_question=1),
            writer.rows("base_cold", cold, per_question=config.traces_per_question),
            writer.rows(
                "base",
                measured,
                per_question=config.best_of,
                base_logprobs=trace_logprobs(model, measured),
                mixture_logprobs=mixture_logprobs(base.mixture, measured),
            ),
        ]
    )


def _draw_pool(
    model: Any, base: Base, config: VerificationExperimentConfig, generator: "Generator"
) -> Traces:
    """Traces to learn from; unless their number is given, until enough of them are right.

    Raises:
        ValueError: too few are right.
    """
    import torch

    from tasks.planted.model import sample

    planned = num_drawn(base, config)
    wanted = num_right(base, config)
    most = planned if config.num_drawn is not None else _MAX_DRAWS * planned
    parts: list[Traces] = []
    found = drawn = 0
    while found < wanted and drawn < most:
        inputs = draw_inputs(planned, generator)
        parts.append(sample(model, inputs, base.horizon, generator))
        found += int((hitting_times(parts[-1]) > 0).sum())
        drawn += planned
    if found < wanted:
        p_success = exact_figures(base.mixture, base.horizon, "bilevel").p_success
        raise ValueError(
            f"{base.name}: expected {wanted} right traces, got {found} of {drawn} that the base "
            f"drew ({found / drawn:.3f}, where the mixture has {p_success:.3f}): train it longer"
            + ("" if config.num_drawn is None else ", or set num_drawn to more")
        )
    return Traces(
        torch.cat([part.inputs for part in parts]), torch.cat([part.symbols for part in parts])
    )


def _train_point(
    store: Store, unit: Unit, point: Point, config: VerificationExperimentConfig
) -> pa.Table:
    _use_one_thread()
    model = _load(store, unit)
    _, drawn_path = unit.inputs
    drawn = store.columns(drawn_path, ["arm", "inputs", "symbols"])
    pool, candidates = traces_of(drawn, "pool"), traces_of(drawn, "base")
    if point.num is None:
        return _truth_arms(model, candidates, point, config)
    right = pool[hitting_times(pool) > 0]
    return pa.concat_tables(
        [
            *_verifier_free(model, right, point, config),
            *_verifier_based(model, pool[: point.num], candidates, point, config),
        ]
    )


def _verifier_free(
    model: Any, right: Traces, point: Point, config: VerificationExperimentConfig
) -> list[pa.Table]:
    from tasks.planted.imitation import imitate

    seed = point.base.seed(config, "vf", point.num)
    num = point.num or 0
    learned = right[:num]
    held_out = right[num : num + config.imitation.num_dev_questions]
    made = imitate(model, learned, held_out, point.reward, config.imitation, seed)
    return [
        _measure("vf", made.by_reward.policy, point, config),
        _measure("vf_likelihood", made.by_likelihood.policy, point, config),
    ]


def _verifier_based(
    model: Any,
    labelled: Traces,
    candidates: Traces,
    point: Point,
    config: VerificationExperimentConfig,
) -> list[pa.Table]:
    from tasks.planted.reinforce import reinforce
    from tasks.planted.verifier import fit_verifier, scores_of

    seed = point.base.seed(config, "vb", point.num)
    largest = _largest(point)
    labels = _rewards(labelled, point.reward) / largest
    verifier = fit_verifier(model, labelled, labels, config.verifier, seed)
    writer = Writer(base=point.base, reward=point.reward, num=point.num)
    scores = scores_of(verifier, candidates)
    picked = _best_of(scores, config.best_of)
    policy = reinforce(
        model,
        lambda traces: scores_of(verifier, traces),
        point.base.horizon,
        config.reinforce,
        seed + 1,
    )
    return [
        writer.rows("read", candidates, per_question=config.best_of, scores=scores * largest),
        writer.rows("vb_bon", candidates[picked], per_question=1, scores=scores[picked] * largest),
        _measure("vb_rl", policy, point, config, verifier),
    ]


def _truth_arms(
    model: Any, candidates: Traces, point: Point, config: VerificationExperimentConfig
) -> pa.Table:
    """The verifier-based arm with the true reward in place of a verifier's score."""
    from tasks.planted.reinforce import reinforce

    largest = _largest(point)
    policy = reinforce(
        model,
        lambda traces: _rewards(traces, point.reward) / largest,
        point.base.horizon,
        config.reinforce,
        point.base.seed(config, "truth"),
    )
    picked = _best_of(_rewards(candidates, point.reward), config.best_of)
    writer = Writer(base=point.base, reward=point.reward)
    return pa.concat_tables(
        [
            writer.rows("truth_bon", candidates[picked], per_question=1),
            _measure("truth_rl", policy, point, config),
        ]
    )


def _measure(
    arm: Any,
    policy: Any,
    point: Point,
    config: VerificationExperimentConfig,
    verifier: Any = None,
) -> pa.Table:
    """Traces of a trained policy on the questions that all policies are measured on."""
    from tasks.planted.model import sample
    from tasks.planted.verifier import scores_of

    per_question = config.traces_per_question
    questions = _questions(point.base, config).repeat_interleave(per_question, 0)
    seed = point.base.seed(config, "measured")
    traces = sample(policy, questions, point.base.horizon, seeded(seed))
    scores = None if verifier is None else scores_of(verifier, traces) * _largest(point)
    writer = Writer(base=point.base, reward=point.reward, num=point.num)
    return writer.rows(arm, traces, per_question=per_question, scores=scores)


def _questions(base: Base, config: VerificationExperimentConfig) -> "Tensor":
    """[num_questions, K] the questions that every policy is measured on."""
    return draw_inputs(config.num_questions, seeded(base.seed(config, "questions")))


def _best_of(scores: "Tensor", num: int) -> "Tensor":
    """[num_questions] the positions of the highest score among each `num` in a row."""
    import torch

    best = scores.view(-1, num).argmax(1)
    return torch.arange(len(best)) * num + best


def _largest(point: Point) -> float:
    """The largest reward: the gold written straight away."""
    return reward_of(NUM_GOLD, point.base.horizon, point.reward)


def _rewards(traces: Traces, reward: RewardKind) -> "Tensor":
    return rewards_at(hitting_times(traces), traces.horizon, reward)


def _load(store: Store, unit: Unit) -> Any:
    """The base that a unit reads first."""
    from transformers import LlamaForCausalLM

    (row,) = store.read(unit.inputs[0])
    return LlamaForCausalLM.from_pretrained(store.local_folder(row.path)).eval()


def _use_one_thread() -> None:
    """Each worker has one core."""
    import torch

    torch.set_num_threads(1)
