import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.imports import ImportsJob
from tasks.imports.read import read_chunks, survey_file
from tasks.imports.source import digest_of


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def row(*responses: object, **columns: object) -> dict:
    return {"question": "1 + 1?", "answer": "2", "responses": list(responses), **columns}


@pytest.fixture
def survey(tmp_path):
    def read(*rows: object, **fields):
        path = write(tmp_path / "solved.jsonl", *rows)
        return survey_file(ImportsJob.from_partial({"path": path, **fields}))

    return read


def read_all(path: Path, **fields) -> list:
    chunks = read_chunks(ImportsJob.from_partial({"path": path, **fields}))
    return [row for chunk in chunks for row in chunk.rows]


def test_scores_are_of_the_whole_or_of_each_step(tmp_path):
    path = write(
        tmp_path / "solved.jsonl",
        row("1 + 1\n= 2", "2", scores=[0.25, 0.5]),
        row("1 + 1\n= 2", "a\nb\nc", "2", scores=[[0.5, 1.0], None, 1]),
        row("2"),
    )
    assert [r.scores for r in read_all(path)] == [
        ((0.25,), (0.5,)),
        ((0.5, 1.0), None, (1.0,)),
        (None,),
    ]


def test_logits_become_probabilities_in_the_same_order(tmp_path):
    path = write(tmp_path / "solved.jsonl", row("a", "b", "c", scores=[-800, 0, 3]))
    [only] = read_all(path, score_scale="logit")
    assert [s[0] for s in only.scores if s] == pytest.approx([0.0, 0.5, 0.9525741268])
    assert 0 <= only.scores[0][0] < 1e-300


BAD_ROWS = {
    "no question": {"answer": "2", "responses": ["2"]},
    "blank question": row("2", question=" "),
    "no answer": row("2", answer=None),
    "no response": row(),
    "a number among texts": row("2", 2),
    "half a character": b'{"question": "1?", "answer": "1", "responses": ["\\ud800"]}',
    "too few scores": row("2", "3", scores=[0.5]),
    "a score for the row": row("2", scores=0.5),
    "NaN": b'{"question": "1?", "answer": "1", "responses": ["1"], "scores": [NaN]}',
    "infinite": row("2", scores=[float("inf")]),
    "a huge number": b'{"question": "1?", "answer": "1", "responses": ["1"], "scores": [1'
    + b"0" * 400
    + b"]}",
    "out of range": row("2", scores=[1.5]),
    "truth": row("2", scores=[True]),
    "text": row("2", scores=["0.5"]),
    "wrong number of steps": row("a\nb\nc", scores=[[0.5, 0.5]]),
    "not JSON": b"{'question': 1}",
    "no object": b"[1, 2]",
    "not UTF-8": b'{"question": "\xff"}',
    "nested without end": b'{"question": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_named_and_the_others_go_on(survey, name):
    found = survey(row("2", scores=[0.5]), BAD_ROWS[name], row("3", scores=[0.25]))
    assert found.problems.num_rows == 2
    assert found.num_left_out == 1
    assert found.notes[0].startswith("row 1 is left out: ")
    assert len(found.notes[0]) < 300


def test_a_note_shows_neither_escapes_nor_megabytes(survey):
    found = survey(row("2"), row("2", question=["\x1b[2J" * 300_000]))
    assert "\x1b" not in found.notes[0]
    assert len(found.notes[0]) < 300


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"responses_column": "texts"}, "responses_column is 'texts', but the columns are quest"),
        ({"scores_column": "reward"}, "scores_column is 'reward', but the columns are question, "),
        ({"level_column": "lvl"}, "level_column is 'lvl'"),
        ({"limit": 1, "score_scale": "odds"}, "score_scale"),
    ],
)
def test_a_column_that_never_occurs_is_a_mistake(survey, fields, message):
    with pytest.raises(ValueError, match=message):
        survey(row("2"), **fields)


def test_columns_may_have_any_name(survey):
    odd = {"select * from problems; --": "1 + 1?", "'\"\n": "2", "*?[": ["2"], "a.b": [0.5]}
    question, answer, responses, scores = odd
    found = survey(
        odd,
        question_column=question,
        answer_column=answer,
        responses_column=responses,
        scores_column=scores,
    )
    assert (found.num_responses, found.has_scores) == (1, True)
    with pytest.raises(ValueError, match=r"columns are select \* from problems; --, '\\'\"\\n', "):
        survey(odd)


def test_a_file_without_a_usable_row_is_refused(survey, tmp_path):
    with pytest.raises(ValueError, match="none of its 1 rows can be used; row 0 is left out"):
        survey(row())
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(ValueError, match="it is empty"):
        survey_file(ImportsJob(path=tmp_path / "empty.jsonl"))
    with pytest.raises(ValueError, match="there is none"):
        digest_of(tmp_path / "missing.jsonl")


def test_chunks_hold_whole_rows_up_to_a_size(tmp_path):
    rows = [row(*map(str, range(n)), question=f"q{n}?") for n in (2, 2, 1, 7, 1)]
    path = write(tmp_path / "solved.jsonl", *rows)
    job = ImportsJob(path=path, trajectories_per_unit=4)
    assert [chunk.num_responses for chunk in read_chunks(job)] == [4, 1, 7, 1]
    survey = survey_file(job)
    assert survey.fingerprints == tuple(chunk.fingerprint for chunk in read_chunks(job))
    assert (survey.num_responses, len(set(survey.fingerprints))) == (13, 4)


def test_long_texts_make_chunks_of_their_own(tmp_path):
    path = write(tmp_path / "long.jsonl", *(row("x" * 700_000) for _ in range(3)))
    job = ImportsJob(path=path, unit_mb=1)
    assert [chunk.num_responses for chunk in read_chunks(job)] == [1, 1, 1]


def test_parquet_and_jsonl_read_alike(tmp_path):
    rows = [row("1\n2", "2", scores=[[0.5, 0.25], [1.0]]), row("3", scores=[[0.125]])]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "solved.parquet", row_group_size=1)
    write(tmp_path / "solved.jsonl", *rows)
    assert read_all(tmp_path / "solved.parquet") == read_all(tmp_path / "solved.jsonl")


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "solved.parquet"
    pq.write_table(pa.Table.from_pylist([row("2" * 5000)] * 50), path, compression="none")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is not a Parquet file, or is damaged"):
        survey_file(ImportsJob(path=path))


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path):
    path = tmp_path / "solved.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row("2")).encode() + b"\r\n\r\n")
    assert [r.responses for r in read_all(path)] == [("2",)]


def test_imported_problems_may_carry_what_checks_them(tmp_path):
    row = {"question": "Double.", "check": ["assert double(2) == 4"], "responses": ["x"]}
    file = tmp_path / "solved.jsonl"
    file.write_text(json.dumps(row) + "\n")
    job = ImportsJob.from_partial({"path": file, "check_column": "check"})
    (problem,) = survey_file(job).problems.to_pylist()
    assert (problem["answer"], problem["check"]) == ("", '["assert double(2) == 4"]')
