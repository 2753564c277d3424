"""What the study's trainings do on tiny models."""

import math

import pytest
import torch

from schemas.experiments.planted import (
    BaseTrainingConfig,
    ImitationConfig,
    ReinforceConfig,
    VerifierTrainingConfig,
)
from schemas.pretraining import ArchitectureConfig
from tasks.planted.base import train_base
from tasks.planted.imitation import imitate
from tasks.planted.mixtures import Mixture
from tasks.planted.model import new_model, sample, symbol_logprobs, text_ids, trace_logprobs
from tasks.planted.reinforce import group_advantages, reinforce
from tasks.planted.traces import (
    Traces,
    draw_inputs,
    draw_traces,
    gold_of,
    hitting_times,
    mixture_logprobs,
    seeded,
)
from tasks.planted.verifier import fit_verifier, new_verifier, scores_of
from tasks.training.common import TrainingDiverged

TINY = ArchitectureConfig(hidden_size=16, num_layers=1, num_heads=2, mlp_size=32)
HORIZON = 6


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def base():
    return new_model(TINY, HORIZON, seed=1).eval()


def drawn(base, num, seed=1):
    return sample(base, draw_inputs(num, seeded(seed)), HORIZON, seeded(seed + 1))


def test_a_sample_is_the_same_as_without_a_cache(base):
    inputs = draw_inputs(8, seeded(2))
    generator = seeded(3)
    ids = torch.nn.functional.pad(inputs, (1, 0))
    with torch.no_grad():
        for _ in range(HORIZON):
            p_next = torch.softmax(base(input_ids=ids, use_cache=False).logits[:, -1], -1)
            ids = torch.cat([ids, torch.multinomial(p_next, 1, generator=generator)], 1)
    traces = sample(base, inputs, HORIZON, seeded(3), batch=8)
    assert torch.equal(text_ids(traces), ids)


def test_a_trace_has_the_log_probability_of_its_symbols(base):
    traces = drawn(base, 7)
    logits = base(input_ids=text_ids(traces)[:, :-1]).logits
    by_hand = [
        sum(
            torch.log_softmax(logits[row, 5 + place], -1)[symbol].item()
            for place, symbol in enumerate(traces.symbols[row].tolist())
        )
        for row in range(7)
    ]
    assert trace_logprobs(base, traces, batch=3).tolist() == pytest.approx(by_hand, abs=1e-4)


def test_a_base_comes_near_its_mixture():
    mixture = Mixture((0.9,), (1.0,))
    traces, _ = draw_traces(mixture, draw_inputs(500, seeded(4)), HORIZON, seeded(5))
    recipe = BaseTrainingConfig(num_steps=100, architecture=TINY)

    def divergence(model):
        return (mixture_logprobs(mixture, traces) - trace_logprobs(model, traces)).mean().item()

    before = divergence(new_model(TINY, HORIZON, seed=7))
    model = train_base(mixture, HORIZON, recipe, 7)
    assert 0 < divergence(model) < before / 2
    again = train_base(mixture, HORIZON, recipe, 7)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )


def test_group_advantages_by_hand():
    scores = torch.tensor([1.0, 3.0, 5.0, 5.0])
    assert group_advantages(scores, 2).tolist() == pytest.approx([-1, 1, 0, 0], abs=1e-3)


def test_reinforcement_finds_the_known_optimum(base):
    recipe = ReinforceConfig(
        num_steps=60, batch_questions=8, group_size=8, rate=0.03, kl_weight=0.0
    )
    policy = reinforce(
        base, lambda traces: (traces.symbols == 7).float().mean(1), HORIZON, recipe, 1
    )
    assert (drawn(policy, 64).symbols == 7).float().mean() > 0.9
    assert (drawn(base, 64).symbols == 7).float().mean() < 0.2


