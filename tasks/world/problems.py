"""The built-in world: an endless supply of word problems in five levels, with nothing to download.

A problem starts with an amount on Monday and changes it by one event a day. The text of a
question determines everything about it: `parse_question` recovers the problem it was made from, so
rows need no hidden columns. Train, dev and test share no problem: the split is a hash of the
numbers and events, regardless of the people and things.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.world.kinds import (
    CLOSING_KINDS,
    CONTAINERS,
    DAYS,
    KINDS,
    LEVELS,
    NAMES,
    THINGS,
    Kind,
    Level,
    kinds_of,
)

Split = Literal["train", "dev", "test"]

MAX_COUNT = 99
"""True running totals stay between 1 and this."""
P_COMPARISON = 0.15
"""Probability that an easy last event becomes a comparison."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happens on one day."""

    kind: Kind
    values: tuple[int, ...]
    """(q,) a quantity; (containers, q in each); for trap B (q, how many times)."""
    container: str | None = None

    @property
    def amount(self) -> int:
        """The number of things the event is about."""
        return self.values[0] if len(self.values) == 1 else self.values[0] * self.values[1]


@dataclass(frozen=True, slots=True)
class WorldProblem:
    """A story, its question and its answer."""

    person: str
    other: str
    """Empty if the story has no second person."""
    thing: str
    start: int
    events: tuple[Event, ...]
    """One per day from Tuesday on."""
    level: int | None = field(default=None, compare=False)
    """The level it was made for; unknown for a problem read from its text."""

    @property
    def question(self) -> str:
        """The text a policy reads."""
        story = [f"{DAYS[0]}: {self.person} has {self.start} {self.thing}."]
        for day, event in zip(DAYS[1:], self.events, strict=False):
            story.append(f"{day}: {self._sentence(event)}")
        is_comparison = self.events[-1].kind.name in CLOSING_KINDS
        asked = self.other if is_comparison else self.person
        return " ".join(story) + f" How many {self.thing} does {asked} have now?"

    @property
    def answer(self) -> int:
        """The right answer."""
        return self.start + sum(event.kind.sign * event.amount for event in self.events)

    @property
    def traps(self) -> str:
        """`no trap`, `trap A`, `trap B` or `trap A+B`."""
        letters = sorted({e.kind.family[-1] for e in self.events if e.kind.family.startswith("tr")})
        return "trap " + "+".join(letters) if letters else "no trap"

    @property
    def split(self) -> Split:
        """The split it belongs to: 1/16 test, 1/16 dev, the rest train."""
        events = sorted((event.kind.name, event.values) for event in self.events)
        digest = hashlib.sha256(repr((self.start, events)).encode()).hexdigest()
        return {0: "test", 1: "dev"}.get(int(digest[:8], 16) % 16, "train")  # type: ignore[return-value]

    def _sentence(self, event: Event) -> str:
        first, times = event.values[0], event.values[-1]
        quantity = f"{first} {self.thing}"
        if event.container:
            quantity = f"{first} {event.container} of {times} {self.thing}"
        return event.kind.template.format(
            n=self.person, m=self.other, q=quantity, a=first, o=self.thing, k=times
        )


def iterate_problems(
    seed: int | str, split: Split, levels: Sequence[int] = (1, 2, 3, 4, 5)
) -> Iterator[WorldProblem]:
    """Endless problems of a split, cycling through the levels; equal for equal arguments."""
    rng = random.Random(f"{seed}/{split}")
    while True:
        for level in levels:
            yield draw_problem(rng, level, split)


def draw_problem(rng: random.Random, level: int, split: Split) -> WorldProblem:
    """Draw one problem of a level and split."""
    while True:
        problem = _draw_events(rng, level)
        if problem is not None and problem.split == split:
            return _dress(problem, rng)


_QUANTITY = rf"(?P<first>\d+)(?: (?P<container>{'|'.join(CONTAINERS)}) of (?P<inner>\d+))? \w+"
_SLOTS = {
    "n": r"(?P<n>\w+)",
    "m": r"(?P<m>\w+)",
    "q": _QUANTITY,
    "a": r"(?P<first>\d+)",
    "o": r"\w+",
    "k": r"(?P<times>\d+)",
}
_SENTENCES = {
    name: re.compile(kind.template.removesuffix(".").format(**_SLOTS))
    for name, kind in KINDS.items()
}
_STORY = re.compile(
    rf"{DAYS[0]}: (?P<person>\w+) has (?P<start>\d+) (?P<thing>\w+)\. "
    r"(?P<events>.+)\. How many \w+ does (?P<asked>\w+) have now\?"
)


