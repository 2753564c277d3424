"""Documents from files, whose bad rows are named, and the diaries of the built-in world."""

import re

import pytest

from schemas.problems import WorldProblemsConfig
from schemas.retrieval import DIARIES, DiariesConfig, FileDocumentsConfig
from schemas.search import SearchJob
from tasks.documents.load import load_documents
from tasks.problems.load import load_problems, world_stories
from tasks.world.diaries import assign_weeks
from tasks.world.problems import parse_question

PROBLEMS = WorldProblemsConfig(num_problems=40, diaries=True)


def test_rows_without_text_are_left_out_and_named(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text(
        '{"text": "one", "t": "T"}\n{"text": " "}\n{"t": "x"}\n[1]\n{"text": " two "}\n'
    )
    documents, notes = load_documents(FileDocumentsConfig(path=path, title_column="t"))
    assert [(d.text, d.title, d.position) for d in documents] == [("one", "T", 0), ("two", None, 4)]
    assert [note.split(":")[0] for note in notes] == [f"row {n} is left out" for n in (1, 2, 3)]
    assert len({d.document_id for d in documents}) == 2


def test_a_file_without_a_usable_row_or_column_is_refused(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text('{"text": ""}\n')
    with pytest.raises(ValueError, match="none of its 1 rows"):
        load_documents(FileDocumentsConfig(path=path))
    with pytest.raises(ValueError, match="text_column is 'body'"):
        load_documents(FileDocumentsConfig(path=path, text_column="body"))


def test_a_story_is_whole_in_the_diaries_and_nowhere_in_its_question():
    documents, _ = load_documents(DiariesConfig(problems=PROBLEMS, num_others=60))
    problems, _ = load_problems(PROBLEMS)
    stories = world_stories(PROBLEMS)
    assert len({problem.question for problem in problems}) == len(problems)
    for problem, story, week in zip(problems, stories, assign_weeks(stories), strict=True):
        told = re.fullmatch(r"Week (\d+): (How many .+\?)", problem.question)
        assert told is not None
        assert int(told[1]) == week
        of_story = [
            d.text
            for d in documents
            if d.title is not None
            and d.title.endswith(f"week {week}")
            and re.search(rf"\b{story.person}\b", d.text)
            and story.thing in d.text
        ]
        again = parse_question(" ".join([*of_story, told[2]]))
        assert again == story
        assert problem.answer == str(again.answer)


def test_more_stories_leave_weeks_and_documents_of_the_first_ones():
    few, many = PROBLEMS.with_fields(num_problems=10), PROBLEMS
    assert assign_weeks(world_stories(many))[:10] == assign_weeks(world_stories(few))
    first = {p.problem_id for p in load_problems(few)[0]}
    assert first == {p.problem_id for p in load_problems(many)[0][:10]}


def test_a_search_asks_about_the_stories_of_its_diaries():
    fields = {"score": {"by": "likelihood"}, "retrieval": DIARIES}
    asked = WorldProblemsConfig(diaries=True, num_problems=20)
    assert SearchJob(problems=asked, **fields).problems == asked
    for wrong in ({"seed": 2}, {"diaries": False}, {"num_problems": 201}):
        with pytest.raises(ValueError, match="problems: expected those whose stories"):
            SearchJob(problems=asked.with_fields(**wrong), **fields)
