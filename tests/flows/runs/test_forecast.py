"""What a dry run prints: against hand-computed figures, and against the units of the flows."""

from dataclasses import replace

import pytest

from flows.runs.forecast import Assumptions, Forecaster, StageForecast, prompt_tokens
from flows.runs.forecast_flows import forecast
from flows.runs.problem_counts import count_problems
from flows.runs.search_units import search_plan, tree_units
from flows.sampling import sampling_units, solutions_group
from flows.step_labels import rollout_units
from flows.tables.forecast import forecast_table, total_of
from schemas.dataset_export.builders import RestConfig
from schemas.engines import MarkovConfig, VLLMConfig
from schemas.experiments.critics import CriticsConfig
from schemas.experiments.preferences import PreferencesConfig
from schemas.experiments.stitched import StitchedExperimentConfig
from schemas.experiments.verification import VerificationExperimentConfig
from schemas.factory import FactoryConfig
from schemas.loops import RestEmLoopConfig, RestLoopConfig, ReverseCurriculumLoopConfig
from schemas.loops.critique_in_the_loop import CriticTrainingConfig, CritiqueInTheLoopConfig
from schemas.loops.easy_to_hard import EasyToHardLoopConfig
from schemas.loops.self_rewarding import SelfRewardingLoopConfig
from schemas.policy_training import PpoConfig
from schemas.problems import (
    FileProblemsConfig,
    HubProblemsConfig,
    NamedProblemsConfig,
    ProblemsJob,
    WorldProblemsConfig,
    math500,
)
from schemas.prompts import ChatPromptConfig, PlainPromptConfig
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.scoring import ScoringJob
from schemas.search import SearchJob, SearchLimits
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import BeamConfig, BestOfNConfig, LookaheadConfig, MajorityConfig
from schemas.step_labels import MonteCarloConfig, OutcomeConfig, StepLabelsJob
from schemas.units import Stage, Unit

MARKOV = MarkovConfig()
WORLD = WorldProblemsConfig(num_problems=10)


def stages_of(config, **assumed):
    return {each.stage: each for each in forecast(config, Assumptions(**assumed))}


def test_sampling_is_counted_by_hand():
    job = SamplingJob(
        problems=WORLD,
        policy=MARKOV,
        sampling=SamplingConfig(num_samples=4, max_tokens=100, trajectories_per_unit=12),
    )
    (stage,) = forecast(job)
    # Three problems a unit; half of the limit a solution; bytes of files, rows and tokens.
    assert stage == StageForecast(
        stage="sample eval",
        units=4,
        requests=10,
        solutions=40,
        max_tokens=4000,
        tokens=2000,
        num_bytes=4 * 12_000 + 40 * 100 + 2000 * 3,
    )


@pytest.mark.parametrize(
    ("limit", "tokens"), [(1, 1), (100, 50), (800, 400), (1024, 400), (2048, 512), (32768, 8192)]
)
def test_a_solution_is_expected_to_be_shorter_than_its_limit(limit, tokens):
    assert Assumptions().tokens_of(limit) == tokens
    assert Assumptions(solution_tokens=300).tokens_of(limit) == min(300, limit)


@pytest.mark.parametrize("num_problems", [1, 3, 4, 10, 29])
def test_units_are_those_of_the_flows(store, unit_of, make_problem, make_trajectory, num_problems):
    problems = WorldProblemsConfig(num_problems=num_problems)
    sampling = SamplingConfig(num_samples=4, trajectories_per_unit=13)
    job = SamplingJob(problems=problems, policy=MARKOV, sampling=sampling)
    unit = Unit(run_id="r", stage=Stage.PROBLEMS, name="eval", table=PROBLEMS.name)
    store.commit(unit, [make_problem(f"p{n}") for n in range(num_problems)])
    units = sampling_units(job, solutions_group(job), "r", unit.path, num_problems)
    assert forecast(job)[0].units == len(units)
    for each in units:
        assert each.rows is not None
        start, stop = each.rows
        rows = [make_trajectory(f"{n}-{i}") for n in range(start, stop) for i in range(4)]
        store.commit(each, rows)
    labels = StepLabelsJob(set_name="eval", policy=MARKOV, trajectories_per_unit=5)
    made = Forecaster()
    files = [store.num_rows(each.path) for each in units]
    made.label(files, 5, MonteCarloConfig(), length=10)
    assert made.stages[0].units == len(rollout_units(labels, store, "r"))
    search = SearchJob(
        problems=problems,
        policy=MARKOV,
        verifier=MARKOV,
        strategies=(BeamConfig(), BestOfNConfig()),
        budgets=(4, 8),
        candidates_per_unit=17,
    )
    trees = tree_units(search_plan(search, "r"), "r", unit.path, store)
    assert total_of(forecast(search)).units == len(trees)
    assert total_of(forecast(search)).solutions == 2 * num_problems * (4 + 8)