def parse_question(question: str) -> WorldProblem:
    """The problem whose question this is, all but its level.

    Raises:
        ValueError: the text is not exactly a question of this world.
    """
    story = _STORY.fullmatch(question)
    if story is None:
        raise ValueError(f"expected a question of the built-in world, got {question[:120]!r}")
    days = re.split(rf"\. (?=(?:{'|'.join(DAYS)}): )", story["events"])
    sentences = [day.partition(": ")[2] for day in days]
    parsed = [_parse_sentence(sentence, story["person"]) for sentence in sentences]
    others = {other for _, other in parsed if other} | {story["asked"]} - {story["person"]}
    problem = WorldProblem(
        person=story["person"],
        other=min(others, default=""),
        thing=story["thing"],
        start=int(story["start"]),
        events=tuple(event for event, _ in parsed),
    )
    if problem.question != question:
        raise ValueError(
            f"expected a question of the built-in world, got {question[:120]!r}: "
            f"it reads as {problem.question[:120]!r}"
        )
    return problem


def _parse_sentence(sentence: str, person: str) -> tuple[Event, str | None]:
    """The event a sentence describes, and the other person if it names one."""
    for name, pattern in _SENTENCES.items():
        match = pattern.fullmatch(sentence)
        if match is None:
            continue
        slots = match.groupdict()
        if slots.get("n", person) != person:
            continue
        values = [int(slots["first"])]
        if slots.get("inner"):
            values.append(int(slots["inner"]))
        if KINDS[name].family == "trap B":
            values.append(int(slots.get("times") or 2))
        return Event(KINDS[name], tuple(values), slots.get("container")), slots.get("m")
    raise ValueError(f"no sentence of the built-in world reads {sentence!r} (about {person})")


def _draw_events(rng: random.Random, level_number: int) -> WorldProblem | None:
    """A story without people and things; None if its numbers do not work out."""
    level = LEVELS[level_number]
    names = _draw_kinds(rng, level)
    # A comparison by "now has" must end the story, and only one can.
    if names.count("fewer!") > 1:
        return None
    if "fewer!" in names:
        names.remove("fewer!")
        names.append("fewer!")
    elif KINDS[names[-1]].family == "easy" and rng.random() < P_COMPARISON:
        names[-1] = "fewer"
    if not any(KINDS[name].sign for name in names):
        return None
    start = rng.randint(15, 45)
    used = [start]
    events = [Event(KINDS[name], _draw_values(rng, KINDS[name], level, used)) for name in names]
    total = start
    for event in events:
        total += event.kind.sign * event.amount
        if not 1 <= total <= MAX_COUNT:
            return None
    return WorldProblem("", "", "", start, tuple(events), level_number)


def _draw_kinds(rng: random.Random, level: Level) -> list[str]:
    num_events = rng.choice(level.num_events)
    num_traps = min(num_events, rng.choices(range(4), level.num_traps_weights)[0])
    names = []
    for _ in range(num_traps):
        names.append(rng.choice(kinds_of("trap B" if rng.random() < level.p_trap_b else "trap A")))
    while len(names) < num_events:
        names.append(rng.choice(kinds_of("medium" if rng.random() < level.p_medium else "easy")))
    rng.shuffle(names)
    return names


def _draw_values(rng: random.Random, kind: Kind, level: Level, used: list[int]) -> tuple[int, ...]:
    """An event's numbers, different from those used so far where eight draws allow it."""

    def number(low: int, high: int) -> int:
        for _ in range(8):
            value = rng.randint(low, high)
            if value not in used:
                break
        used.append(value)
        return value

    if kind.name == "twice":
        return (number(3, 9), 2)
    if kind.family == "trap B":
        return (number(3, 6), number(2, 4))
    if kind.family == "easy" and rng.random() < level.p_containers:
        return (number(2, 4), number(2, 6))
    return (number(3, 12),)


def _dress(problem: WorldProblem, rng: random.Random) -> WorldProblem:
    """The problem with people, things and containers."""
    person, other = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    events = []
    for event in problem.events:
        is_product = event.kind.family == "easy" and len(event.values) == 2
        container = rng.choice(CONTAINERS) if is_product else None
        events.append(Event(event.kind, event.values, container))
    if not any("{m}" in event.kind.template for event in events):
        other = ""
    return WorldProblem(person, other, thing, problem.start, tuple(events), problem.level)
