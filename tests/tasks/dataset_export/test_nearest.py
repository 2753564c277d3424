"""The nearest text, against the table that defines edit distance."""

import random

import pytest

from tasks.dataset_export.nearest import find_nearest


def by_table(one, other):
    above = list(range(len(other) + 1))
    for row, a in enumerate(one, 1):
        line = [row]
        for column, b in enumerate(other, 1):
            line.append(min(above[column] + 1, line[-1] + 1, above[column - 1] + (a != b)))
        above = line
    return above[-1]


def draw(rng, longest):
    return "".join(rng.choice("abä") for _ in range(rng.randrange(longest)))


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("kitten", "sitting", 3), ("", "", 0), ("", "abc", 3), ("34 - 7", "34 + 7", 1), ("ä", "a", 1)],
)
def test_known_distances(one, other, distance):
    assert find_nearest(one, [other]) == (0, distance)
    assert find_nearest(other, [one]) == (0, distance)


def test_the_distance_is_that_of_the_table_for_any_two_texts():
    rng = random.Random(1)
    for _ in range(1000):
        one, other = draw(rng, 12), draw(rng, 90)
        assert find_nearest(one, [other]) == (0, by_table(one, other))


def test_the_nearest_is_the_first_of_the_least_distances():
    rng = random.Random(2)
    num_ties = 0
    for _ in range(500):
        text, others = draw(rng, 10), [draw(rng, 10) for _ in range(5)]
        distances = [by_table(text, other) for other in others]
        least = min(distances)
        num_ties += distances.count(least) > 1
        assert find_nearest(text, others) == (distances.index(least), least)
    assert num_ties > 50


def test_equal_texts_and_equally_near_ones_keep_their_order():
    assert find_nearest("abc", ["abd", "abc", "abc"]) == (1, 0)
    assert find_nearest("abc", ["xbc", "axc", "abx", ""]) == (0, 1)
    assert find_nearest("a" * 300, ["a" * 299 + "b", "b" + "a" * 299]) == (0, 1)


def test_of_nothing_nothing_is_nearest():
    with pytest.raises(ValueError, match="at least one text"):
        find_nearest("a", [])
