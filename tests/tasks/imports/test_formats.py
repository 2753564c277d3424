"""Public sets of step labels as solutions: what each label becomes, and what is refused."""

import json
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.imports import ImportsJob, LabelFormat
from tasks.imports.formats import FORMATS, detect_format
from tasks.imports.read import read_chunks, survey_file
from tasks.imports.source import digest_source, name_format
from tasks.problems.files import BadRow

JOB = ImportsJob.from_partial({"path": "set.jsonl"})


def completion(text, rating, flagged=None):
    return {"text": text, "rating": rating, "flagged": flagged}


def step(*completions, chosen=None, human=None):
    return {
        "completions": list(completions),
        "human_completion": human,
        "chosen_completion": chosen,
    }


def prm800k(*steps, finish="solution", problem="1 + 1?", gold="2"):
    question = {
        "problem": problem,
        "ground_truth_answer": gold,
        "ground_truth_solution": "It is 2.",
        "pre_generated_steps": None,
    }
    label = {"steps": list(steps), "total_time": 1, "finish_reason": finish}
    return {"labeler": "x", "question": question, "label": label}


def processbench(label, *steps, **fields):
    row = {"id": "omnimath-7", "generator": "g", "problem": "1 + 1?", "steps": list(steps)}
    return {**row, "final_answer_correct": label == -1, "label": label, **fields}


def shepherd(text, marks, task="GSM8K"):
    """A row whose tags, in order, have these marks."""
    label = text
    for mark in marks:
        label = label.replace("ки", mark, 1)
    return {"input": text, "label": label, "task": task}


def stepwise(*steps, labels, **fields):
    return {"prompt": "1 + 1?", "completions": list(steps), "labels": labels, **fields}


def read(kind, row, **fields):
    _, reader, _ = FORMATS[kind]
    return reader(row, JOB.with_fields(**fields))


def short(solutions):
    return [("|".join(s.steps), s.labels, s.correct) for s in solutions]


# ------------------------------------------------------------------ what labels become


def test_alternatives_are_solutions_that_share_the_chosen_steps():
    row = prm800k(
        step(completion("a0", 1), completion("a1", -1), chosen=0),
        step(completion("b0", -1), completion("b1", 0), human={"text": "own"}),
        step(completion("c0\n\n# Answer\n\n2", 1), chosen=0),
    )
    found = read("prm800k", row)
    assert short(found) == [
        ("a1", (False,), None),
        ("a0|b0", (True, False), None),
        ("a0|b1", (True, True), None),
        ("a0|own|c0\n\n# Answer\n\n2", (True, True, True), True),
    ]
    assert [s.answer for s in found] == [None, None, None, "2"]
    assert [s.reason for s in found][-1] is None
    assert None not in [s.reason for s in found][:-1]
    assert (found[0].question.text, found[0].question.gold) == ("1 + 1?", "2")


@pytest.mark.parametrize(("neutral", "label"), [("right", True), ("wrong", False), ("none", None)])
def test_what_a_rating_of_zero_becomes_is_chosen(neutral, label):
    row = prm800k(step(completion("a", 0), chosen=0), step(completion("b", 1), chosen=0))
    assert short(read("prm800k", row, neutral_label=neutral)) == [("a|b", (label, True), True)]


def test_a_row_that_ends_at_an_error_has_no_solution_beyond_its_alternatives():
    row = prm800k(
        step(completion("a", 1), chosen=0),
        step(completion("b0", -1), completion("b1", 1, flagged=True), completion("b2", None)),
        finish="found_error",
    )
    assert short(read("prm800k", row)) == [
        ("a|b0", (True, False), None),
        ("a|b1", (True, None), None),
        ("a|b2", (True, None), None),
    ]
    given_up = prm800k(step(completion("a", 1), chosen=0), step(), finish="give_up")
    [only] = read("prm800k", given_up)
    assert (short([only]), only.reason) == ([("a", (True,), None)], "give_up")


