import asyncio

import pytest

from schemas.graders import ExactGraderConfig
from schemas.search.strategies import BeamConfig, BestOfNConfig, DvtsConfig
from tasks.graders import make_grader
from tasks.search.rows import make_rows
from tasks.steps.trees import whole_steps

TABLE = {
    "": {"a\n": 0.5, "b\n": 0.5},
    "a\n": {"c\n": 0.5, "Answer: 1": 0.5},
    "a\nc\n": {"Answer: 4": 1.0},
}
SCORES = {"a\n": 0.9, "b\n": 0.1, "a\nc\n": 0.8, "a\nAnswer: 1": 0.2, "a\nc\nAnswer: 4": 0.95}


def test_every_node_is_in_one_row_and_candidates_own_the_stems(table_engine, find_one):
    found = find_one(BeamConfig(width=2), table_engine(TABLE, SCORES), budget=2)
    told = [(row.text, row.status, row.parent_id, row.branch_step) for row in found.rows]
    first = found.rows[0].trajectory_id
    assert told == [
        ("a\nAnswer: 1", "finished", None, None),
        ("c\nAnswer: 4", "finished", first, 1),
        ("b\n", "pruned", None, None),
    ]
    assert [[step.score for step in row.steps] for row in found.rows] == [
        [0.9, 0.2], [0.8, 0.95], [0.1],
    ]  # fmt: skip
    assert [row.correct for row in found.rows] == [False, True, None]
    assert [row.answer for row in found.rows] == ["1", "4", None]
    assert found.rows[0].policy == found.rows[0].verifier == "table-0"


def test_ids_are_the_scope_s_and_unique(table_engine, find_one, make_problem):
    found = find_one(BeamConfig(width=2), table_engine(TABLE, SCORES), budget=2)

    def ids(scope: str) -> list[str]:
        rows = asyncio.run(
            make_rows(
                found.search,
                found.ends,
                problem=make_problem(),
                strategy="beam",
                grader=make_grader(ExactGraderConfig()),
                scope=scope,
            )
        )
        return [row.trajectory_id for row in rows]

    assert ids("one") == ids("one")
    assert not set(ids("one")) & set(ids("other"))
    assert len(set(ids("one"))) == 3


def test_a_finished_solution_that_is_no_candidate_is_pruned_and_graded(table_engine, find_one):
    table = {"": {"Answer: 4": 0.5, "a\n": 0.5}, "a\n": {"Answer: 1": 1.0}}
    engine = table_engine(table, {"Answer: 4": 0.1, "a\n": 0.9, "a\nAnswer: 1": 0.9})
    found = find_one(DvtsConfig(width=2), engine, budget=2)
    assert found.texts == ["a\nAnswer: 1"]
    by_text = {row.text: row for row in found.rows}
    lost = by_text["Answer: 4"]
    assert (lost.status, lost.answer, lost.correct) == ("pruned", "4", True)
    assert lost.reason == "rank 2 of 2"


@pytest.mark.parametrize(
    ("words", "answer", "correct"),
    [
        (["Answer: 4\n", "So ", "it "], "4", True),
        (["Answer: 5\n", "So ", "it "], "5", False),
        (["So ", "far ", "so "], None, None),
    ],
)
def test_a_cut_solution_is_graded_only_by_an_answer_that_it_has(
    table_engine, find_one, words, answer, correct
):
    table = {"".join(words[:i]): {word: 1.0} for i, word in enumerate(words)}
    table["".join(words)] = {"goes ": 1.0}
    engine = table_engine(table, {"".join(words): 0.5, words[0]: 0.5})
    (row,) = find_one(BestOfNConfig(), engine, budget=1, max_tokens=3).rows
    assert (row.status, row.answer, row.correct) == ("truncated", answer, correct)
    assert row.reason == "not finished after 3 tokens"


def test_rows_of_a_deep_tree_continue_one_another(table_engine, find_one):
    depth = 60
    table, scores, text = {}, {}, ""
    for number in range(depth):
        table[text] = {f"{number}\n": 0.5, f"{number}x\n": 0.5}
        scores |= {f"{text}{number}\n": 0.9, f"{text}{number}x\n": 0.1}
        text += f"{number}\n"
    table[text] = {"Answer: 4": 1.0}
    scores[f"{text}Answer: 4"] = 0.9
    engine = table_engine(table, scores)
    found = find_one(BeamConfig(width=2), engine, budget=2, max_steps=100)
    rows = {row.trajectory_id: row for row in found.rows}
    assert len(found.rows) == depth + 2
    wholes = {"".join(s.text for s in whole_steps(row, rows)) for row in found.rows}
    assert f"{text}Answer: 4" in wholes
    assert {len(whole_steps(row, rows)) for row in found.rows} == {*range(1, depth + 2)}
