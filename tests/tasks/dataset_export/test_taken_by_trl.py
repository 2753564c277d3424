"""Every kind of set, used with `datasets` and TRL alone, without stepmill.

A set of each builder is loaded from its folder and passed unchanged to the plain TRL trainer of
its form, with the shipped policy. The token ids are those that stepmill's training learns from.
"""

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.rows import Step
from tasks.dataset_export.build import BuiltSet
from tasks.models.folders import load_tokenizer, resolve_model
from tasks.training.rows import NO_LOSS, RowEncoder
from tasks.training.sets import read_set
from tasks.verifiers.layout import Encoder, lay_out
from tasks.world.checker import check_solution
from tasks.world.problems import iterate_problems
from tasks.world.students import write_solution

COMPLETION_BUILDERS = ("rest", "rest_em", "revisions", "stitched", "easy_to_hard")
NUM_PROBLEMS = 8
POLICY = "world-policy"

STEPS = """\
trainer.train_dataset = trainer.train_dataset.map(
    lambda row: {name: row[name][:-1] for name in ("chosen_ids", "rejected_ids")}
)
"""
START_STATES = """\
rows = rows.map(lambda row: {"prompt": row["prompt"] + row["prefix"]})
"""

Load = Callable[..., tuple[Any, BuiltSet]]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another make a training of this size thirty times slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trl() -> Any:
    import trl as library

    return library


@pytest.fixture(scope="module")
def policy() -> Path:
    """The folder of the shipped policy."""
    return resolve_model(POLICY)


@pytest.fixture(scope="module")
def tokenizer(policy):
    return load_tokenizer(policy)


@pytest.fixture(scope="module")
def encode(tokenizer):
    """What stepmill's training reads."""
    return RowEncoder(tokenizer, has_chat_template=False)


@pytest.fixture
def load(fill, build, unit_of, make_trajectory, tmp_path) -> Load:
    """Build a set from problems of the built-in world, and load it as any user would."""
    import datasets

    rng = random.Random(3)
    questions, solutions, scores, labels, tree = {}, [], {}, {}, []
    drawn = iterate_problems(levels=(1, 2), split="train", seed=1)
    for number, problem in zip(range(NUM_PROBLEMS), drawn, strict=False):
        name = f"p{number}"
        questions[name] = {
            "question": problem.question, "answer": str(problem.answer), "level": problem.level,
        }  # fmt: skip
        drafts = dict.fromkeys(write_solution(problem, rng) for _ in range(60))
        grades = {text: check_solution(problem.question, text).is_correct for text in drafts}
        right = [text for text in drafts if grades[text]][:2]
        wrong = [text for text in drafts if not grades[text]][:2]
        texts = {text: grades[text] for text in right + wrong}
        assert 0 < len(right) < len(texts)
        for place, (text, is_right) in enumerate(texts.items()):
            check = check_solution(problem.question, text)
            solution = f"t{number}-{place}"
            solutions.append((solution, name, text, is_right))
            labels[solution] = check.labels
            scores[solution] = tuple(0.9 if label else 0.1 for label in check.labels)
        for text, is_right in texts.items():
            steps = [Step(text=line, num_tokens=1, score=0.5) for line in text.splitlines(True)]
            tree.append(
                make_trajectory(
                    f"b{number}-{len(tree)}",
                    problem_id=name,
                    steps=tuple(steps if is_right else steps[:1]),
                    status="finished" if is_right else "pruned",
                    correct=is_right or None,
                    strategy="beam",
                    budget=4,
                    verifier="prm",
                )
            )
    store = fill(questions, solutions, scores=scores, labels=labels)
    store.commit(unit_of("trajectories", name="train.beam", stage="search"), tree)

    def load_set(kind: str, **builder: object) -> tuple[Any, BuiltSet]:
        _, built = build({"type": kind, **builder}, policy={"type": "vllm", "model": POLICY})
        folder = str(built.folder)
        return datasets.load_dataset(
            folder, split="train", cache_dir=str(tmp_path / "cache")
        ), built

    return load_set


@pytest.fixture
def arguments(tmp_path) -> dict[str, Any]:
    """Two optimizer steps on a CPU; everything else is TRL's default."""
    return {
        "output_dir": str(tmp_path / "trained"),
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
    }


def fit(trainer: Any) -> None:
    """Train; the losses are numbers and the weights have moved."""
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))
    assert any(not p.equal(before[name]) for name, p in trainer.model.named_parameters())