def test_labels_are_counted_by_hand():
    def labelled(labels, **assumed):
        made = Forecaster(Assumptions(**assumed))
        made.label([20, 20], 15, labels, length=60)
        return made.stages[0]

    plain = labelled(MonteCarloConfig(num_rollouts=8, max_rollout_tokens=100), steps=5)
    # Two units a file; four prefixes of a solution of five steps; the answer labels the last.
    assert (plain.units, plain.requests, plain.solutions) == (4, 40 * 4, 40 * 4 * 8)
    assert (plain.tokens, plain.max_tokens) == (40 * 4 * 8 * 30, 40 * 4 * 8 * 100)
    hit = labelled(MonteCarloConfig(num_rollouts=8, stopping="first_hit"), steps=5)
    assert hit.solutions == 40 * 4 * (2 + 8) // 2  # half can be completed, after two tries
    halved = MonteCarloConfig(num_rollouts=8, search="bisection", audit_fraction=0.25)
    assert labelled(halved, steps=9).solutions == 40 * 8 * (4 + 1)  # and a quarter of the others
    assert labelled(OutcomeConfig()).solutions == 0


def test_a_search_by_steps_is_limited_by_steps_and_a_sample_by_its_length():
    job = SearchJob(
        problems=WORLD,
        policy=MARKOV,
        verifier=MARKOV,
        strategies=(BestOfNConfig(), BeamConfig(), LookaheadConfig(depth=2), MajorityConfig()),
        budgets=(8,),
        limits=SearchLimits(max_tokens=100, max_step_tokens=20, max_steps=10),
    )
    found = {each.stage: each for each in forecast(job)}
    best, beam, ahead, vote = found.values()
    prompt = prompt_tokens(job.prompt, Assumptions())
    assert (best.requests, best.max_tokens, best.tokens) == (10, 80 * 100, 80 * 50)
    assert best.scored_tokens == 80 * (50 + prompt)
    assert (beam.max_tokens, beam.tokens) == (80 * 10 * 20, 80 * 50)
    assert beam.scored_tokens == 10 * prompt + 80 * 50
    assert (ahead.max_tokens, ahead.tokens) == (3 * beam.max_tokens, 3 * beam.tokens)
    assert vote.scored_tokens == 0


def test_a_search_by_critique_is_charged_for_first_attempts_and_critiques():
    """8 second attempts in chains of two: four first attempts, and eight critiques."""
    job = SearchJob(
        problems=WORLD,
        policy=MARKOV,
        strategies=(
            CritiqueConfig(rounds=2, max_critique_tokens=60),
            CritiqueConfig(with_critique=False),
        ),
        budgets=(8,),
        limits=SearchLimits(max_tokens=100),
    )
    with_critic, control = forecast(job)
    assert (with_critic.solutions, with_critic.tokens) == (10 * 12, 10 * (12 * 50 + 8 * 30))
    assert with_critic.max_tokens == 10 * (12 * 100 + 8 * 60)
    assert (control.solutions, control.tokens) == (10 * 16, 10 * 16 * 50)


def test_the_line_has_its_five_stages():
    found = stages_of(FactoryConfig())
    assert list(found) == [
        "sample train",
        "step labels",
        "train verifier",
        "sample eval",
        "score eval",
    ]
    assert found["sample train"].solutions == 2700
    assert found["sample eval"].solutions == found["score eval"].requests == 200 * 64
    config = FactoryConfig()
    assert found["train verifier"].trained_tokens == 3000 * config.prm_training.batch_size * (
        prompt_tokens(config.prompt, Assumptions()) + 64
    )


def test_rounds_of_a_loop_are_counted_with_its_control():
    with_control = RestEmLoopConfig(rounds=3)
    found = stages_of(with_control)
    per_round = 900 * 8
    # In the first round both arms have the same solutions; each arm is measured in each round.
    assert found["sample train"].solutions == per_round * (3 + 2)
    assert found["sample eval"].solutions == 200 * 16 * (1 + 3 + 3)
    alone = stages_of(with_control.with_fields(with_control=False))
    assert alone["sample train"].solutions == per_round * 3
    assert alone["sample eval"].solutions == 200 * 16 * (1 + 3)
    twice = RestLoopConfig(
        rounds=1,
        improve_steps=2,
        builder=RestConfig(by="score"),
        verifier=VLLMConfig(model="v"),
        with_control=False,
    )
    assert stages_of(twice)["sample eval"].solutions == 200 * 16 * (1 + 2)
    half = with_control.with_fields(with_control=False, rounds=1)
    rows = stages_of(half)["train policy"].trained_tokens
    assert stages_of(half, p_right=0.25)["train policy"].trained_tokens == rows // 2


