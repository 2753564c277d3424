"""Critics as tables for a terminal and for pages, and what a critic has changed in a sentence."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from flows.tables.accuracies import figures_table
from flows.tables.figures import figure_words, value_words
from flows.tables.names import CRITIC_FIGURES, GLOSSARY
from schemas.metric_names import CRITIQUE, FIRST_ATTEMPT, GRADING, RETRY, Bin
from schemas.rows import Metric

_BY_DIFFICULTY = ("flags_wrong", "passes_right", "accuracy_before", "accuracy_after")

Words = Mapping[tuple[str, str], str]
"""Figures over all problems in words, by strategy and metric."""


class Critic(NamedTuple):
    """A critic of a policy's solutions, as rows of `metrics` name it."""

    policy: str
    name: str
    told: str

    @property
    def words(self) -> str:
        """Its name, and what it was told unless that is nothing."""
        return self.name if self.told == "nothing" else f"{self.name} told {self.told}"


def critic_rows(metrics: Sequence[Metric]) -> list[Metric]:
    """The figures of critics among those of a set."""
    return [row for row in metrics if row.strategy in (CRITIQUE, RETRY)]


def other_rows(metrics: Sequence[Metric]) -> list[Metric]:
    """The figures of anything but critics and graders."""
    return [row for row in metrics if row.strategy not in (CRITIQUE, RETRY, GRADING)]


def critics_in(metrics: Sequence[Metric]) -> list[Critic]:
    """The critics among the figures of a set, in order."""
    return sorted({_critic_of(row) for row in critic_rows(metrics)})


def of_critic(metrics: Sequence[Metric], critic: Critic) -> list[Metric]:
    """The figures of one critic."""
    return [row for row in critic_rows(metrics) if _critic_of(row) == critic]


def critics_summary(metrics: Sequence[Metric]) -> Table | None:
    """A column per critic, a row per figure; None if no critic was measured."""
    critics = critics_in(metrics)
    if not critics:
        return None
    columns = {_heading(each, critics): _cells(of_critic(metrics, each)) for each in critics}
    names = dict.fromkeys(name for cells in columns.values() for name in cells)
    caption = "shares of critiques or second attempts, interval by bootstrap"
    return figures_table("Critics", caption, columns, names)


