"""Stories of the built-in world as diaries: a document per sentence, in a week of many stories.

The question names the week and asks as ever, but does not tell the story: its sentences are in the
diaries of those who act in them, among those of other people. Within a week no two stories have a
person and the thing in common, so a sentence belongs to one story. A sentence names the person of
the story, but a question after a comparison is about the other one: whose story it is, is then only
found out by reading.
"""

import re
from collections.abc import Sequence

from schemas.rows import Document
from schemas.units import derive_id
from tasks.world.kinds import DAYS, NAMES
from tasks.world.problems import WorldProblem

STORIES_PER_WEEK = 12
FIRST_WEEK = 101
"""No amount in a story is this large."""
SOURCE = "diaries"

_SENTENCES = re.compile(rf" (?=(?:{'|'.join(DAYS)}): |How many )")


def assign_weeks(stories: Sequence[WorldProblem]) -> list[int]:
    """The week of each story: the first from `FIRST_WEEK` that has room and that it can be told in.

    A longer list of stories begins with the same weeks.
    """
    weeks: list[list[set[tuple[str, str]]]] = []
    found = []
    for story in stories:
        told = {(person, story.thing) for person in (story.person, story.other) if person}
        number = next(
            (n for n, week in enumerate(weeks) if _has_room(week, told)),
            len(weeks),
        )
        if number == len(weeks):
            weeks.append([])
        weeks[number].append(told)
        found.append(FIRST_WEEK + number)
    return found


def diary_question(story: WorldProblem, week: int) -> str:
    """The question without its story."""
    return f"Week {week}: {_SENTENCES.split(story.question)[-1]}"


def write_diaries(stories: Sequence[WorldProblem]) -> list[Document]:
    """A document per sentence: weeks in order, and within a week by day."""
    entries = [
        (week, day, number, sentence)
        for number, (story, week) in enumerate(zip(stories, assign_weeks(stories), strict=True))
        for day, sentence in enumerate(_SENTENCES.split(story.question)[:-1])
    ]
    return [
        Document(
            document_id=derive_id(SOURCE, week, number, sentence),
            source=SOURCE,
            title=f"Diary of {_writer(sentence)}, week {week}",
            text=sentence,
            position=position,
        )
        for position, (week, _, number, sentence) in enumerate(sorted(entries))
    ]


def _has_room(week: list[set[tuple[str, str]]], told: set[tuple[str, str]]) -> bool:
    return len(week) < STORIES_PER_WEEK and not any(told & others for others in week)


def _writer(sentence: str) -> str:
    """The person who is named first."""
    return next(word for word in re.findall(r"\w+", sentence) if word in NAMES)
