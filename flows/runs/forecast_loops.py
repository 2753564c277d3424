"""What loops with a critic, a judge or a verifier would do, by their configs."""

from flows.runs.forecast import Forecaster, prompt_tokens, row_bytes, solutions_per_file
from flows.runs.problem_counts import count_problems
from schemas.loops import LoopConfig
from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig
from schemas.loops.easy_to_hard import EasyToHardLoopConfig
from schemas.loops.score import ScoreLoopConfig
from schemas.loops.self_correction import SelfCorrectionConfig
from schemas.loops.self_rewarding import SelfRewardingLoopConfig
from schemas.self_talk import ModelVoiceConfig


def plan_critique_loop(made: Forecaster, config: CritiqueInTheLoopConfig) -> None:
    """All rounds of every arm; the control is assumed to need one further pass in each."""
    assumed, rounds, arms = made.assumed, config.rounds, len(config.arms)
    problems, length = count_problems(config.train_problems), _length(made, config)
    # In the first round the arms share their solutions, which the same policy wrote.
    passes = 1 + arms * (rounds - 1) + rounds * ("control" in config.arms)
    if (training := config.critic_training) is not None:
        passes += 1
        read = problems * min(training.per_problem, config.train_sampling.num_samples)
        if training.annotator.has_model:
            _draw(made, "critique train by the annotator", read, config.critiquing.max_tokens)
        made.train("train critic", training.training, read, 2 * length)
    solutions = made.sample("sample train", config.train_problems, config.train_sampling, passes)
    if "critique" in config.arms:
        wrong = round(solutions * (1 - assumed.p_right))
        _draw(made, "critique train", wrong, config.critiquing.max_tokens, rounds)
        tries = wrong * config.refining.num_refinements
        _draw(made, "refine train", tries, config.refining.max_tokens, rounds)
    right = max(1, round(assumed.p_right * config.train_sampling.num_samples))
    rows = min(right, config.plain.per_problem or right) * problems
    made.train("train policy", config.training, rows, length, arms * rounds)
    made.sample("sample eval", config.eval_problems, config.eval_sampling, 1 + arms * rounds)
    if config.tested_per_problem:
        read = count_problems(config.eval_problems) * config.tested_per_problem
        _draw(made, "critique eval", read, config.critiquing.max_tokens, 1 + arms)
        _draw(made, "refine eval", read, config.refining.max_tokens, 1 + arms)


def plan_self_rewarding(made: Forecaster, config: SelfRewardingLoopConfig) -> None:
    """All rounds of both arms; a judge that gets worse ends them before."""
    rewarded, arms = config.rounds - 1, 1 + config.with_control
    problems, length = count_problems(config.train_problems), _length(made, config)
    # Solutions of the first policy, which teach the first judge or are the rejected ones.
    reads_first = rewarded > 0 and config.rejected_from == "first"
    passes = config.judge_set is None or reads_first
    passes += min(1, rewarded) + arms * max(0, rewarded - 1)
    solutions = sum(solutions_per_file(config.train_problems, config.train_sampling))
    if passes:
        made.sample("sample train", config.train_problems, config.train_sampling, passes)
    if config.judge_set is None and config.annotator.has_model:
        _draw(made, "critique train by the annotator", solutions, config.judging.max_tokens)
    made.train("train judge", config.judge_training, 2 * solutions, 2 * length)
    judgements = solutions * (1 + reads_first) * config.judging.num_critiques
    if rewarded:
        _draw(made, "judge train", judgements, config.judging.max_tokens, rewarded)
        made.train("train policy", config.training, problems, 2 * length, arms * rewarded)
    measured = 1 + 1 + arms * rewarded
    made.sample("sample eval", config.eval_problems, config.eval_sampling, measured)
    tested = count_problems(config.eval_problems) * config.tested_per_problem
    judged = tested * config.judging.num_critiques
    _draw(made, "judge eval", judged, config.judging.max_tokens, 1 + config.rounds)