@pytest.mark.parametrize(
    ("label", "labels"),
    [
        (-1, (True, True, True)),
        (0, (False, None, None)),
        (1, (True, False, None)),
        (2, (True, True, False)),
    ],
)
def test_the_index_of_the_first_error_labels_the_steps_up_to_it(label, labels):
    [only] = read("processbench", processbench(label, "a", "b\nc", "d"))
    assert (only.labels, only.correct, only.question.split) == (labels, label == -1, "omnimath")


def test_a_right_answer_by_a_wrong_process_stays_right():
    [only] = read("processbench", processbench(0, "a", final_answer_correct=True, id="x"))
    assert (only.labels, only.correct, only.question.split) == ((False,), True, None)


def test_marks_in_the_text_become_labels():
    text = "Q + R? Step 1: 1 - 1 + 1 = 1 ки\nStep 2: = 2 ки\nStep 3: The answer is: 2 ки"
    [only] = read("math_shepherd", shepherd(text, "+-+"))
    assert short([only]) == [
        (
            "Step 1: 1 - 1 + 1 = 1|Step 2: = 2|Step 3: The answer is: 2",
            (True, False, True),
            True,
        )
    ]
    assert (only.question.text, only.question.subject) == ("Q + R?", "GSM8K")


def test_stepwise_labels_may_be_unknown_and_have_probabilities():
    row = stepwise("a", "b", "c", labels=[True, 0, None], soft=[1.0, 0.25, None], correct=False)
    [only] = read("stepwise", row)
    assert (only.labels, only.soft) == ((True, False, None), (1.0, 0.25, None))
    assert only.correct is False


# ------------------------------------------------------------------ what is refused

A = completion("a", 1)
BAD = {
    "a chosen completion that does not exist": ("prm800k", prm800k(step(A, chosen=1))),
    "a step after an end": ("prm800k", prm800k(step(A), step(A, chosen=0))),
    "a rating of 2": ("prm800k", prm800k(step(completion("a", 2), chosen=0))),
    "a rating that is true": ("prm800k", prm800k(step(completion("a", True), chosen=0))),
    "a blank completion": ("prm800k", prm800k(step(completion(" ", 1), chosen=0))),
    "a broken problem": ("prm800k", prm800k(step(A, chosen=0), finish="bad_problem")),
    "no steps": ("prm800k", prm800k()),
    "nothing rated": ("prm800k", prm800k(step())),
    "no question": ("prm800k", prm800k(step(A, chosen=0), problem="")),
    "steps that are text": ("prm800k", {"question": {"problem": "q"}, "label": {"steps": "a"}}),
    "a label past the end": ("processbench", processbench(2, "a", "b")),
    "a label of -2": ("processbench", processbench(-2, "a", "b")),
    "a label that is true": ("processbench", processbench(True, "a", "b")),
    "a label that is text": ("processbench", processbench("1", "a", "b")),
    "no step": ("processbench", processbench(-1)),
    "a blank step": ("processbench", processbench(-1, "a", "\n")),
    "a step that is a number": ("processbench", processbench(-1, "a", 2)),
    "fewer marks than tags": ("math_shepherd", shepherd("Q? Step 1: a ки\nStep 2: b ки", "+")),
    "no first step": ("math_shepherd", shepherd("Q? a ки\nStep 2: b ки", "++")),
    "a step without a tag": ("math_shepherd", shepherd("Q? Step 1: a\nStep 2: b ки", "+")),
    "text after the last tag": ("math_shepherd", shepherd("Q? Step 1: a ки\nStep 2: b", "+")),
    "another text": (
        "math_shepherd",
        {"input": "Q? Step 1: a ки", "label": "Q? Step 1: b +", "task": "MATH"},
    ),
    "a longer label": (
        "math_shepherd",
        {"input": "Q? Step 1: a ки", "label": "Q? Step 1: a +\nStep 2: b +", "task": "MATH"},
    ),
    "no question before the steps": ("math_shepherd", shepherd("Step 1: a ки", "+")),
    "fewer labels than steps": ("stepwise", stepwise("a", "b", labels=[True])),
    "more labels than steps": ("stepwise", stepwise("a", labels=[True, False])),
    "a label of 2": ("stepwise", stepwise("a", labels=[2])),
    "a label of text": ("stepwise", stepwise("a", labels=["+"])),
    "a soft label of 2": ("stepwise", stepwise("a", labels=[True], soft=[2.0])),
    "fewer soft labels": ("stepwise", stepwise("a", "b", labels=[True, True], soft=[1.0])),
    "a prompt of messages": ("stepwise", stepwise("a", labels=[True], prompt=[{"role": "user"}])),
    "half a character": ("stepwise", stepwise("\ud800", labels=[True])),
}
GOOD = {
    "prm800k": prm800k(step(A, chosen=0), problem="good?"),
    "processbench": processbench(-1, "a", problem="good?"),
    "math_shepherd": shepherd("good? Step 1: a ки", "+"),
    "stepwise": stepwise("a", labels=[True], prompt="good?"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_does_not_match_its_labels_is_named_and_the_rest_goes_on(tmp_path, name):
    kind, bad = BAD[name]
    with pytest.raises(BadRow):
        read(kind, bad)
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (GOOD[kind], bad, GOOD[kind])))
    found = survey_file(name_format(ImportsJob(path=path)))
    assert (found.num_left_out, found.num_responses, found.problems.num_rows) == (1, 2, 1)
    assert found.notes[0].startswith("row 1 is left out: ")
    assert len(found.notes[0]) < 300