def test_a_critic_in_the_loop_reads_the_wrong_half_of_each_round():
    config = CritiqueInTheLoopConfig(rounds=2, critic_training=CriticTrainingConfig())
    found = stages_of(config)
    per_round = 900 * 8
    # Round 0; the shared first round; three arms in the second; a further pass of the control each.
    assert found["sample train"].solutions == per_round * (1 + 1 + 3 + 2)
    assert found["critique train"].solutions == 2 * per_round // 2
    assert found["refine train"].solutions == 4 * found["critique train"].solutions
    assert found["sample eval"].solutions == 200 * 16 * (1 + 3 * 2)
    assert found["critique eval"].solutions == found["refine eval"].solutions == 200 * 4 * (1 + 3)
    alone = stages_of(CritiqueInTheLoopConfig(rounds=2, arms=("vanilla",), tested_per_problem=0))
    assert alone["sample train"].solutions == per_round * 2
    assert set(alone) == {"sample train", "train policy", "sample eval"}


def test_a_judge_reads_every_solution_three_times_and_is_measured_each_round():
    found = stages_of(SelfRewardingLoopConfig(rounds=3))
    per_round = 900 * 4
    assert found["sample train"].solutions == per_round * (1 + 1 + 2)
    assert found["judge train"].solutions == 2 * 3 * per_round
    assert found["judge eval"].solutions == 4 * 3 * 200 * 4
    assert found["sample eval"].solutions == 200 * 16 * (1 + 1 + 2 * 2)
    # The first policy's solutions, as the rejected ones, are read by every judge as well.
    given = SelfRewardingLoopConfig(rounds=3, rejected_from="first")
    both = stages_of(given)
    assert both["sample train"].solutions == found["sample train"].solutions
    assert both["judge train"].solutions == 2 * found["judge train"].solutions
    built = stages_of(given.with_fields(judge_set="judge-a801478a9d"))
    assert built["sample train"].solutions == found["sample train"].solutions


def test_a_curriculum_generates_no_more_tokens_than_its_arms_may():
    config = ReverseCurriculumLoopConfig()
    found = stages_of(config)["train policy"]
    limit = config.training.max_generated_tokens or 0
    assert found.max_tokens == 3 * limit
    assert 0.9 * 3 * limit < found.tokens <= 3 * limit
    assert found.solutions == found.tokens // 64
    unbound = config.training.with_fields(max_generated_tokens=None, max_steps=None)
    unlimited = stages_of(config.with_fields(arms=("mixed",), training=unbound))["train policy"]
    assert unlimited.solutions == 900 * 1 * 5 * 8  # a solution a problem, in five stages, by 8
    steps = stages_of(
        config.with_fields(arms=("mixed",), training=unbound.with_fields(max_steps=2000))
    )
    assert steps["train policy"].solutions == 2000 * 64  # steps replace passes


def test_a_draw_of_ppo_serves_several_steps():
    ppo = PpoConfig(batch_size=16, minibatches=4, ppo_epochs=2, max_new_tokens=128, max_steps=21)
    config = ReverseCurriculumLoopConfig(arms=("mixed",), training=ppo)
    found = stages_of(config)["train policy"]
    assert found.solutions == 3 * 64  # 21 steps are two whole draws of 8, and a part of one
    assert found.trained_tokens == 2 * found.tokens


def test_the_arms_of_easy_to_hard_generate_as_many_tokens_as_were_sampled():
    found = stages_of(EasyToHardLoopConfig())
    sampled = found["sample train"].tokens
    assert found["train by rewards"].tokens == 2 * sampled
    assert found["score train"].requests == 900 * 8
    assert found["sample eval"].solutions == 200 * 16 * 5
    given = EasyToHardLoopConfig(verifier=VLLMConfig(model="v"), arms=("rest",))
    assert {"sample easy", "train verifier", "train by rewards"}.isdisjoint(stages_of(given))


def test_problems_are_counted_without_loading_them(tmp_path, shared_data):
    assert count_problems(NamedProblemsConfig(name="gsm8k")) == 1319
    assert count_problems(NamedProblemsConfig(name="math", split="train", limit=99)) == 99
    assert count_problems(math500()) == 500
    assert count_problems(HubProblemsConfig(dataset="a/b", limit=7)) == 7
    path = tmp_path / "sums.jsonl"
    path.write_text('{"question": "1?", "answer": "1"}\n' * 5)
    assert count_problems(FileProblemsConfig(path=path)) == 5
    assert count_problems(NamedProblemsConfig(name="gsm8k", path=path, limit=3)) == 3
    assert count_problems(NamedProblemsConfig(name="gsm8k", path=tmp_path / "absent")) == 1319
    with pytest.raises(
        ValueError, match="rows of a/b is not known without loading it: set `limit`"
    ):
        count_problems(HubProblemsConfig(dataset="a/b"))
    with pytest.raises(ValueError, match="there is none"):
        count_problems(FileProblemsConfig(path=tmp_path / "absent.jsonl"))