def says(built: BuiltSet, code: str) -> bool:
    """Whether a set's card has these lines of code."""
    return code in (built.folder / "README.md").read_text()


@pytest.mark.parametrize("kind", COMPLETION_BUILDERS)
def test_the_sft_trainer_takes_completions(load, trl, policy, encode, arguments, kind):
    rows, _ = load(kind)
    trainer = trl.SFTTrainer(model=str(policy), args=trl.SFTConfig(**arguments), train_dataset=rows)
    own = [encode.completion_row(row) for row in rows]
    for name in ("input_ids", "labels"):
        assert trainer.train_dataset[name][:] == [row[name] for row in own]
    fit(trainer)


@pytest.mark.parametrize("kind", ["preference", "v_star"])
def test_the_dpo_trainer_takes_pairs_of_solutions(load, trl, policy, encode, arguments, kind):
    rows, _ = load(kind)
    trainer = trl.DPOTrainer(model=str(policy), args=trl.DPOConfig(**arguments), train_dataset=rows)
    own = [encode.preference_row(row) for row in rows]
    for name in ("prompt_ids", "chosen_ids", "rejected_ids"):
        assert trainer.train_dataset[name][:] == [row[name] for row in own]
    fit(trainer)


@pytest.mark.parametrize("span", ["step", "rest"])
def test_the_dpo_trainer_takes_pairs_of_steps(load, trl, policy, tokenizer, arguments, span):
    rows, built = load("search_trees", span=span)
    trainer = trl.DPOTrainer(model=str(policy), args=trl.DPOConfig(**arguments), train_dataset=rows)
    assert {ids[-1] for ids in trainer.train_dataset["chosen_ids"]} == {tokenizer.eos_token_id}
    assert says(built, STEPS)
    trainer.train_dataset = trainer.train_dataset.map(
        lambda row: {name: row[name][:-1] for name in ("chosen_ids", "rejected_ids")}
    )
    encode = RowEncoder(
        tokenizer, has_chat_template=False, is_whole=read_set(built.folder).is_whole
    )
    own = [encode.preference_row(row) for row in rows]
    for name in ("prompt_ids", "chosen_ids", "rejected_ids"):
        assert trainer.train_dataset[name][:] == [row[name] for row in own]
    fit(trainer)


def test_the_grpo_trainer_takes_start_states(load, trl, policy, tokenizer, encode, arguments):
    states, built = load("reverse_curriculum", num_stages=3)
    assert says(built, START_STATES)
    rows = states.map(lambda row: {"prompt": row["prompt"] + row["prefix"]})
    asked = []

    def reward(prompts, completions, prefix, answer, **columns):
        """What a user writes: the answer that a whole solution ends in."""
        asked.extend(prompts)
        texts = zip(prefix, completions, answer, strict=True)
        return [float((a + b).rpartition("Answer: ")[2] == gold) for a, b, gold in texts]

    settings = {**arguments, "per_device_train_batch_size": 16, "num_generations": 8}
    trainer = trl.GRPOTrainer(
        model=str(policy),
        reward_funcs=reward,
        args=trl.GRPOConfig(**settings, max_completion_length=48),
        train_dataset=rows,
    )
    fit(trainer)
    assert len(asked) == 2 * 16
    own = {row["prompt"]: encode.prompt_ids(state) for row, state in zip(rows, states, strict=True)}
    assert {prompt: tokenizer(prompt)["input_ids"] for prompt in asked}.items() <= own.items()


def test_the_prm_trainer_takes_labelled_steps(load, policy, tokenizer, arguments):
    from transformers import AutoModelForTokenClassification
    from trl.experimental.prm import PRMConfig, PRMTrainer

    rows, built = load("stepwise")
    separator = built.facts["separator"]
    assert says(built, 'PRMConfig(step_separator="\\n"')
    trainer: Any = PRMTrainer(
        model=AutoModelForTokenClassification.from_pretrained(policy, num_labels=2),
        args=PRMConfig(**arguments, step_separator=separator),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    layout_encode = Encoder(tokenizer)
    for row, read in zip(rows, trainer.train_dataset, strict=True):
        layout = lay_out(layout_encode, row["prompt"], row["completions"], separator)
        assert read["input_ids"] == layout.token_ids
        assert [read["labels"][at] for at in layout.positions] == list(map(int, row["labels"]))
        assert sum(label != NO_LOSS for label in read["labels"]) == len(layout.positions)
    fit(trainer)
