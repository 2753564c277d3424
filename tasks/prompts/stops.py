r"""What begins a next question in a plain few-shot prompt: the texts that end a solution.

A base model that has answered goes on with another question, whose answer would be graded. The text
that the template puts before a question shows how such a question begins:

    "... Question: {question}\nAnswer:"       "\nQuestion:"
    "### Problem\n{question}\n### Solution"   "\n### Problem"
    "Example 5\nQ: {question}\nA:"            "\nExample", "\nQ:"

A label counts if it ends in a colon, is a heading, or begins more than one line of the prompt; its
number, which would differ in the next question, does not. Questions without a label are told apart
by what ends an example, if no answer contains that.
"""

import re
from collections.abc import Sequence

from schemas.prompts import Example, PlainPromptConfig

_NUMBER = re.compile(r"[\s#(\[]*\d+\s*[.:\uff1a)\]]*$")


def derive_stops(config: PlainPromptConfig, examples: Sequence[Example]) -> tuple[str, ...]:
    """The stop strings of a plain prompt: its own, or those that `auto` finds in the template."""
    if config.stop != "auto":
        return config.stop
    before = config.template.partition("{question}")[0]
    labels = [_without_number(line) for line in _first_lines(before)]
    lines = [line.strip() for line in before.splitlines()]
    found = [f"\n{label}" for label in labels if _is_label(label, lines, repeats=len(examples) > 0)]
    usable = [stop for stop in found if _is_usable(stop, config, examples)]
    if not usable and examples and _is_usable(config.example_end, config, examples):
        usable = [config.example_end]
    return tuple(dict.fromkeys(usable))


def _is_usable(stop: str, config: PlainPromptConfig, examples: Sequence[Example]) -> bool:
    """Whether no step and no answer of the prompt contains a stop string."""
    texts = [config.separator, config.opening, *(example.answer for example in examples)]
    return bool(stop) and not any(stop in text for text in texts)


def _first_lines(before: str) -> list[str]:
    """The first line of the question's paragraph, and the last line before the question."""
    paragraph = re.split(r"\n\s*\n", before.rstrip())[-1] if before.strip() else ""
    lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
    if not lines:
        return []
    on_own_line = before.rpartition("\n")[2].strip() == ""
    is_apart = on_own_line and before.rstrip(" \t").endswith("\n\n")
    return [] if is_apart else list(dict.fromkeys((lines[0], lines[-1])))


def _without_number(line: str) -> str:
    """A label without the number that distinguishes it, `Question` of `Question 5:`."""
    found = _NUMBER.search(line)
    return line[: found.start()].rstrip() if found and found.start() else line


def _is_label(label: str, lines: Sequence[str], *, repeats: bool) -> bool:
    """Whether a line begins each question, rather than being an instruction or an answer."""
    if not any(character.isalpha() for character in label):
        return False
    if label.endswith((":", "\uff1a")) or label.startswith(("#", "<", "[")):
        return True
    return repeats or sum(line.startswith(label) for line in lines) > 1
