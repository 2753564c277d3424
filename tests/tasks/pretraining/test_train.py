import json
from itertools import islice

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from schemas.pretraining import ArchitectureConfig, PretrainingConfig
from tasks.models.files import count_parameters
from tasks.pretraining import corpus
from tasks.pretraining.train import lr_factor, max_level, pretrain
from tasks.world.problems import iterate_problems

TINY = PretrainingConfig(
    num_tokens=60_000,
    architecture=ArchitectureConfig(hidden_size=32, num_layers=1, num_heads=2, mlp_size=32),
    num_warmup_steps=5,
    num_eval_problems=5,
    num_eval_solutions=4,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy")
    progress = []
    metrics = pretrain(TINY, folder, progress.append)
    return folder, progress, metrics


def test_loss_falls_and_progress_counts_up(trained):
    _, progress, metrics = trained
    losses = [p.loss for p in progress]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert [p.step for p in progress] == list(range(1, len(progress) + 1))
    assert progress[-2].tokens < TINY.num_tokens <= progress[-1].tokens
    assert metrics["num_steps"] == len(progress)
    assert metrics["num_tokens"] == progress[-1].tokens


def test_checkpoint_loads_and_reads_plain_prompts(trained):
    folder, _, metrics = trained
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert sum(p.numel() for p in model.parameters()) == metrics["num_parameters"]
    assert count_parameters(folder) == metrics["num_parameters"]
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    prompt = next(iterate_problems(1, "dev")).question + "\n"
    inputs = tokenizer(prompt, return_tensors="pt")
    assert inputs["input_ids"][0, 0] == model.config.bos_token_id
    assert torch.isfinite(model(input_ids=inputs["input_ids"]).logits).all()


def test_card_tells_the_recipe_and_the_measured_scores(trained):
    folder, _, metrics = trained
    card = (folder / "README.md").read_text()
    recipe = card.partition("```json\n")[2].partition("```")[0]
    assert PretrainingConfig.model_validate(json.loads(recipe)) == TINY
    assert f"{metrics['num_tokens']:,} tokens" in card
    assert f"| all | 5 | {metrics['greedy']:.3f} | {metrics['pass@1']:.3f} |" in card
    retried = metrics["second attempt, no review: wrong to right"]
    assert f"| no review | {retried:.3f} |" in card


def test_one_seed_makes_the_same_weights_and_another_seed_others(trained, tmp_path):
    folder, _, _ = trained
    unmeasured = TINY.with_fields(num_eval_problems=0)
    torch.manual_seed(123)
    pretrain(unmeasured, tmp_path / "same")
    pretrain(unmeasured.with_fields(seed=1, num_tokens=3000), tmp_path / "other")
    first, same, other = (
        AutoModelForCausalLM.from_pretrained(path).state_dict()
        for path in (folder, tmp_path / "same", tmp_path / "other")
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not any(torch.equal(first[n], other[n]) for n in first if first[n].ndim == 2)
    assert "What it scores" not in (tmp_path / "same" / "README.md").read_text()


class Stopped(Exception):
    """What a progress report raises."""


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "REFILL_EXAMPLES", 40)
    config = TINY.with_fields(num_eval_problems=0, num_tokens=20_000)
    whole = pretrain(config, tmp_path / "whole", work_dir=tmp_path)
    (tmp_path / "work").mkdir()
    steps = []

    def stop(progress):
        steps.append(progress.step)
        if progress.step == 6:
            raise Stopped

    with pytest.raises(Stopped):
        pretrain(config, tmp_path / "none", stop, tmp_path / "work")
    left = tmp_path / "work" / "pretraining.pt"
    assert left.exists()
    again = pretrain(config, tmp_path / "again", lambda p: steps.append(p.step), tmp_path / "work")
    assert 1 < steps[6] <= 6  # not from the start
    assert again["num_steps"] == whole["num_steps"] == steps[-1]
    assert again["final_loss"] == whole["final_loss"]
    one, other = (
        AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict()
        for name in ("whole", "again")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    # What another recipe left is not gone on from.
    first = []
    pretrain(
        config.with_fields(seed=3, num_tokens=2000),
        tmp_path / "other",
        lambda p: first.append(p.step),
        tmp_path / "work",
    )
    assert first[0] == 1


@pytest.mark.parametrize(
    ("progress", "curriculum_fraction", "level"),
    [(0.0, 0.2, 1), (0.039, 0.2, 1), (0.05, 0.2, 2), (0.17, 0.2, 5), (0.9, 0.2, 5), (0, 0, 5)],
)
def test_levels_rise_over_the_curriculum(progress, curriculum_fraction, level):
    assert max_level(progress, curriculum_fraction) == level


@pytest.mark.parametrize(
    ("step", "progress", "factor"),
    [(0, 0.0, 0.2), (4, 0.1, 1.0), (100, 0.2, 1.0), (100, 0.6, 0.5), (100, 1.0, 0.0)],
)
def test_learning_rate_warms_up_stays_and_falls_to_zero(step, progress, factor):
    assert lr_factor(step, progress, TINY) == pytest.approx(factor)


def test_width_must_fit_the_heads():
    with pytest.raises(ValidationError, match="hidden_size"):
        ArchitectureConfig(hidden_size=36, num_heads=8)


def test_a_typo_in_the_recipe_is_named():
    with pytest.raises(ValidationError, match="num_token"):
        PretrainingConfig.model_validate({"num_token": 5})


def test_dev_problems_of_the_card_are_the_world_stage_defaults():
    from schemas.problems import WorldProblemsConfig
    from tasks.pretraining.scores import EVAL_SEED
    from tasks.problems.load import load_problems

    problems, _ = load_problems(WorldProblemsConfig(num_problems=20))
    drawn = islice(iterate_problems(EVAL_SEED, "dev"), 20)
    assert [p.question for p in problems] == [p.question for p in drawn]
