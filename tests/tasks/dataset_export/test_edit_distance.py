"""Edit distance against the table that defines it."""

import random

import pytest

from tasks.dataset_export.edit_distance import edit_distance, find_nearest


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
    assert edit_distance(one, other) == distance
    assert edit_distance(other, one) == distance


def test_it_is_the_table_for_any_two_texts_and_limits():
    rng = random.Random(1)
    for _ in range(1000):
        one, other = draw(rng, 12), draw(rng, 90)
        distance = by_table(one, other)
        assert edit_distance(one, other) == distance
        for limit in (1, 5, 40):
            assert edit_distance(one, other, limit=limit) == min(distance, limit)


def test_the_nearest_is_the_first_of_the_least_distances():
    rng = random.Random(2)
    for _ in range(500):
        text, others = draw(rng, 10), [draw(rng, 10) for _ in range(5)]
        distances = [by_table(text, other) for other in others]
        least = min(distances)
        assert find_nearest(text, others) == (distances.index(least), least)


def test_of_nothing_nothing_is_nearest():
    with pytest.raises(ValueError, match="at least one text"):
        find_nearest("a", [])
