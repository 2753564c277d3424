"""The samples that lm-evaluation-harness logs, nested as it writes them."""

import json

import pytest

from schemas.imports import ImportsJob
from tasks.imports.read import read_chunks, survey_file


def sample(number, texts, name="strict-match", **fields):
    """A row of the harness, as of its version 0.4."""
    return {
        "doc_id": number,
        "doc": {"question": f"{number} + 1?", "answer": f"It is one more.\n#### {number + 1}"},
        "target": str(number + 1),
        "arguments": {"gen_args_0": {"arg_0": f"Question: {number} + 1?\nAnswer:"}},
        "resps": [texts],
        "filtered_resps": [texts[0]],
        "filter": name,
        "metrics": ["exact_match"],
        "doc_hash": f"hash-{number}",
        "exact_match": 1.0,
        **fields,
    }


def import_of(tmp_path, rows, **fields):
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = ImportsJob.from_partial({"path": path, **fields})
    return survey_file(job), [row for chunk in read_chunks(job) for row in chunk.rows]


def test_all_texts_of_a_problem_are_its_solutions(tmp_path):
    rows = [sample(1, ["So 2.\n#### 2", "#### 3"]), sample(4, ["#### 5"])]
    survey, found = import_of(tmp_path, rows, gold_format="solution")
    assert [row.problem.question for row in found] == ["1 + 1?", "4 + 1?"]
    assert [row.problem.answer for row in found] == ["2", "5"]
    assert [row.responses for row in found] == [("So 2.\n#### 2", "#### 3"), ("#### 5",)]
    assert (survey.num_responses, survey.num_left_out) == (3, 0)


def test_columns_of_the_row_and_of_the_problem_can_be_named(tmp_path):
    row = sample(1, ["2"], doc={"problem": "1 + 1?", "level": 3, "hint": "one more"})
    fields = {
        "question_column": "problem",
        "answer_column": "target",
        "level_column": "level",
        "responses_column": "resps",
    }
    _, (found,) = import_of(tmp_path, [row], **fields)
    assert (found.problem.question, found.problem.answer, found.problem.level) == ("1 + 1?", "2", 3)
    assert found.responses == ("2",)


def test_the_rows_of_further_filters_repeat_no_solution(tmp_path):
    rows = [sample(n, ["#### 2"], name) for n in (1, 2) for name in ("strict", "flexible")]
    survey, found = import_of(tmp_path, rows, answer_column="target")
    assert [row.problem.question for row in found] == ["1 + 1?", "2 + 1?"]
    assert survey.notes == (
        "row 1 is left out: it repeats the solutions of filter 'strict' for filter 'flexible'",
        "row 3 is left out: it repeats the solutions of filter 'strict' for filter 'flexible'",
    )


@pytest.mark.parametrize(
    ("resps", "said"),
    [
        ([[[-1.5, False]], [[-0.2, True]]], "expected the texts of one request .* got 2"),
        ([[[-1.5, False]]], "expected a text as response 0, got "),
        (["2"], "expected the texts of one request in column 'resps', got 1"),
        ("2", "expected the texts of one request in column 'resps', got '2'"),
    ],
)
def test_rows_without_texts_are_named(tmp_path, resps, said):
    with pytest.raises(ValueError, match=said):
        import_of(tmp_path, [sample(1, ["2"], resps=resps)], answer_column="target")


def test_rows_that_can_be_read_as_they_are_stay(tmp_path):
    """Whoever named a plain column before gets the same rows, filters or not."""
    rows = [{**sample(1, ["2"], name), "question": "1 + 1?", "answer": "2"} for name in ("a", "b")]
    _, found = import_of(tmp_path, rows, responses_column="filtered_resps")
    assert [row.responses for row in found] == [("2",), ("2",)]