def test_reinforcement_stays_at_the_base_under_a_large_weight_of_its_divergence(base):
    def far_from_base(weight):
        recipe = ReinforceConfig(
            num_steps=20, batch_questions=8, group_size=8, rate=0.005, kl_weight=weight
        )
        policy = reinforce(
            base, lambda traces: (traces.symbols == 7).float().mean(1), HORIZON, recipe, 1
        )
        traces = drawn(policy, 256)
        return (trace_logprobs(policy, traces) - trace_logprobs(base, traces)).mean().item()

    assert far_from_base(10.0) < far_from_base(0.0) / 2


def test_a_score_that_is_not_finite_ends_the_training(base):
    recipe = ReinforceConfig(num_steps=2, batch_questions=2, group_size=2)
    with pytest.raises(TrainingDiverged, match="step 0: a score is not finite"):
        reinforce(base, lambda traces: torch.full((len(traces),), math.nan), HORIZON, recipe, 1)


def test_a_verifier_begins_at_the_mean_and_learns_what_separates(base):
    traces = drawn(base, 800)
    labels = (traces.symbols[:, -1] > 15).float()
    assert scores_of(new_verifier(base, 0.3), traces).tolist() == pytest.approx([0.3] * 800)
    verifier = fit_verifier(base, traces, labels, VerifierTrainingConfig(rate=0.01), 1)
    others = drawn(base, 200, seed=9)
    is_found = (scores_of(verifier, others) > 0.5) == (others.symbols[:, -1] > 15)
    assert is_found.float().mean() > 0.95


def test_a_verifier_of_nothing_but_noise_keeps_the_mean(base):
    traces = drawn(base, 60)
    labels = (torch.rand(60, generator=seeded(3)) < 0.5).float()
    recipe = VerifierTrainingConfig(rate=0.02, max_epochs=6, held_out_share=0.5)
    scores = scores_of(fit_verifier(base, traces, labels, recipe, 1), drawn(base, 100, seed=4))
    assert scores.std() < 0.2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0.0, 1.5, 1.0]), r"label 1: expected a number in \[0, 1\], got 1.5"),
        (torch.tensor([0.0, 1.0, math.nan]), "label 2: expected a number"),
        (torch.tensor([0.0, 1.0]), "2,.* labels for 3 traces"),
    ],
)
def test_labels_that_are_none_are_refused(base, labels, message):
    with pytest.raises(ValueError, match=message):
        fit_verifier(base, drawn(base, 3), labels, VerifierTrainingConfig(), 1)


def right_traces(num, seed=1):
    """Solutions that are the gold and one more symbol."""
    inputs = draw_inputs(num, seeded(seed))
    tail = torch.randint(1, 31, (num, 1), generator=seeded(seed + 1))
    return Traces(inputs, torch.cat([gold_of(inputs), tail], 1))


def test_imitation_makes_the_traces_likelier_and_keeps_the_best_by_likelihood(base):
    recipe = ImitationConfig(rates=(0.0001, 0.01), max_epochs=3, num_dev_questions=32)
    held_out = right_traces(100, seed=5)
    made = imitate(base, right_traces(300), held_out, "bilevel", recipe, 1)
    kept = made.by_likelihood
    assert kept.rate == 0.01
    with torch.no_grad():
        gained = symbol_logprobs(kept.policy, held_out) - symbol_logprobs(base, held_out)
    assert gained.mean() > 0.1


def test_imitation_that_only_harms_keeps_the_base(base):
    recipe = ImitationConfig(rates=(50.0,), max_epochs=2, num_dev_questions=32)
    held_out = drawn(base, 200, seed=8)
    kept = imitate(base, drawn(base, 64), held_out, "bilevel", recipe, 1).by_likelihood
    assert (kept.rate, kept.epochs) == (0.0, 0)
    traces = drawn(base, 20)
    assert torch.equal(trace_logprobs(kept.policy, traces), trace_logprobs(base, traces))


def test_imitation_of_nothing_is_refused(base):
    traces = drawn(base, 4)
    with pytest.raises(ValueError, match="got 0 and 4"):
        imitate(base, traces[:0], traces, "binary", ImitationConfig(), 1)


def test_all_traces_of_the_gold_are_right():
    assert (hitting_times(right_traces(50)) == 5).all()
