"""Rows of solutions in the forms that other toolkits write."""

import io
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.imports import ImportsJob
from tasks.imports.read import read_chunks, survey_file
from tasks.steps.segmentation import split_steps


def job_of(path, **fields):
    return ImportsJob.from_partial({"path": path, **fields})


def rows_of(path, **fields):
    return [row for chunk in read_chunks(job_of(path, **fields)) for row in chunk.rows]


def write_parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def solved(*answers, kind, tmp_path):
    """A Parquet file whose gold answers are of this type."""
    return write_parquet(
        tmp_path / "solved.parquet",
        question=[f"q{i}?" for i in range(len(answers))],
        answer=pa.array(answers, kind),
        responses=[["a"]] * len(answers),
    )


@pytest.mark.parametrize(
    ("kind", "values", "golds"),
    [
        (pa.float32(), [0.1, 3.5, 1e-7, 16777216.0], ["0.1", "3.5", "1e-07", "16777216.0"]),
        (pa.float16(), np.array([0.1, 3.5], "f2"), ["0.1", "3.5"]),
        (pa.float64(), [0.1, 1 / 3], ["0.1", "0.3333333333333333"]),
        (
            pa.decimal128(10, 4),
            [Decimal("12.5"), Decimal("3"), Decimal("100"), Decimal("-0.125")],
            ["12.5", "3", "100", "-0.125"],
        ),
        (pa.int64(), [100, -7], ["100", "-7"]),
    ],
)
def test_gold_answers_are_the_numbers_that_were_meant(kind, values, golds, tmp_path):
    found = rows_of(solved(*values, kind=kind, tmp_path=tmp_path))
    assert [row.problem.answer for row in found] == golds


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_a_gold_answer_that_is_no_number_is_named(value, kind, tmp_path):
    found = survey_file(job_of(solved(1.0, value, kind=kind, tmp_path=tmp_path)))
    assert found.problems.num_rows == 1
    (note,) = found.notes
    assert note == f"row 1 is left out: expected a finite number in column 'answer', got {value}"


def test_short_floats_of_a_folder_that_datasets_reads_are_the_same(tmp_path):
    solved(0.1, 2.5, kind=pa.float32(), tmp_path=tmp_path)
    job = ImportsJob.from_partial({"dataset": str(tmp_path)})
    found = [row for chunk in read_chunks(job) for row in chunk.rows]
    assert [row.problem.answer for row in found] == ["0.1", "2.5"]


def line(**columns):
    return json.dumps({"question": "1 + 1?", "answer": "2", **columns})


def test_one_solution_a_row_is_joined_by_question_and_answer(tmp_path):
    path = tmp_path / "dump.jsonl"
    path.write_text(
        "\n".join(
            [
                line(output="a", reward=0.5),
                line(output="b", question="other?"),
                line(output="c", reward=[0.25]),
                line(output="d", answer="3"),
                line(output="x\ny", reward=[0.5, 0.75]),
            ]
        )
    )
    fields = {"responses_column": "output", "scores_column": "reward"}
    found = rows_of(path, **fields)
    assert [row.responses for row in found] == [("a",), ("b",), ("c",), ("d",), ("x\ny",)]
    assert [row.first_index for row in found] == [0, 0, 1, 0, 2]
    assert [row.scores for row in found] == [
        ((0.5,),),
        (None,),
        ((0.25,),),
        (None,),
        ((0.5, 0.75),),
    ]
    ids = [row.problem.problem_id for row in found]
    assert ids[0] == ids[2] == ids[4]
    assert len(set(ids)) == 3
    survey = survey_file(job_of(path, **fields))
    assert (survey.problems.num_rows, survey.num_responses) == (3, 5)


def test_rows_with_lists_stay_a_problem_each(tmp_path):
    path = tmp_path / "lists.jsonl"
    path.write_text(line(responses=["a"]) + "\n" + line(responses=["b"]))
    assert survey_file(job_of(path)).problems.num_rows == 2


@pytest.mark.parametrize("text", ["a\r\n\r\nb", "a\n \nb", "a\n\t \nb", "a\r\n \r\nb", "a\r\rb"])
def test_steps_end_at_windows_line_ends_and_lines_of_blanks(text, tmp_path):
    path = tmp_path / "solved.jsonl"
    path.write_text(line(responses=[text], scores=[[0.5, 0.25]]))
    fields = {"prompt": {"separator": "\n\n"}}
    (row,) = rows_of(path, **fields)
    assert split_steps(row.responses[0], "\n\n") == ["a\n\n", "b"]
    assert row.scores == ((0.5, 0.25),)
    assert survey_file(job_of(path, **fields)).num_mended == 1


def test_texts_of_other_separators_stay_as_they_are(tmp_path):
    path = tmp_path / "solved.jsonl"
    path.write_text(line(responses=["a\r\n \r\nb"]))
    for separator in ("\n", "; "):
        (row,) = rows_of(path, prompt={"separator": separator})
        assert (row.responses, row.num_mended) == (("a\r\n \r\nb",), 0)


LISTS = {
    "on one line": "[{0}, {1}]",
    "over several": "[\n {0},\n {1}\n]",
    "after a byte order mark": "\ufeff[{0},{1}]",
}


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_one_list_of_rows_is_read_whatever_the_file_is_called(form, suffix, tmp_path):
    path = tmp_path / f"list{suffix}"
    rows = line(responses=["a"]), line(responses=["b", "c"])
    path.write_text(LISTS[form].replace("{0}", rows[0]).replace("{1}", rows[1]))
    assert [row.responses for row in rows_of(path)] == [("a",), ("b", "c")]


def test_a_row_over_several_lines_is_read(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(json.loads(line(responses=["a"])), indent=2))
    assert [row.responses for row in rows_of(path)] == [("a",)]


def test_a_list_that_does_not_end_is_said_to_be_one(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text("[\n" + line(responses=["a"]) + ",\n" + line(responses=["b"])[:-5])
    with pytest.raises(ValueError, match=r"cut\.json begins as a JSON list, but is none: "):
        rows_of(path)
    path.write_text("[1, 2\n" + line(responses=["a"]))  # a bad row before a good one
    assert survey_file(job_of(path)).notes[0].startswith("row 0 is left out: not JSON: ")


def test_a_column_twice_is_named(tmp_path):
    path = tmp_path / "twice.jsonl"
    twice = line(responses=["a"])[:-1] + ', "answer": "3"}'
    path.write_text(line(responses=["a"]) + "\n" + twice)
    (note,) = survey_file(job_of(path)).notes
    assert note == "row 1 is left out: expected every column once, got more than one 'answer'"
    path.with_suffix(".json").write_text(f"[{line(responses=['a'])}, {twice}]")
    assert survey_file(job_of(path.with_suffix(".json"))).notes == (note,)
    names = ["question", "answer", "answer", "responses"]
    pq.write_table(
        pa.table([["q"], ["1"], ["2"], [["a"]]], names=names), tmp_path / "twice.parquet"
    )
    with pytest.raises(ValueError, match="expected every column once, got more than one 'answer'"):
        rows_of(tmp_path / "twice.parquet")


def test_every_row_left_out_is_named_however_many(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("".join("{}\n" for _ in range(3_000)) + line(responses=["a"]))
    named = io.StringIO()
    found = survey_file(job_of(path), left_out=named)
    assert (found.num_left_out, len(found.notes)) == (3_000, 1_000)
    lines = named.getvalue().splitlines()
    assert len(lines) == 3_000
    assert lines[-1].startswith("row 2999 is left out: expected text in column 'question'")