def difficulty_summary(metrics: Sequence[Metric], kind: str | None = None) -> Table | None:
    """Critic x bin: what it sees and what it changes, by level if there are any, else by fifth.

    Args:
        metrics: of one set.
        kind: `level` or `oracle_quintile`; None for the first of them that was measured.
    """
    kinds = {Bin.parse(row.bin).kind for row in critic_rows(metrics)}
    chosen = kind or next((k for k in ("level", "oracle_quintile") if k in kinds), None)
    if chosen not in kinds or chosen is None:
        return None
    table = Table(
        title=f"Critics by {chosen.replace('_', ' ')}",
        caption=f"1 is the easiest; without: second attempts without a critique; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    for name in ("critic", chosen.replace("_", " ")):
        table.add_column(name, overflow="fold")
    headings = (
        *(CRITIC_FIGURES[name] for name in _BY_DIFFICULTY),
        "without",
        CRITIC_FIGURES["wrong_to_right"],
        CRITIC_FIGURES["right_to_wrong"],
    )
    for name in ("problems", *headings):
        table.add_column(name, justify="right")
    critics = critics_in(metrics)
    for critic in critics:
        lines = _difficulty_lines(of_critic(metrics, critic), chosen)
        for place, line in enumerate(lines, 1):
            name = escape(_heading(critic, critics)) if place == 1 else ""
            table.add_row(name, *line, end_section=place == len(lines))
    return table


def critics_table_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row per critic and figure, for pages."""
    critics = critics_in(metrics)
    return [
        {"critic": _heading(critic, critics), "figure": name, "value": figure_words(row)}
        for critic in critics
        for name, row in _cells(of_critic(metrics, critic)).items()
    ]


def critic_words(metrics: Sequence[Metric], critic: Critic) -> str:
    """What a critic sees and what its critiques change, in a few sentences.

    Args:
        metrics: of one set.
        critic: one of `critics_in`.
    """
    rows = of_critic(metrics, critic)
    found = {
        (row.strategy, row.metric): value_words(row)
        for row in rows
        if row.bin == "all" and row.against is None
    }
    sentences = [_seen_words(rows, found), _change_words(found), _rest_words(rows, found)]
    return f"{critic.words}: {' '.join(filter(None, sentences))}"


def _seen_words(rows: Sequence[Metric], found: Words) -> str:
    """What a critic says of wrong and of right solutions."""
    seen = [f"{found[CRITIQUE, 'num_critiques']} critiques"]
    if flags := found.get((CRITIQUE, "flags_wrong")):
        seen.append(f"flags {flags} of the wrong solutions")
    if passes := found.get((CRITIQUE, "passes_right")):
        seen.append(f"passes {passes} of the right ones")
    seen += [
        f"locates {value_words(row)} of the first errors (against {row.against})"
        for row in rows
        if row.metric == "first_error_accuracy" and row.bin == "all"
    ]
    return f"{seen[0]}: {', '.join(seen[1:])}." if seen[1:] else f"{seen[0]}."


def _change_words(found: Words) -> str:
    """What became of solutions, and in brackets without a critique; empty if nothing is known."""
    after = {of: found.get((of, "accuracy_after")) for of in (CRITIQUE, RETRY)}
    tried = [of for of in after if after[of]]
    if not tried:
        return ""
    kinds = {CRITIQUE: "after", RETRY: "after a retry without a critique"}
    accuracies = [f"{found[tried[0], 'accuracy_before']} before"]
    accuracies += [f"{after[of]} {kinds[of]}" for of in tried]
    words = f"Accuracy {', '.join(accuracies)}"
    parts = []
    for metric, name in (("wrong_to_right", "wrong → right"), ("right_to_wrong", "right → wrong")):
        if share := found.get((tried[0], metric)):
            control = found.get((RETRY, metric)) if tried == [CRITIQUE, RETRY] else None
            parts.append(f"{name} {share}" + (f" ({control})" if control else ""))
    return f"{words}; {', '.join(parts)}." if parts else f"{words}."


def _rest_words(rows: Sequence[Metric], found: Words) -> str:
    """What cannot be learned from, and what was spent."""
    faulty = [row for row in rows if Bin.parse(row.bin).kind == "fault"]
    faulty.sort(key=lambda row: (-row.value, row.bin))
    faults = ", ".join(f"{Bin.parse(row.bin).value} {value_words(row)}" for row in faulty)
    words = [
        f"Unreadable {found[CRITIQUE, 'unreadable_rate']}" + (f" ({faults})" if faults else "")
    ]
    words.append(f"leaks {found[CRITIQUE, 'leak_rate']}")
    if copies := found.get((CRITIQUE, "copy_rate")):
        words.append(f"copies of the first attempt {copies}")
    spent = f"{found[CRITIQUE, 'critique_tokens']} tokens a critique"
    if each := found.get((CRITIQUE, "attempt_tokens")):
        spent += f", {each} a second attempt"
    return f"{', '.join(words)}; {spent}."


def _difficulty_lines(rows: Sequence[Metric], kind: str) -> list[list[str]]:
    """The cells of one critic in each bin of a kind."""
    bins = {where for row in rows if (where := Bin.parse(row.bin)).kind == kind}
    lines = []
    for where in sorted(bins, key=lambda where: where.order):
        found = [row for row in rows if row.bin == str(where)]
        num_problems = max(row.num_problems for row in found)
        lines.append(
            [
                escape(where.value),
                f"{num_problems:,}",
                *(_short(found, CRITIQUE, name) for name in _BY_DIFFICULTY),
                _short(found, RETRY, "accuracy_after"),
                *(_short(found, CRITIQUE, n) for n in ("wrong_to_right", "right_to_wrong")),
            ]
        )
    return lines


def _cells(rows: Sequence[Metric]) -> dict[str, Metric]:
    """The figures of one critic over all problems, by their words, in the order of tables."""
    found: dict[str, Metric] = {}
    for metric, words in CRITIC_FIGURES.items():
        for row in rows:
            if row.metric == metric and row.bin == "all":
                found[f"{words}{_suffix(row)}"] = row
    return found


def _suffix(row: Metric) -> str:
    if row.metric == "gain_over":
        over = "the first attempt" if row.against == FIRST_ATTEMPT else "a retry"
        return f" {over}{', retry' if row.strategy == RETRY else ''}"
    against = "" if row.against is None else f", against {row.against}"
    return f"{', retry' if row.strategy == RETRY else ''}{against}"


def _short(rows: Sequence[Metric], strategy: str, metric: str) -> str:
    return next((value_words(r) for r in rows if (r.strategy, r.metric) == (strategy, metric)), "")


def _critic_of(row: Metric) -> Critic:
    return Critic(row.policy, row.verifier or "", row.arm or "nothing")


def _heading(critic: Critic, critics: Sequence[Critic]) -> str:
    """A critic's words, with the policy where there are several."""
    several = len({each.policy for each in critics}) > 1
    return f"{critic.words} on {critic.policy}" if several else critic.words