# ------------------------------------------------------------------ where rows come from


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet", "a list", "hub"])
def test_formats_are_recognised_in_every_kind_of_source(tmp_path, kind, suffix):
    row, path = GOOD[kind], tmp_path / "set.json"
    place: dict[str, object] = {"path": path}
    if suffix == "parquet":
        place["path"] = path.with_suffix(".parquet")
        pq.write_table(pa.Table.from_pylist([row, row]), place["path"])
    elif suffix == "a list":
        path.write_text(json.dumps([row, row], indent=2))
    else:
        name = "set.json" if suffix == "json" else "set.jsonl"
        place["path"] = tmp_path / name
        (tmp_path / name).write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    if suffix == "hub":
        place = {"dataset": str(tmp_path), "dataset_split": "train", "source": "theirs"}
    job = name_format(ImportsJob.from_partial(place))
    assert (job.format, job.labels_method) == (kind, FORMATS[kind][2])
    rows = [row for chunk in read_chunks(job) for row in chunk.rows]
    assert [short(each.labelled) for each in rows] == [short(read(kind, row))] * 2
    assert (rows[0].problem, rows[0].first_index, rows[1].first_index) == (rows[1].problem, 0, 1)
    assert len(digest_source(job)) == 64


def test_every_format_that_can_be_named_is_read():
    assert set(FORMATS) == set(get_args(LabelFormat))


def test_rows_with_responses_are_solutions_whatever_else_they_have():
    row = {**GOOD["stepwise"], "responses": ["a"]}
    assert detect_format([BadRow("x"), row], JOB) is None
    assert detect_format([{"question": "q"}], JOB) is None
    assert name_format(JOB.with_fields(format="solutions")).format == "solutions"


def test_a_format_that_is_named_is_not_guessed(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(GOOD["stepwise"]) + "\n")
    job = name_format(ImportsJob(path=path, format="processbench"))
    with pytest.raises(ValueError, match="none of its 1 rows can be used; row 0 is left out: expe"):
        survey_file(job)


def test_a_file_or_a_data_set_is_named_and_not_both():
    for given, got in (({}, "neither"), ({"path": "a.jsonl", "dataset": "a/b"}, "both")):
        with pytest.raises(ValueError, match=rf"path.* or a data set .*, got {got}"):
            ImportsJob.from_partial(given)


def test_steps_with_the_separator_inside_are_counted(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(stepwise("a\nb", "c", labels=[True, None])) + "\n")
    found = survey_file(name_format(ImportsJob(path=path)))
    assert (found.num_divided_steps, found.labels) == (1, {True: 1, None: 1})
