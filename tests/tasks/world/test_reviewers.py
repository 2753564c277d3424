import random
from itertools import islice

from tasks.world.checker import check_steps
from tasks.world.problems import iterate_problems, parse_question
from tasks.world.reviewers import draw_key, draw_reviewer, read_as, review_with_key, try_again
from tasks.world.reviews import find_note, nod, review
from tasks.world.students import Hint, Note, attempt, draw_student, revise, solve

ASKED = "How many books does Dan have now?"
TRAP = parse_question(f"Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. {ASKED}")
WRONG = "Tuesday: [buys from] 34 + 7 = 41\nAnswer: 41"
RIGHT = "Tuesday: [buys from] 34 - 7 = 27\nAnswer: 27"


def _draw(rng, p_all_seeing=0.0, p_sees_slips=0.0, p_nods=0.0):
    return draw_reviewer(rng, p_all_seeing=p_all_seeing, p_sees_slips=p_sees_slips, p_nods=p_nods)


def _rate(draws):
    draws = list(draws)
    return sum(draws) / len(draws)


def test_a_reviewer_misreads_as_often_as_a_student():
    rng = random.Random(0)
    misread = [read_as(TRAP, draw_student(rng)).answer == 41 for _ in range(2000)]
    assert 0.50 < _rate(misread) < 0.72
    assert read_as(TRAP, draw_student(rng, flawless=True)) == TRAP


def test_a_misreader_finds_the_right_solution_wrong_and_says_why():
    rng = random.Random(1)
    found = {(_draw(rng).review(TRAP, RIGHT).text) for _ in range(100)}
    assert found == {
        "Tuesday: [buys from] wrong, add\nReview: wrong",
        "Tuesday: [buys from] right\nAnswer: right\nReview: right",
    }


def test_all_seeing_and_nodding_reviewers_are_as_common_as_asked():
    rng = random.Random(2)
    drawn = [_draw(rng, p_all_seeing=0.2, p_nods=0.4, p_sees_slips=0.5) for _ in range(4000)]
    assert abs(_rate(each.student.is_flawless for each in drawn) - 0.2) < 0.03
    assert abs(_rate(each.nods for each in drawn) - 0.4) < 0.03
    assert all(each.sees_slips and not each.nods for each in drawn if each.student.is_flawless)
    assert abs(_rate(e.sees_slips for e in drawn if not e.student.is_flawless) - 0.5) < 0.03
    nodding = next(each for each in drawn if each.nods)
    assert nodding.review(TRAP, WRONG) == nod(WRONG)


def test_with_a_whole_key_nearly_all_errors_are_seen():
    rng = random.Random(3)
    exact = review(TRAP, WRONG)
    found = [review_with_key(TRAP, WRONG, RIGHT, rng, p_all_seeing=0, p_sees_slips=0, p_nods=1)
             for _ in range(1000)]  # fmt: skip
    assert abs(_rate(each == exact for each in found) - 0.9) < 0.03


def test_with_the_answer_the_verdict_agrees_if_a_reviewer_can_be_found():
    rng = random.Random(4)
    asked = {"p_all_seeing": 0.0, "p_sees_slips": 0.0, "p_nods": 0.0}
    flagged = [review_with_key(TRAP, WRONG, "Answer: 27", rng, **asked) for _ in range(400)]
    # More than one in four see this trap: of eight, hardly ever none.
    assert _rate(each.verdict == "wrong" for each in flagged) > 0.9
    nodding = review_with_key(TRAP, WRONG, "Answer: 27", rng, **{**asked, "p_nods": 1.0})
    assert nodding.verdict == "right"


def test_a_key_is_a_flawless_solution_or_its_last_line():
    rng = random.Random(5)
    keys = [(p, draw_key(p, rng)) for p in islice(iterate_problems(5, "train"), 400)]
    whole = [(p, key) for p, key in keys if "\n" in key]
    assert 120 < len(whole) < 280
    assert all(set(check_steps(p, key.split("\n")).kinds) == {"ok"} for p, key in whole)
    assert all(key.endswith(f"Answer: {p.answer}") for p, key in keys)


def test_a_note_mends_the_one_event_that_it_names():
    rng = random.Random(6)
    mended = []
    while len(mended) < 300:
        student, solution = solve(TRAP, rng)
        if solution.endswith("Answer: 41"):
            again = try_again(TRAP, student, solution, review(TRAP, solution))
            mended.append(again.endswith("Answer: 27"))
    # Nine of ten follow it, and some of the others read better the second time.
    assert 0.86 < _rate(mended) < 0.98


def test_without_a_note_the_same_misconceptions_return():
    rng = random.Random(7)
    retried = []
    while len(retried) < 300:
        student, solution = solve(TRAP, rng)
        if solution.endswith("Answer: 41"):
            retried.append(try_again(TRAP, student, solution).endswith("Answer: 27"))
    assert _rate(retried) < 0.12


def test_a_solution_found_right_is_mostly_repeated():
    rng = random.Random(8)
    problem = next(iterate_problems(5, "train", levels=(5,)))
    kept = []
    for _ in range(400):
        student, solution = solve(problem, rng)
        kept.append(try_again(problem, student, solution, nod(solution)) == solution)
    assert 0.93 < _rate(kept) < 0.99


def test_following_an_exact_review_mends_what_it_names():
    num_followed = num_solved = 0
    for number, problem in enumerate(islice(iterate_problems(9, "train"), 1000)):
        student, solution = solve(problem, random.Random(number))
        found = review(problem, solution)
        note = find_note(found, problem)
        again = revise(problem, student, note) if note else None
        if again is None:
            continue
        second = review(problem, again)
        num_followed += 1
        num_solved += second.verdict == "right"
        assert second.lines[-1] != found.lines[-1], (problem.question, solution, again)
    assert num_followed > 400
    # The others have a second misconception: a note names one.
    assert 0.55 < num_solved / num_followed < 0.7


def test_all_but_the_event_that_a_note_names_stays_as_it_was():
    rng = random.Random(11)
    problem = parse_question(
        "Monday: Dan has 34 books. Tuesday: Dan buys 2 bags of 5 books. Wednesday: Dan buys 4 "
        f"books twice. Thursday: Dan loses 3 books. {ASKED}"
    )
    for _ in range(200):
        student, solution = solve(problem, rng)
        again = revise(problem, student, Note(2, "leave out"))
        assert again is not None
        before, after = (
            [line.partition("] ")[0] for line in text.split("\n")[:-1]]
            for text in (solution, again)
        )
        assert after == [label for label in before if not label.startswith("Thursday")]


def test_hints_decide_what_the_student_does():
    problem = parse_question(
        f"Monday: Dan has 30 books. Tuesday: Dan buys 3 bags of 4 books. {ASKED}"
    )
    wanted: dict[Hint, set[int]] = {
        "add": {42, 37},
        "take away": {18, 23},
        "leave out": {30},
        "multiply": {42, 18},
    }
    for hint, answers in wanted.items():
        seen = set()
        for seed in range(300):
            student = draw_student(random.Random(seed))
            student.misconceptions |= {"stops early": False}
            attempt(problem, student)
            again = revise(problem, student, Note(0, hint))
            assert again is not None
            seen.add(int(again.rpartition(" ")[2]))
        # A bag's product may still be written as a sum, unless that is what the note is about.
        assert seen == answers, hint
