import re

import pytest
from pydantic import ValidationError

from schemas.engines import MarkovConfig
from schemas.problems import WorldProblemsConfig
from schemas.search import ScoreConfig, SearchJob
from schemas.search.strategies import (
    SWEEP,
    BeamConfig,
    BestOfNConfig,
    DvtsConfig,
    FilterVoteConfig,
    LookaheadConfig,
    MajorityConfig,
    RebaseConfig,
    RevisionsConfig,
    Strategy,
    TreeOfThoughtsConfig,
    strategy_of,
)


def make_job(*strategies: Strategy, **fields: object) -> SearchJob:
    values = {
        "problems": WorldProblemsConfig(),
        "policy": MarkovConfig(),
        "verifier": MarkovConfig(),
        "strategies": strategies,
        **fields,
    }
    return SearchJob.model_validate(values)


@pytest.mark.parametrize(
    ("strategy", "budget", "message"),
    [
        (BeamConfig(width=8), 4, "beam: expected a width of at most N=4, got 8"),
        (BeamConfig(width=3), 16, "beam: expected N to be a multiple of the width 3, got N=16"),
        (LookaheadConfig(), 6, "lookahead: expected N to be a multiple of the width 4, got N=6"),
        (DvtsConfig(), 2, "dvts: expected a width of at most N=2, got 4"),
        (TreeOfThoughtsConfig(), 7, "tree_of_thoughts: expected N to be a multiple of the width 4"),
        (RevisionsConfig(sequential=3), 16, "revisions: expected N to be a multiple of the 3"),
        (RevisionsConfig(sequential=8), 4, "revisions: expected N to be a multiple of the 8"),
    ],
)
def test_budgets_that_cannot_be_spent_exactly_are_refused(strategy, budget, message):
    with pytest.raises(ValidationError, match=message):
        make_job(strategy, budgets=(budget,))
    with pytest.raises(ValidationError, match=message):
        make_job(BestOfNConfig(), strategy, budgets=(24, budget))


@pytest.mark.parametrize("strategy", [MajorityConfig(), BestOfNConfig(), RebaseConfig()])
def test_strategies_without_a_width_take_any_budget(strategy):
    assert make_job(strategy, budgets=(1, 7)).budgets == (1, 7)


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0},
        {"width": 2.5},
        {"breadth": 4},
    ],
)
def test_bad_settings_of_a_strategy_are_refused(fields):
    with pytest.raises(ValidationError):
        make_job({"type": "beam", **fields})  # type: ignore[arg-type]


def test_the_verifier_is_asked_for_where_it_is_needed():
    with pytest.raises(ValidationError, match="best_of_n needs it"):
        make_job(BestOfNConfig(), verifier=None, score={"by": "likelihood"})
    with pytest.raises(ValidationError, match=r"score.by is 'likelihood\+logit'"):
        make_job(BeamConfig(), verifier=None)
    assert make_job(BeamConfig(), verifier=None, score={"by": "likelihood"}).verifier is None
    votes = make_job(MajorityConfig(), FilterVoteConfig(), RevisionsConfig(), verifier=None)
    assert votes.verifier is None


@pytest.mark.parametrize(
    ("strategy", "picks"),
    [(RevisionsConfig(), True), (MajorityConfig(), False), (FilterVoteConfig(), False)],
)
def test_chains_are_picked_by_a_verifier_where_there_is_one(strategy, picks):
    job = make_job(strategy, verifier=None)
    assert (job.reads_verifier, job.picks_by_verifier) == (False, picks)


def test_every_search_is_asked_for_once():
    with pytest.raises(ValidationError, match="expected distinct strategies and budgets"):
        make_job(BeamConfig(), BeamConfig(width=4))
    with pytest.raises(ValidationError, match="expected distinct strategies and budgets"):
        make_job(BeamConfig(), budgets=(4, 4))
    assert len(make_job(BeamConfig(), BeamConfig(width=2)).strategies) == 2


@pytest.mark.parametrize("config", [FilterVoteConfig, RevisionsConfig])
def test_templates_name_what_is_put_in(config):
    with pytest.raises(ValidationError, match=r"expected \{question\} in it"):
        config(template="{solution} {attempts}")
    with pytest.raises(ValidationError, match=r"expected \{(solution|attempts)\} in it"):
        config(template="{question}")


def test_labels_name_what_differs_from_the_default():
    assert BeamConfig().label() == "beam"
    assert BeamConfig(width=2).label() == "beam[width=2]"
    assert LookaheadConfig(depth=1, temperature=1).label() == "lookahead[depth=1,temperature=1.0]"
    assert len({strategy.label() for strategy in SWEEP}) == len(SWEEP)


def test_different_templates_have_different_labels():
    one = RevisionsConfig(template="Question: {question} Before: {attempts} One:")
    other = RevisionsConfig(template="Question: {question} Before: {attempts} Two:")
    assert one.label() != other.label()
    assert one.label() == RevisionsConfig(template=one.template).label()


def test_a_job_names_the_score_of_those_who_rank_by_it():
    assert make_job(BeamConfig()).label(BeamConfig()) == "beam"
    job = make_job(BeamConfig(), score=ScoreConfig(by="verifier", reduction="last"))
    assert job.label(BeamConfig()) == "beam by verifier[last]"
    assert job.label(MajorityConfig()) == "majority"


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (ScoreConfig(), "likelihood+logit[min]"),
        (ScoreConfig(weight=0.5), "likelihood+logit[min,0.5]"),
        (ScoreConfig(by="verifier", reduction="prod"), "verifier[prod]"),
        (ScoreConfig(by="likelihood"), "likelihood"),
    ],
)
def test_scores_are_named_as_rankers_are(score, name):
    assert score.name == name


def test_the_sweep_fits_its_budgets():
    job = make_job(*SWEEP, budgets=(4, 16, 64))
    assert job.strategies == SWEEP


def test_a_text_of_several_lines_is_a_hash_in_a_label():
    label = RevisionsConfig(joiner="\nAgain:\n").label()
    assert re.fullmatch(r"revisions\[joiner=#[0-9a-f]{6}\]", label)
    assert strategy_of(label) is RevisionsConfig
