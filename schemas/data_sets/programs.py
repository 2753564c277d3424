"""Programs to write, tested by running them.

The grader `program` runs their tests; under another one, `problems` says of each that it cannot be
graded.
"""

from schemas.data_sets.record import DataSet, by_name

PROGRAMS = by_name(
    DataSet(
        name="humaneval",
        summary="HumanEval: Python functions by signature and docstring (arXiv:2107.03374).",
        dataset="openai/openai_humaneval",
        splits={"test": "test"},
        num_rows={"test": 164},
        question=("prompt",),
        gold_form="check",
        solution="canonical_solution",
        check=("test", "entry_point"),
        license="MIT",
        prompt="program",
        read_in="https://huggingface.co/datasets/openai_humaneval/blob/main/README.md",
    ),
    DataSet(
        name="mbpp",
        summary="MBPP: short Python functions by description and three tests (arXiv:2108.07732).",
        dataset="google-research-datasets/mbpp",
        configs=("full",),
        splits={
            "test": "test",
            "train": "train",
            "validation": "validation",
            "prompt": "prompt",
        },
        num_rows={"test": 500, "train": 374, "validation": 90, "prompt": 10},
        question=("text", "test_list"),
        gold_form="check",
        solution="code",
        check=("test_list", "test_setup_code", "challenge_test_list"),
        license="CC-BY-4.0",
        prompt="program",
        read_in="https://huggingface.co/datasets/google-research-datasets/mbpp; columns in copies",
    ),
)
"""Programs to write."""
