"""A search's picks from its candidates agree with what the evaluation expects of all of them."""

from random import Random

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.search import ScoreConfig
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.rankers import accuracy_table
from tasks.search.picks import Candidate, pick_all

NUM_DRAWN = 7
CONFIG = EvaluationConfig(budgets=(NUM_DRAWN,), likelihood_weights=(1.0,))


def draw(index: int) -> Candidates:
    """Solutions with three answers, of which 0 is right; all numbers are distinct: no ties."""
    rng = Random(index)
    classes = tuple(rng.choice((None, 0, 0, 1, 2)) for _ in range(NUM_DRAWN))
    return Candidates(
        problem_id=f"p{index}",
        classes=classes,
        correct=tuple(label == 0 for label in classes),
        status=("finished",) * NUM_DRAWN,
        logprobs=tuple(rng.gauss(-8, 2) for _ in range(NUM_DRAWN)),
        num_tokens=(5,) * NUM_DRAWN,
        scores=tuple((rng.random(), rng.random(), rng.random()) for _ in range(NUM_DRAWN)),
        scored_tokens=(5,) * NUM_DRAWN,
    )


def picks_of(problem: Candidates) -> dict[str, bool]:
    """Whether each pick of a search with these candidates is right."""
    rows = zip(problem.classes, problem.logprobs, problem.scores, strict=True)
    candidates = [
        Candidate(trajectory_id=str(i), answer_class=label, logprob=logprob, scores=scores or ())
        for i, (label, logprob, scores) in enumerate(rows)
    ]
    score, reductions = ScoreConfig(), CONFIG.reductions
    found = pick_all(candidates, score, reductions, has_chains=False, seed=1)
    return {pick: c is not None and c.answer_class == 0 for pick, c in found.items()}


@pytest.mark.parametrize(
    ("pick", "strategy"),
    [
        ("likelihood", "likelihood[sum]"),
        ("likelihood+logit[min]", "likelihood+logit[min]"),
        *((name, name) for how in CONFIG.reductions for name in (f"best_of_n[{how}]",)),
        *((name, name) for how in CONFIG.reductions for name in (f"weighted[{how}]",)),
    ],
)
def test_one_set_of_candidates_has_one_answer(pick, strategy):
    problems = [draw(index) for index in range(60)]
    expected = accuracy_table(problems, CONFIG).of(strategy).ravel().tolist()
    assert [float(picks_of(problem)[pick]) for problem in problems] == expected
    assert 0 < sum(expected) < 60
