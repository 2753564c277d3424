"""Tiny made-up training sets, and recipes that take seconds on the shipped policy."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.policy_training import PolicyTrainingJob
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
    """Rows of the form prompt_completion that the policy would hardly write."""
    return [
        {**row, "completion": f"Tuesday: [finds] {20 + i} - {3 + i} = 17\nAnswer: 17"}
        for i, row in enumerate(right_rows)
    ]


@pytest.fixture
def pairs(right_rows: list[dict[str, Any]], odd_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the form preference: what the policy would hardly write is chosen."""
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
        pq.write_table(pa.Table.from_pylist(list(rows)), folder / "train-00000.parquet")
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
    """Train a job; `work` names the folder that an interrupted training goes on from."""

    def run(job: PolicyTrainingJob, *, work: str = "work", **options: Any) -> Trained:
        return train_model(
            job,
            Path(job.training_set),
            checkpoints_dir=tmp_path / "checkpoints",
            work_dir=tmp_path / work,
            **options,
        )

    return run