def plan_self_correction(made: Forecaster, config: SelfCorrectionConfig) -> None:
    """One round of every arm; half of the wrong solutions are assumed to be mended each time."""
    trained = [name for name in config.arms if name != "two_players"]
    problems, length = count_problems(config.train_problems), _length(made, config)
    solutions = made.sample("sample train", config.train_problems, config.train_sampling)
    if {"self_talk", "correction"} & set(config.arms):
        left = round(solutions * (1 - made.assumed.p_right))
        critiques, revisions = solutions, 0
        for _ in range(config.max_rounds):
            critiques, revisions, left = critiques + left, revisions + left, left // 2
        if config.critic.has_model:
            _draw(made, "critique train", critiques, config.critiquing.max_tokens)
        _draw(made, "go on with train", revisions, config.refining.max_tokens)
        if isinstance(config.voice, ModelVoiceConfig):
            _draw(made, "rewrite train", solutions, config.voice.rewriting.max_tokens)
    rows = min(solutions, problems * (config.builder.per_problem or solutions))
    made.train("train policy", config.training, rows, 2 * length, len(trained))
    made.sample("sample eval", config.eval_problems, config.eval_sampling, 1 + len(trained))
    if "two_players" in config.arms:
        read = count_problems(config.eval_problems) * config.eval_sampling.num_samples
        if config.player.has_model:
            _draw(made, "critique eval", read, config.critiquing.max_tokens)
        _draw(made, "refine eval", read, config.refining.max_tokens)


def plan_score(made: Forecaster, config: ScoreLoopConfig) -> None:
    """The refiner, the trained verifier, and what every verifier reads."""
    length = _length(made, config)
    solutions = made.sample("sample train", config.train_problems, config.train_sampling)
    wrong = round(solutions * (1 - made.assumed.p_right))
    if config.critic.has_model:
        _draw(made, "critique train", wrong, config.critiquing.max_tokens)
    _draw(made, "check critiques", wrong, config.check_max_tokens)
    made.train("train refiner", config.training, wrong, 3 * length)
    read = made.sample("sample eval", config.eval_problems, config.eval_sampling)
    _draw(made, "refine eval", read, config.refining.max_tokens)
    if "trained" in config.verifiers and config.verifier is None:
        made.train("train verifier", config.verifier_training, solutions, length)
    if "own" in config.verifiers:
        judged = read * config.own_critiques.num_critiques
        _draw(made, "review eval", judged, config.own_critiques.max_tokens)


def plan_easy_to_hard(made: Forecaster, config: EasyToHardLoopConfig) -> None:
    """The verifier of easy problems, and every arm with as many tokens."""
    length = _length(made, config)
    sampling, problems = config.train_sampling, config.train_problems
    if config.verifier is None:
        easy = made.sample("sample easy", config.easy_problems, sampling)
        made.train("train verifier", config.verifier_training, easy, length)
    solutions = made.sample("sample train", problems, sampling)
    made.score("score train", solutions_per_file(problems, sampling), length)
    budget = solutions * made.assumed.tokens_of(sampling.max_tokens)
    method = config.ppo.with_fields(max_generated_tokens=budget)
    drawing = len({"ppo", "full"} & set(config.arms))
    if drawing:
        made.train("train by rewards", method, count_problems(problems), length, drawing)
    if "dpo" in config.arms:
        made.train("train on pairs", config.dpo, solutions // 4, 2 * length)
    if "rest" in config.arms:
        made.train("train on the best", config.sft, solutions // 2, length)
    made.sample("sample eval", config.eval_problems, config.eval_sampling, 1 + len(config.arms))


def _length(made: Forecaster, config: LoopConfig) -> int:
    """Expected tokens of a question and a solution."""
    prompt = prompt_tokens(config.prompt, made.assumed)
    return prompt + made.assumed.tokens_of(config.train_sampling.max_tokens)


def _draw(made: Forecaster, stage: str, texts: int, limit: int, times: int = 1) -> None:
    """Add the drawing of so many texts with a limit in tokens."""
    tokens = texts * made.assumed.tokens_of(limit)
    made.add(
        stage,
        times,
        units=1,
        requests=texts,
        solutions=texts,
        max_tokens=texts * limit,
        tokens=tokens,
        num_bytes=row_bytes(texts, tokens),
    )
