"""Trees and rates against a chain whose success probabilities are known."""

from collections import Counter
from dataclasses import replace
from math import sqrt

from schemas.engines import MarkovConfig
from schemas.step_labels import MonteCarloConfig
from tasks.engines.markov_engine import check_walk, p_right_answer
from tasks.step_labels.labels import label_steps
from tasks.step_labels.omega import grow_tree
from tasks.steps.trees import whole_steps

FATAL = MarkovConfig(num_steps=5, p_right=0.8, p_recover=0.0)
PLAIN = MonteCarloConfig(max_rollout_tokens=100)
OMEGA = PLAIN.with_fields(search="omega", audit_fraction=0)


def hard(labels):
    return {(label.trajectory_id, label.step_index): label.hard for label in labels}


def whole_texts(world, solutions, rows) -> dict[str, list[str]]:
    """The step texts of every solution and rollout from its beginning."""
    by_id = {row.trajectory_id: row for row in (*rows, *solutions)}
    return {row_id: [s.text for s in whole_steps(row, by_id)] for row_id, row in by_id.items()}


def test_a_tree_finds_the_first_error_of_solutions_and_of_its_own_rollouts(
    make_trajectory, make_world
):
    world = make_world(MarkovConfig(num_steps=6, p_right=0.85), 12)
    solutions = world.solutions(make_trajectory)
    config = OMEGA.with_fields(num_rollouts=24, tree={"max_searches": 12})
    rows = world.roll_out(solutions, config)
    assert rows == [
        replace(r, created_at=n.created_at)
        for r, n in zip(world.roll_out(solutions, config), rows, strict=True)
    ]
    texts = whole_texts(world, solutions, rows)
    problem_of = {row.trajectory_id: row.problem_id for row in (*rows, *solutions)}
    for row in rows:
        gold = world.problems[row.problem_id].answer
        assert row.correct == "".join(texts[row.trajectory_id]).endswith(f"Answer: {gold}")
    labels = label_steps(solutions, rows, config)
    num_of_rollouts = 0
    for (labelled_id, step_index), label in hard(labels).items():
        question = world.problems[problem_of[labelled_id]].question
        truth = check_walk(question, texts[labelled_id])[step_index]
        assert label is truth or (label is None and labelled_id.count("-"))
        num_of_rollouts += "-" not in labelled_id
    assert num_of_rollouts > 100
    by_parent = {row.parent_id for row in rows}
    assert by_parent & {row.trajectory_id for row in rows}


def test_the_estimates_of_a_tree_are_unbiased_where_steps_may_be_repaired(
    make_trajectory, make_world
):
    world = make_world(MarkovConfig(num_steps=6, p_right=0.8, p_recover=0.1), 40, num_samples=2)
    solutions = world.solutions(make_trajectory)
    config = OMEGA.with_fields(tree={"max_searches": 6})
    rows = world.roll_out(solutions, config)
    texts = whole_texts(world, solutions, rows)
    problem_of = {row.trajectory_id: row.problem_id for row in (*rows, *solutions)}
    tested = {}
    for label in label_steps(solutions, rows, config):
        if label.evidence == "rollouts" and label.num_rollouts:
            prefix = texts[label.trajectory_id][: label.step_index + 1]
            tested[problem_of[label.trajectory_id], "".join(prefix)] = (prefix, label)
    error = variance = 0.0
    for (problem_id, _), (prefix, label) in tested.items():
        is_right = check_walk(world.problems[problem_id].question, prefix)[-1]
        p = p_right_answer(len(prefix), is_right, world.config)
        assert label.num_rollouts == 8
        error += label.num_correct - 8 * p
        variance += 8 * p * (1 - p)
    assert len(tested) > 200
    assert abs(error) < 4 * sqrt(variance)


