"""Finds what must not be trained on before anything is written, leaves it out, and counts it.

Problems are left out if they are in a test set, exactly or nearly (shared pieces of n words), or if
their prompt gives the answer away; solutions if they repeat a step, have steps that are too short,
or nearly equal another one of the same problem, grade and answer.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from schemas.dataset_export import ChecksConfig
from tasks.dataset_export.solved import Solution, SolvedProblem
from tasks.graders.extraction import extract_answer
from tasks.steps.segmentation import step_body

_WORD = re.compile(
    r"""(?<!\d)\.\d+                 # .5
    | \d+(?:\.\d+)?                  # 7, 2.50
    | \w+
    | (?<=\d)!|(?<=\))!(?=\s*[-+*/^=<>])  # a factorial; elsewhere an exclamation
    | -(?=\s*(?:[\d.({$\\]|[^\W\d_](?!\w)))   # a minus; before a longer word a hyphen or a dash
    | [^\w\s.,;:?!"'`\u2018\u2019\u201c\u201d()\[\]{}$\\-]  # other operators, no markup
    | \((?=[^()]*[-+*/^=<>][^()]*\)) # parentheses around an operation
    """,
    re.VERBOSE,
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LATEX_OPERATORS = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\leq": "≤", r"\geq": "≥"}
_OPERATORS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{MULTIPLICATION SIGN}": "*",
        "\N{MIDDLE DOT}": "*",
        "\N{DOT OPERATOR}": "*",
        "\N{DIVISION SIGN}": "/",
        "\N{DIVISION SLASH}": "/",
    }
)
_PIECE = re.compile(r"\w+|[^\w\s]")
_SHINGLE = 3


class Checker:
    """The checks of one build; `problems` and `solutions` count what was left out, by reason."""

    def __init__(
        self,
        config: ChecksConfig,
        *,
        test_questions: Iterable[str],
        build_prompt: Callable[[str], str],
    ) -> None:
        """Read the test questions once.

        Args:
            config: what to check.
            test_questions: the questions of all test sets.
            build_prompt: makes the policy's prompt from a question.
        """
        self._config = config
        self._build_prompt = build_prompt
        self._equal: set[str] = set()
        self._pieces: set[int] = set()
        for question in test_questions:
            words = _words(question)
            self._equal.add(" ".join(words))
            if config.max_overlap is not None:
                self._pieces.update(_pieces(words, config.ngram))
        self.problems: Counter[str] = Counter()
        self.solutions: Counter[str] = Counter()

    def clean(self, problem: SolvedProblem) -> SolvedProblem | None:
        """The problem with its usable solutions; None if the problem is not usable."""
        if (reason := self._problem_fault(problem)) is not None:
            self.problems[reason] += 1
            return None
        return problem._replace(solutions=self.clean_solutions(problem.solutions))

    def clean_solutions(self, solutions: Iterable[Solution]) -> list[Solution]:
        """The usable ones of one problem's solutions, in order."""
        whole = []
        for solution in solutions:
            if (reason := self._solution_fault(solution)) is not None:
                self.solutions[reason] += 1
            else:
                whole.append(solution)
        return self._drop_duplicates(whole)

    @property
    def may_leak(self) -> bool:
        """Whether texts may give the gold answer away."""
        return self._config.leakage == "off"

    @property
    def keeps_duplicates(self) -> bool:
        """Whether equal texts stay in."""
        return self._config.duplicates == "keep"

    def leaks(self, text: str, gold: str) -> bool:
        """Whether a text given with a problem marks the gold answer as the answer."""
        if self._config.leakage == "off":
            return False
        marked = extract_answer(text)
        return marked is not None and _squeeze(marked) == _squeeze(gold)

    def _problem_fault(self, problem: SolvedProblem) -> str | None:
        words = _words(problem.question)
        if " ".join(words) in self._equal:
            return "test_question"
        max_overlap = self._config.max_overlap
        if max_overlap is not None and self._pieces:
            pieces = _pieces(words, self._config.ngram)
            if sum(piece in self._pieces for piece in pieces) >= max_overlap * len(pieces):
                return "test_overlap"
        for text in (problem.question, self._build_prompt(problem.question)):
            if self.leaks(text, problem.gold):
                return "answer_leak"
        return None

    def _solution_fault(self, solution: Solution) -> str | None:
        config, steps = self._config, solution.steps
        if len(steps) < config.min_steps:
            return "few_steps"
        if min(map(len, map(step_body, steps)), default=0) < config.min_step_chars:
            return "short_steps"
        max_repeats = config.max_step_repeats
        # Equal steps are rare: counting them every time would take longer than all other checks.
        if max_repeats is None or len(set(steps)) == len(steps):
            return None
        is_repeated = max(Counter(map(step_body, steps)).values()) > max_repeats
        return "repeated_steps" if is_repeated else None

    def _drop_duplicates(self, solutions: Sequence[Solution]) -> list[Solution]:
        if len(solutions) < 2 or self._config.duplicates == "keep":
            return list(solutions)
        groups: dict[tuple[bool | None, str | None], _Distinct] = {}
        kept = []
        for solution in solutions:
            distinct = groups.setdefault(
                (solution.correct, solution.answer), _Distinct(self._config.near_duplicate)
            )
            if (reason := distinct.add(solution.text)) is not None:
                self.solutions[reason] += 1
            else:
                kept.append(solution)
        return kept


class _Distinct:
    """Texts of which no two are similar.

    Two sets with a Jaccard similarity of at least t share one of the first n - ceil(t n) + 1 of
    their n elements, in any fixed order of all elements. Only texts that do are compared.
    """

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._texts: set[str] = set()
        self._shingles: list[frozenset[int]] = []
        self._by_first: dict[int, list[int]] = {}

    def add(self, text: str) -> str | None:
        """Add a text; the reason if it is rejected."""
        pieces = _PIECE.findall(text)
        normal = " ".join(pieces)
        if normal in self._texts:
            return "equal_text"
        self._texts.add(normal)
        if self._threshold is None:
            return None
        shingles = frozenset(_pieces(pieces, _SHINGLE))
        # The minimum number of the n elements in a similar set, with room for rounding.
        num_first = len(shingles) - int(self._threshold * len(shingles) - 1e-9)
        first = sorted(shingles)[:num_first]
        near = {index for element in first for index in self._by_first.get(element, ())}
        if any(_jaccard(shingles, self._shingles[i]) >= self._threshold for i in near):
            return "near_duplicate"
        for element in first:
            self._by_first.setdefault(element, []).append(len(self._shingles))
        self._shingles.append(shingles)
        return None


def _jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    num_both = len(one & other)
    return num_both / (len(one) + len(other) - num_both)


def _words(text: str) -> list[str]:
    """The words, numbers and operators of a question, by which it is compared."""
    for name, operator in _LATEX_OPERATORS.items():
        text = text.replace(name, operator)
    text = _THOUSANDS.sub("", text.lower().translate(_OPERATORS))
    return _WORD.findall(text)


def _pieces(words: Sequence[str], size: int) -> list[int]:
    """A hash of every `size` consecutive words, or of all words if they are fewer."""
    if len(words) <= size:
        return [hash(tuple(words))]
    return list(map(hash, zip(*(words[i:] for i in range(size)), strict=False)))


def _squeeze(answer: str) -> str:
    return "".join(answer.split()).lower()
