"""A search tree as lines of a terminal: named nodes, equal ones folded, each with its ranked value.

A node is named by its place, as `1.3.2` for the second continuation of the third of the first.
Siblings below which everything reads the same are one line with their number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text
from rich.tree import Tree

from flows.tables.output import visible
from schemas.search import ScoreConfig
from tasks.verifiers.reductions import join_likelihood, reduce_scores

_VERDICTS = {True: ("right", "green"), False: ("wrong", "red"), None: ("ungraded", "yellow")}
_RANKED = re.compile(
    r"(?P<by>verifier|likelihood\+logit|likelihood)(?:\[(?P<how>\w+)(?:,(?P<weight>[\d.]+))?\])?"
)
_ID_LETTERS = 8


@dataclass(slots=True)
class Branch:
    """A step of the tree, or its root, with the branches and the rows' ends below it."""

    step: dict[str, Any] | None = None
    children: "list[Branch]" = field(default_factory=list)
    ends: list[dict[str, Any]] = field(default_factory=list)
    """The rows whose last step this is, without their steps."""
    prompted_by: str | None = None
    """For a first step that answers another prompt: the row that this prompt is about."""


def ranked_by(strategy: str, main_picks: Sequence[str]) -> ScoreConfig | None:
    """How a search ranked prefixes, as its label or its main pick says; None if neither does."""
    _, _, named = strategy.partition(" by ")
    for name in (named, *main_picks):
        if match := _RANKED.fullmatch(name):
            given = {
                "by": match["by"],
                "reduction": match["how"],
                "weight": float(match["weight"] or 1),
            }
            return ScoreConfig.from_partial(given)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDrawing:
    """How a tree is drawn."""

    picks: dict[str, str]
    """The picks of picked rows, by their ids."""
    score: ScoreConfig | None
    """What nodes are ranked by; None to leave it out."""
    depth: int | None = None
    """Steps that are drawn; None for all."""

    def draw(self, tree: Tree, root: Branch) -> None:
        """Draw everything below the root."""
        self._draw(tree, root, "", ())

    def _draw(self, tree: Tree, branch: Branch, name: str, line: tuple[Branch, ...]) -> None:
        for words, row, number in self._folded_ends(branch):
            tree.add(Text("  ").join([words, *_times(number), _id_words(row)]))
        if self.depth is not None and len(line) >= self.depth and branch.children:
            num_steps, num_ends = _count_below(branch)
            tree.add(Text(f"… {num_steps} steps and {num_ends} ends below", style="dim"))
            return
        for place, child, number in self._folded(branch, line):
            # If only one row ends with a step, the step's own line says how.
            alone = child.ends if not child.children and len(child.ends) == 1 else []
            named = f"{name}.{place}" if name else str(place)
            parts = [Text(named, style="dim"), self._step_words(child, (*line, child))]
            parts += _times(number)
            for row in alone:
                parts += [self._end_words(row), _id_words(row)]
            below = tree.add(Text("  ").join(parts))
            if not alone:
                self._draw(below, child, named, (*line, child))

    def _folded(self, branch: Branch, line: tuple[Branch, ...]) -> list[tuple[int, Branch, int]]:
        """The first of equal children, with its place and how many there are."""
        found: dict[object, tuple[int, Branch, int]] = {}
        for place, child in enumerate(branch.children, 1):
            key = self._reading(child, (*line, child))
            first, kept, number = found.get(key, (place, child, 0))
            found[key] = first, kept, number + 1
        return list(found.values())

    def _folded_ends(self, branch: Branch) -> list[tuple[Text, dict[str, Any], int]]:
        found: dict[str, tuple[Text, dict[str, Any], int]] = {}
        for row in branch.ends:
            words = self._end_words(row)
            kept, first, number = found.get(words.plain, (words, row, 0))
            found[words.plain] = kept, first, number + 1
        return list(found.values())

    def _reading(self, branch: Branch, line: tuple[Branch, ...]) -> tuple[object, ...]:
        """How a branch reads, with everything below it, but for names and ids."""
        return (
            self._step_words(branch, line).plain,
            tuple(self._end_words(row).plain for row in branch.ends),
            tuple(self._reading(child, (*line, child)) for child in branch.children),
        )

    def _step_words(self, branch: Branch, line: tuple[Branch, ...]) -> Text:
        step = branch.step or {}
        words = Text("prompted again  " if branch.prompted_by is not None else "", style="cyan")
        text = " ".join(str(step.get("text", "")).split("\n")).strip()
        words.append(visible(text), style="none")
        figures = []
        for name, form in (("score", ".3f"), ("logprob", ".2f"), ("value", ".3f"), ("visits", "d")):
            if step.get(name) is not None:
                figures.append(f"{name} {step[name]:{form}}")
        if (ranked := self._ranked(line)) is not None:
            figures.append(f"ranked {ranked:.3f}")
        words.append(f"  {', '.join(figures)}" if figures else "", style="dim")
        return words

    def _ranked(self, line: tuple[Branch, ...]) -> float | None:
        """The value by which the search ranked the prefix that ends here, if its steps have it."""
        start = max((i for i, each in enumerate(line) if each.prompted_by is not None), default=0)
        steps = [each.step or {} for each in line[start:]]
        scores = [step["score"] for step in steps if step.get("score") is not None]
        logprobs = [step.get("logprob") for step in steps]
        if self.score is None or (self.score.by != "likelihood" and len(scores) < len(steps)):
            return None
        if self.score.by == "verifier":
            return reduce_scores(scores, self.score.how)
        known = [each for each in logprobs if each is not None]
        if len(known) < len(logprobs):
            return None
        total = sum(known)
        if self.score.by == "likelihood":
            return total
        reduced = reduce_scores(scores, self.score.how)
        return join_likelihood(total, reduced, self.score.weight)

    def _end_words(self, row: dict[str, Any]) -> Text:
        """How a row ended: its verdict if it is a candidate, else why it is not one."""
        role, pick = row["role"], self.picks.get(row["trajectory_id"])
        if role and role != "refinement" and row["status"] != "error":
            return Text(
                visible(f"{role}: {row['answer']}" if row["answer"] else role), style="cyan"
            )
        if row["status"] == "pruned":
            return Text(visible(f"pruned: {row['reason']}"), style="dim")
        if row["status"] == "error":
            return Text(visible(f"error: {row['error']}"), style="yellow")
        verdict, style = _VERDICTS[row["correct"]]
        words = Text(visible(f"{verdict}: {row['answer']}"), style=style)
        if row["status"] == "truncated":
            words = Text(visible(f"truncated: {row['reason'] or 'no room'}"), style="yellow")
        if pick is not None:
            words.append(visible(f"  ← {pick}"), style="bold")
        return words


def decision_words(row: dict[str, Any]) -> Text:
    """What a search decided, and what it cost."""
    verdict, style = _VERDICTS[row["correct"]]
    spent = f"{row['generated_tokens']:,} tokens written, {row['scored_tokens']:,} verified"
    if row["status"] != "decided":
        return Text(visible(f"{row['status']}: {row['pick']} has no answer; {spent}"), style=style)
    return Text(visible(f"{row['pick']}: {row['answer']}, {verdict}; {spent}"), style=style)


def _times(number: int) -> list[Text]:
    return [Text(f"\u00d7 {number}", style="bold")] if number > 1 else []


def _id_words(row: dict[str, Any]) -> Text:
    return Text(visible(str(row["trajectory_id"])[:_ID_LETTERS]), style="dim")


def _count_below(branch: Branch) -> tuple[int, int]:
    num_steps, num_ends = 0, 0
    left = list(branch.children)
    while left:
        child = left.pop()
        num_steps, num_ends = num_steps + 1, num_ends + len(child.ends)
        left += child.children
    return num_steps, num_ends
