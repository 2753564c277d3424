"""Deep searches: the work grows with the number of steps, and shortcuts change nothing."""

import asyncio
import itertools
import math
import random
import sys

import pytest

from benchmarks.deep_search import search_deep
from schemas.rows import Step
from schemas.units import derive_seed
from tasks.search.ranking import totals_of
from tasks.search.seeds import PathSeeds
from tasks.search.tree import Node
from tasks.verifiers.reductions import NO_SCORES, reduce_scores


def count_operations(num_steps):
    """Bytecode instructions of the search itself; of engines and asyncio none."""
    num = 0

    def trace(frame, event, argument):
        nonlocal num
        name = frame.f_code.co_filename
        if "/tasks/search/" not in name and "/tasks/verifiers/" not in name:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        num += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        rows = asyncio.run(search_deep(num_steps))
    finally:
        sys.settrace(None)
    return num, rows


def test_the_work_of_a_search_grows_with_its_steps_and_not_with_their_square():
    count_operations(4)
    (short, _), (middle, _), (long, rows) = (count_operations(n) for n in (15, 30, 60))
    assert sum(len(row.steps) for row in rows) == 60 * 4
    assert (long - middle) / (middle - short) == pytest.approx(2.0, rel=0.02)


def chain(num, *, seed=0):
    """A prefix of `num` steps, all scored, with an end of text that has no step."""
    rng = random.Random(seed)
    node = Node(prompt="q", path=(-1, 7))
    for _ in range(num):
        index = rng.randrange(3)
        step = Step(text="s", num_tokens=1)
        node = Node(prompt="q", parent=node, step=step, path=(*node.path, index))
        node.score = rng.choice([0.0, 1.0, 5e-324, rng.random(), rng.random() ** 40])
    return Node(prompt="q", parent=node, path=(*node.path, 0))


def test_the_seed_of_a_node_is_that_of_its_whole_path():
    seeds, end = PathSeeds(5), chain(30)
    for node in (end.root, *end.lineage()[::7], end):
        for last in (0, 12):
            assert seeds.derive(node, last) == derive_seed(5, *node.path, last)


def test_totals_of_a_prefix_are_reductions_of_all_its_scores_to_the_last_bit():
    for seed in range(20):
        end = chain(25, seed=seed)
        for node in end.lineage():
            totals = totals_of(node)
            assert totals is not None
            for how in ("min", "prod", "mean", "last"):
                assert totals.reduce(how) == reduce_scores(node.scores(), how)
    tenths = list(itertools.accumulate([0.1] * 10, lambda t, s: t.with_score(s), initial=NO_SCORES))
    assert tenths[-1].reduce("mean") == math.fsum([0.1] * 10) / 10 == 0.1


def test_a_prefix_with_an_unread_step_has_no_totals_until_it_is_read():
    end = chain(3)
    unread = end.lineage()[1]
    unread.score, score = None, unread.score
    assert totals_of(end) is None
    unread.score = score
    totals = totals_of(end)
    assert totals is not None
    assert totals.num_scores == 3
