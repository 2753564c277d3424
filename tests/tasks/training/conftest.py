"""Tiny made-up training sets, and recipes that take seconds on small models."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.policy_training import PolicyTrainingJob
from schemas.prm_training import PrmTrainingJob
from schemas.training.recipe import TrainingJob
from schemas.training_rows import FORM_SCHEMAS
from tasks.training.train import Trained, train_model

_FORMS = {
    "completion": "prompt_completion",
    "chosen": "preference",
    "answer": "prompt_only",
    "completions": "stepwise",
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another make a training of this size thirty times slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def questions() -> list[str]:
    return [
        f"Monday: Dan has {20 + i} shells. Tuesday: Dan finds {3 + i} shells. "
        "How many shells does Dan have now?\n"
        for i in range(8)
    ]


@pytest.fixture
def right_rows(questions: list[str]) -> list[dict[str, Any]]:
    """Rows of the form prompt_completion."""
    return [
        {
            "prompt": question,
            "completion": f"Tuesday: [finds] {20 + i} + {3 + i} = {23 + 2 * i}\n"
            f"Answer: {23 + 2 * i}",
            "weight": 1.0,
            "source_ids": [f"t{i}"],
            "problem_id": f"p{i}",
            "level": 1,
            "reason": "right",
        }
        for i, question in enumerate(questions)
    ]


@pytest.fixture
def odd_rows(right_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the form prompt_completion that the policy is unlikely to write."""
    return [
        {**row, "completion": f"Tuesday: [finds] {20 + i} - {3 + i} = 17\nAnswer: 17"}
        for i, row in enumerate(right_rows)
    ]


@pytest.fixture
def pairs(right_rows: list[dict[str, Any]], odd_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the form preference; the chosen text is one that the policy is unlikely to write."""
    return [
        {
            "prompt": row["prompt"],
            "chosen": odd["completion"],
            "rejected": row["completion"],
            "source_ids": [f"t{i}", f"u{i}"],
            "problem_id": row["problem_id"],
            "level": 1,
            "reason": "odd over right",
        }
        for i, (row, odd) in enumerate(zip(right_rows, odd_rows, strict=True))
    ]


@pytest.fixture
def start_states(right_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the form prompt_only: whole problems, and ones with a step to go."""
    return [
        {
            "prompt": row["prompt"],
            "prefix": row["completion"].splitlines(keepends=True)[0] if i % 2 else "",
            "answer": f"{23 + 2 * i}",
            "stage": 1 if i % 2 else 2,
            "source_ids": [f"t{i}"],
            "problem_id": row["problem_id"],
            "level": 1,
            "reason": "start state",
        }
        for i, row in enumerate(right_rows)
    ]


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a training set; its folder."""

    def make(rows: Sequence[Mapping[str, Any]], name: str = "made-up", **facts: object) -> Path:
        folder = tmp_path / "datasets" / name
        folder.mkdir(parents=True, exist_ok=True)
        schema = FORM_SCHEMAS["stepwise"] if "completions" in rows[0] else None
        if schema is not None:
            schema = pa.schema([field for field in schema if field.name in rows[0]])
        table = pa.Table.from_pylist(list(rows), schema=schema)
        pq.write_table(table, folder / "train-00000.parquet")
        form = next(form for column, form in _FORMS.items() if column in rows[0])
        facts = {"kind": "test", "form": form, "policy": None, **facts}
        (folder / "set.json").write_text(json.dumps(facts))
        (folder / "README.md").write_text(
            "---\nconfigs:\n- config_name: default\n  data_files:\n"
            "  - {split: train, path: train-*.parquet}\n---\n# A made-up set\n"
        )
        return folder

    return make


@pytest.fixture
def make_job() -> Callable[..., PolicyTrainingJob]:
    """A job on the shipped policy, in this process; fields of the method by name."""

    def make(training_set: Path, type: str = "sft", **method: object) -> PolicyTrainingJob:
        recipe = {"batch_size": 4, "warmup_steps": 0, "num_workers": 0, "max_length": 128}
        return PolicyTrainingJob.from_partial(
            {
                "policy": {"model": "world-policy", "max_model_len": 128},
                "training_set": str(training_set),
                "grader": {"type": "exact"},
                "method": {"type": type, **recipe, **method},
            }
        )

    return make


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Trained]:
    """Train a job; `work` names the folder that an interrupted training resumes from."""

    def run(
        job: TrainingJob, *, set_folder: Path | None = None, work: str = "work", **options: Any
    ) -> Trained:
        return train_model(
            job,
            set_folder or Path(getattr(job, "training_set", None) or ""),
            checkpoints_dir=tmp_path / "checkpoints",
            work_dir=tmp_path / work,
            **options,
        )

    return run


@pytest.fixture(scope="session")
def toy_tokenizer() -> Any:
    """Texts start with `<s>`; each word and each digit is a token."""
    from tasks.world.tokenizer import build_tokenizer

    return build_tokenizer()


@pytest.fixture(scope="session")
def toy_base(toy_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained causal language model on disk."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "toy"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(toy_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    toy_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def stepwise_row() -> Callable[..., dict[str, Any]]:
    """A row of the form stepwise."""

    def make(
        completions: Sequence[str], labels: Sequence[bool | None], **fields: object
    ) -> dict[str, Any]:
        soft = [None] * len(labels)
        row = {"prompt": "12\n", "completions": list(completions), "labels": list(labels)}
        own = {"soft": soft, "correct": None, "source_ids": ["t0"], "problem_id": "p0"}
        return {**row, **own, **fields}

    return make


@pytest.fixture
def toy_rows(stepwise_row: Callable[..., dict[str, Any]]) -> Callable[[int], list[dict[str, Any]]]:
    """Solutions of two steps; a step is right exactly if it ends in 7."""

    def make(num_problems: int) -> list[dict[str, Any]]:
        return [
            stepwise_row(
                [f"{i % 10} + 1 = {7 if i % 2 else 3}", f"Answer: {7 if i % 4 < 2 else 5}"],
                [bool(i % 2), i % 4 < 2],
                prompt=f"How many {'pens' if i % 3 else 'books'} does Ana have now?\n",
                correct=i % 4 < 2,
                source_ids=[f"t{i}"],
                problem_id=f"p{i}",
            )
            for i in range(num_problems)
        ]

    return make


@pytest.fixture
def prm_job(toy_base: Path) -> Callable[..., PrmTrainingJob]:
    """A verifier on the toy model, in this process; fields of the recipe by name."""

    def make(**fields: object) -> PrmTrainingJob:
        values = {
            "base_model": str(toy_base),
            "model_name": "toy",
            "eval_fraction": 0.3,
            "optimizer": "muon",
            "hidden_lr": 0.02,
            "head_lr": 0.02,
            "warmup_steps": 5,
            "batch_size": 8,
            "max_steps": 60,
            "num_workers": 0,
        }
        training = {**values, **fields}
        return PrmTrainingJob.from_partial(
            {
                "policy": {"type": "vllm", "model": str(toy_base)},
                "prompt": {"type": "plain", "separator": training.get("separator", "\n")},
                "training": training,
            }
        )

    return make
