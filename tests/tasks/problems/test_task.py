from schemas.graders import MathGraderConfig
from tasks.problems.task import find_unusable_golds


def test_a_gold_answer_that_cannot_be_judged_by_is_named(make_problem):
    problems = [make_problem("fine", answer="4"), make_problem("odd", answer=r"\frac{}{")]
    notes = find_unusable_golds(problems, MathGraderConfig())
    assert len(notes) == 1
    assert notes[0].startswith("problem odd stays ungraded: ")
