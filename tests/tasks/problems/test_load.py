import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.problems import (
    FileProblemsConfig,
    HubProblemsConfig,
    ProblemsConfig,
    WorldProblemsConfig,
    gsm8k,
    math500,
)
from tasks.problems.load import load_problems
from tasks.world.checker import check_solution


def _write_jsonl(path, *rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_world_rows_are_complete_and_keep_their_ids():
    problems, notes = load_problems(WorldProblemsConfig(num_problems=10))
    assert notes == []
    first = problems[0]
    assert first.problem_id == "3dfc63e13e504e44"
    assert (first.source, first.split, first.level) == ("world", "dev", 1)
    assert {p.subject for p in problems} <= {"no trap", "trap A", "trap B", "trap A+B"}
    for problem in problems:
        assert problem.solution is not None
        check = check_solution(problem.question, problem.solution)
        assert check.first_error is None
        assert check.is_correct
        assert str(check.answer) == problem.answer
    assert load_problems(WorldProblemsConfig(num_problems=3))[0] == problems[:3]


def test_world_sets_ask_nothing_twice():
    problems, notes = load_problems(
        WorldProblemsConfig(split="train", num_problems=3000, seed=7, levels=(1,))
    )
    assert len({p.question for p in problems}) == len(problems) == 3000
    assert notes == []


def test_gsm8k_gold_answers_stand_behind_the_hashes(shared_data):
    problems, notes = load_problems(gsm8k(path=shared_data / "gsm8k_test.jsonl"))
    assert len(problems) == 1319
    assert notes == []
    first = problems[0]
    assert (first.answer, first.source, first.split) == ("18", "openai/gsm8k", "test")
    assert str(first.solution).endswith("#### 18")
    assert len({p.problem_id for p in problems}) == 1319


def test_math500_levels_are_numbers(shared_data):
    problems, notes = load_problems(math500(path=shared_data / "math500.jsonl"))
    assert len(problems) == 500
    assert notes == []
    first = problems[0]
    assert first.answer == r"\left( 3, \frac{\pi}{2} \right)"
    assert (first.level, first.subject) == (2, "Precalculus")
    assert {p.level for p in problems} == {1, 2, 3, 4, 5}


def test_math500_answers_can_be_read_from_the_solutions(shared_data):
    path = shared_data / "math500.jsonl"
    plain, _ = load_problems(math500(path=path))
    boxed, notes = load_problems(
        FileProblemsConfig(
            path=path,
            question_column="problem",
            answer_column="solution",
            gold_format="solution",
        )
    )
    assert notes == []
    differing = [
        (a.answer, b.answer) for a, b in zip(plain, boxed, strict=True) if a.answer != b.answer
    ]
    assert len(differing) <= 5, differing


def test_parquet_and_jsonl_give_the_same_problems(tmp_path):
    rows = [{"q": "1 + 1?", "a": 2, "lvl": 3}, {"q": "1 + 2?", "a": 3, "lvl": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "sums.parquet")
    _write_jsonl(tmp_path / "sums.jsonl", *rows)
    loaded = [
        load_problems(
            FileProblemsConfig(
                path=tmp_path / name, question_column="q", answer_column="a", level_column="lvl"
            )
        )
        for name in ("sums.parquet", "sums.jsonl")
    ]
    assert loaded[0] == loaded[1]
    problems, _ = loaded[0]
    assert [(p.source, p.answer, p.level) for p in problems] == [
        ("sums", "2", 3),
        ("sums", "3", None),
    ]


def test_hub_sets_are_loaded_by_their_id(tmp_path, monkeypatch):
    (tmp_path / "sums").mkdir()
    _write_jsonl(tmp_path / "sums" / "train.jsonl", {"question": "1 + 1?", "answer": "2"})
    monkeypatch.chdir(tmp_path)
    problems, _ = load_problems(HubProblemsConfig(dataset="sums", split="train"))
    assert [(p.source, p.split, p.answer) for p in problems] == [("sums", "train", "2")]
    with pytest.raises(ValueError, match=r"dataset sums, split dev cannot be loaded"):
        load_problems(HubProblemsConfig(dataset="sums", split="dev"))


def test_bad_rows_are_named_and_the_others_go_on(tmp_path):
    path = _write_jsonl(
        tmp_path / "mixed.jsonl",
        {"question": "1 + 1?", "answer": "2"},
        {"question": "1 + 2?", "answer": "  "},
        {"question": None, "answer": "4"},
        {"question": "1 + 4?"},
        '{"question": "1 +',
        "[1, 2]",
        {"question": "1 + 6?", "answer": ["7"]},
        {"question": "1 + 7?", "answer": 8},
    )
    problems, notes = load_problems(FileProblemsConfig(path=path))
    assert [p.answer for p in problems] == ["2", "8"]
    assert [note.partition(":")[0] for note in notes] == [
        f"row {row} is left out" for row in range(1, 7)
    ]
    assert "column 'answer'" in notes[0]
    assert "column 'question'" in notes[1]
    assert "not JSON" in notes[3]


def test_equal_questions_stay_apart_and_are_noted(tmp_path):
    row = {"question": "1 + 1?", "answer": "2"}
    path = _write_jsonl(tmp_path / "twins.jsonl", row, row)
    problems, notes = load_problems(FileProblemsConfig(path=path))
    assert len({p.problem_id for p in problems}) == 2
    assert len(notes) == 1
    assert "asks the same" in notes[0]


def test_solution_without_a_marked_answer_is_left_out(tmp_path):
    path = _write_jsonl(
        tmp_path / "solved.jsonl",
        {"question": "1 + 1?", "answer": "It is 2."},
        {"question": "1/2 + 1/2?", "answer": r"So \boxed{0}, no: \boxed{\frac{2}{2}}."},
        {"question": "2 + 2?", "answer": "2 + 2 = 4\n#### 4"},
    )
    problems, notes = load_problems(FileProblemsConfig(path=path, gold_format="solution"))
    assert [p.answer for p in problems] == [r"\frac{2}{2}", "4"]
    assert len(notes) == 1
    assert "row 0" in notes[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.jsonl", None, "there is none"),
        ("table.csv", "question,answer\n", r"expected a \.jsonl, \.json or \.parquet file"),
        ("broken.parquet", "no parquet", "not a Parquet file"),
        ("empty.jsonl", "", "it is empty"),
        ("typo.jsonl", '{"frage": "1?", "answer": "1"}\n', "columns are frage, answer"),
        ("hollow.jsonl", '{"question": "", "answer": "1"}\n', "none of its 1 rows can be used"),
    ],
)
def test_unusable_files_are_refused_with_the_reason(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_problems(FileProblemsConfig(path=tmp_path / name))


def test_limit_takes_the_first_rows(tmp_path):
    rows = [{"question": f"1 + {n}?", "answer": str(1 + n)} for n in range(5)]
    path = _write_jsonl(tmp_path / "sums.jsonl", *rows)
    problems, _ = load_problems(FileProblemsConfig(path=path, limit=2))
    assert [p.answer for p in problems] == ["1", "2"]


def test_configs_are_told_apart_by_type():
    adapter = TypeAdapter(ProblemsConfig)
    assert adapter.validate_python({"type": "world"}) == WorldProblemsConfig()
    assert adapter.validate_python({"type": "hub", "dataset": "a/b"}).split == "test"
    with pytest.raises(ValidationError, match="levels"):
        adapter.validate_python({"type": "world", "levels": [6]})


def test_a_row_may_carry_what_checks_it(tmp_path):
    tests = {"tests": ["assert double(2) == 4"]}
    rows = [
        {"question": "Double.", "answer": "4"},
        {"question": "Double.", "answer": "4", "check": json.dumps(tests)},
        {"question": "Halve.", "check": tests},
        {"question": "Lost."},
        {"question": "Odd.", "check": "assert double(2) == 4"},
    ]
    file = _write_jsonl(tmp_path / "programs.jsonl", *rows)
    problems, notes = load_problems(FileProblemsConfig(path=file, check_column="check"))
    assert [(p.answer, p.check) for p in problems] == [
        ("4", None),
        ("4", json.dumps(tests)),
        ("", json.dumps(tests)),
    ]
    plain, _ = load_problems(FileProblemsConfig(path=file, limit=3))
    assert plain[0].problem_id == problems[0].problem_id  # without a check the id is the same
    assert plain[1].problem_id != problems[1].problem_id
    assert notes[0] == "row 3 is left out: expected text in column 'answer', got None"
    assert notes[1].startswith("row 4 is left out: expected JSON in column 'check', got 'assert ")


def test_a_column_of_checks_must_occur(tmp_path):
    file = _write_jsonl(tmp_path / "sums.jsonl", {"question": "2 + 2?", "answer": "4"})
    with pytest.raises(ValueError, match="check_column is 'tests', but the columns are question"):
        load_problems(FileProblemsConfig(path=file, check_column="tests"))