def test_a_tree_is_the_same_however_often_a_prefix_is_audited(make_trajectory, make_world):
    world = make_world(FATAL, 12)
    solutions = world.solutions(make_trajectory)
    config = OMEGA.with_fields(tree={"max_searches": 4})
    audited = config.with_fields(audit_fraction=1)
    labels = label_steps(solutions, world.roll_out(solutions, config), config)
    all_labels = label_steps(solutions, world.roll_out(solutions, audited), audited)
    assert [label for label in all_labels if label.method == config.method] == labels
    plain = [label for label in all_labels if label.method == "monte_carlo[n=8]"]
    assert len(plain) == sum(len(solution.steps) for solution in solutions)


def test_every_selection_counts_as_a_visit_and_is_made_once(make_trajectory, make_world):
    world = make_world(MarkovConfig(num_steps=8, p_right=0.9), 1)
    solutions = world.solutions(make_trajectory)
    config = OMEGA.with_fields(tree={"max_searches": 30})
    rows = world.roll_out(solutions, config)
    by_prefix = {}
    texts = whole_texts(world, solutions, rows)
    for row in rows:
        text = "".join(texts[row.parent_id][: row.branch_step])
        by_prefix.setdefault(text, []).append(row)
    growth = grow_tree(
        solutions, (solutions[0].correct,), OMEGA.with_fields(tree={"max_searches": 30})
    )
    ask = next(growth)
    while True:
        whole, num_steps = ask
        try:
            ask = growth.send(by_prefix["".join(s.text for s in whole.steps[:num_steps])])
        except StopIteration as end:
            tree = end.value
            break
    assert tree.num_searches == sum(state.visits for state in tree.states.values()) == 30
    assert len(tree.solutions) in (30, 31)
    assert sum(state.visits > 0 for state in tree.states.values()) > 5


def test_relative_progress_compares_each_step_with_the_one_before(make_trajectory, make_world):
    # Values of right states are .8^(5-i): a right step multiplies the value by 1.25.
    world = make_world(FATAL, 40, num_samples=8)
    solutions = world.solutions(make_trajectory)
    config = PLAIN.with_fields(num_rollouts=200, min_progress=0.8)
    some = [s for s in solutions if s.trajectory_id.endswith(("-0", "-1"))]
    rows = world.roll_out(some, config)
    labels = hard(label_steps(some, rows, config))
    assert len(labels) == 6 * len(some)
    truth = [v for s in some for v in world.states(s)]
    assert sum(a is b for a, b in zip(labels.values(), truth, strict=True)) >= 0.99 * len(truth)
    roots = [row for row in rows if row.branch_step == 0]
    assert Counter(row.parent_id for row in roots) == {
        s.trajectory_id: 198 for s in some if s.trajectory_id.endswith("-0")
    }


def test_hard_problems_get_more_rollouts(make_trajectory, make_world):
    rule = {"low_rate": 0.2, "high_rate": 0.6, "hard": 6, "medium": 5, "easy": 2}
    world = make_world(FATAL, 30, num_samples=4)
    solutions = world.solutions(make_trajectory)
    config = PLAIN.with_fields(num_rollouts=4, rollouts_by_rate=rule)
    rows = world.roll_out(solutions, config)
    assert all(row.branch_step for row in rows)  # four solutions estimate the rate
    labels = label_steps(solutions, rows, config)
    numbers = {(s.problem_id): set() for s in solutions}
    problem_of = {s.trajectory_id: s.problem_id for s in solutions}
    for label in labels:
        if label.evidence == "rollouts":
            numbers[problem_of[label.trajectory_id]].add(label.num_rollouts)
    expected = {0: 6, 1: 5, 2: 5, 3: 2, 4: 2}
    num_right = Counter(s.problem_id for s in solutions if s.correct)
    assert numbers == {p: {expected[num_right[p]]} for p in numbers}
    assert {label.method for label in labels} == {"monte_carlo[n=6/5/2@0.2/0.6]"}
    stopped = config.with_fields(stopping="first_hit", search="bisection")
    cheap = world.roll_out(solutions, stopped)
    assert len(cheap) < len(rows)
    assert len(label_steps(solutions, cheap, stopped)) >= len(labels)
