"""Stitched search traces: wrong attempts and then a right one, all in one target.

A policy trained on them searches within its own text: it writes an attempt, and another one if the
first was wrong. The loss is on the whole trace, including the wrong attempts; with `revisions` it
is only on the right one.
"""

import random
from collections.abc import Iterator

from rapidfuzz.distance import Levenshtein

from schemas.dataset_export.builders import StitchedConfig
from schemas.training_rows import CompletionRow
from schemas.units import derive_seed
from tasks.dataset_export.read import CheckedSource, take


def build(source: CheckedSource, config: StitchedConfig) -> Iterator[CompletionRow]:
    """A row per right solution of a problem that has wrong ones."""
    for problem in source.solved("graded"):
        rng = random.Random(derive_seed("stitched", source.seed, problem.problem_id))
        if not (wrong := problem.wrong):
            continue
        for solution in take(problem.right, config.per_problem):
            num_wrong = rng.randint(1, min(config.max_wrong, len(wrong)))
            attempts = rng.sample(wrong, num_wrong)
            if config.order == "nearer":
                attempts.sort(key=lambda each: -Levenshtein.distance(each.text, solution.text))
            trace = "".join(attempt.text + config.joiner for attempt in attempts)
            yield CompletionRow(
                prompt=source.build_prompt(problem),
                completion=trace + solution.text,
                source_ids=tuple(name for each in (*attempts, solution) for name in each.ids),
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=f"{num_wrong} wrong, then right",
            )