def test_a_study_of_planted_subsequences_is_counted_by_hand():
    config = VerificationExperimentConfig.from_partial(
        {
            "horizon": 6,
            "horizons": [],
            "holds": [{"hold": "gamma", "spreads": [0.25]}],
            "binary_holds": [],
            "nums": [10],
            "num_seeds": 1,
            "num_drawn": 1000,
            "num_questions": 4,
            "traces_per_question": 2,
            "best_of": 3,
            "base": {"num_steps": 5, "batch_traces": 7},
            "imitation": {"rates": [0.1, 0.2], "max_epochs": 3, "num_dev_questions": 2},
            "verifier": {"max_epochs": 4, "held_out_share": 0.2},
            "reinforce": {"num_steps": 2, "batch_questions": 3, "group_size": 5},
        }
    )
    trained, drawn, points = forecast(config)
    # Two mixtures, a seed; texts of 12 tokens.
    assert (trained.units, trained.trained_tokens) == (2, 2 * 5 * 7 * 12)
    assert (drawn.units, drawn.tokens) == (2, 2 * (1000 + 12 + 8) * 6)
    # Each has a point with n = 10 and one with the truth; RL draws 30, a policy is measured by 8.
    assert points.units == 4
    assert points.tokens == 2 * 6 * ((30 + 3 * 8 + 7 * 2) + (30 + 8))
    assert points.scored_tokens == 2 * 12 * (30 + 12 + 8)
    assert points.trained_tokens == 2 * 12 * ((6 * 10 + 4 * 8 + 30) + 30)


def test_stitched_traces_are_planned_for_every_size_of_data():
    config = StitchedExperimentConfig.from_partial({"nums": [10, 20]})
    stages = forecast(config)
    names = [stage.stage for stage in stages]
    for num in (10, 20):
        assert {f"sample {num}", f"train stitched on {num}", f"train verifier on {num}"} <= {*names}
    # Two searches at three budgets, for each size.
    searches = [stage for stage in stages if "majority" in stage.stage]
    assert sum(stage.solutions for stage in searches) == 2 * 200 * (1 + 4 + 16)


def test_a_flow_on_the_rows_of_an_earlier_run_is_refused():
    with pytest.raises(ValueError, match="ScoringJob: expected a config whose work follows"):
        forecast(ScoringJob(policy=MARKOV, verifier=MARKOV))
    assert forecast(ProblemsJob(problems=WORLD))[0].units == 1


def test_prompts_count_with_their_text():
    assumed = Assumptions(question_tokens=50)
    assert prompt_tokens(PlainPromptConfig(template="{question}" + "x" * 290), assumed) == 150
    assert prompt_tokens(ChatPromptConfig(system="x" * 90), assumed) == 50 + 100 // 3


def test_hours_are_generated_tokens_by_the_rate():
    stages = [
        StageForecast(stage="a", tokens=3_600_000, max_tokens=36_000_000),
        StageForecast(stage="b", trained_tokens=5),
    ]
    table = forecast_table(stages, Assumptions(), 1000)
    hours = [list(column.cells) for column in table.columns if column.header in ("hours",)]
    assert hours == [["1.00", "", "1.00"]]
    assert len(forecast_table(stages, Assumptions(), None).columns) == len(table.columns) - 2
    assert total_of(stages) == replace(stages[0], stage="all", trained_tokens=5)


def test_an_experiment_is_the_sum_of_its_parts_but_for_those_that_are_there():
    config = PreferencesConfig()
    alone, mixed = forecast(config.alone), forecast(config.mixed)
    whole = forecast(config)
    assert total_of(whole) == total_of([*alone, *mixed])
    assert [each.stage for each in whole] == [
        *(f"alone: {each.stage}" for each in alone),
        *(f"mixed: {each.stage}" for each in mixed),
    ]
    given = config.with_fields(parts={"alone": "earlier"})
    assert total_of(forecast(given)) == total_of(mixed)


def test_work_on_the_rows_of_an_earlier_part_is_named_without_counts():
    stages = {each.stage: each for each in forecast(CriticsConfig())}
    assert stages["critiqued: CritiquesJob of earlier rows"].tokens == 0
    assert stages["train: sample train"].solutions == 900 * 8
