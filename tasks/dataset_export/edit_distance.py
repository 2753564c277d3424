"""Character edit distance, and the nearest of several texts by it.

Bit-parallel (Myers 1999, in Hyyro's form): a column of the table is one integer, so a text of a
thousand characters takes a thousand steps, not a million.
"""

from collections.abc import Sequence


def edit_distance(one: str, other: str, *, limit: int | None = None) -> int:
    """Insertions, deletions and replacements that make one text the other.

    Args:
        one: a text.
        other: another.
        limit: give up at this distance and return it, where the true one is not smaller.
    """
    one, other = _without_common_ends(one, other)
    if limit is not None and abs(len(one) - len(other)) >= limit:
        return limit
    if not one or not other:
        return len(one) + len(other)
    places: dict[str, int] = {}
    for index, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << index
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    rises, falls, distance = full, 0, len(one)
    left = len(other)
    for character in other:
        equal = places.get(character, 0)
        diagonal = equal | falls
        across = ((equal & rises) + rises ^ rises) | equal
        up, down = falls | ~(across | rises) & full, rises & across
        if up & last:
            distance += 1
        elif down & last:
            distance -= 1
        left -= 1
        if limit is not None and distance - left >= limit:
            return limit
        up, down = (up << 1 | 1) & full, down << 1 & full
        rises, falls = down | ~(diagonal | up) & full, up & diagonal
    return distance


def find_nearest(text: str, others: Sequence[str]) -> tuple[int, int]:
    """The index of the nearest of some texts, the first of equally near ones, and its distance.

    Raises:
        ValueError: there is none.
    """
    if not others:
        raise ValueError("expected at least one text to find the nearest of, got none")
    # Texts of like length first: they are near more often, and a small distance ends the others.
    order = sorted(range(len(others)), key=lambda i: (abs(len(others[i]) - len(text)), i))
    nearest, least = -1, len(text) + max(map(len, others)) + 1
    for index in order:
        # One more than the least so far, so that an equally near one that comes first is seen.
        distance = edit_distance(text, others[index], limit=least + 1)
        if (distance, index) < (least, nearest) or nearest < 0:
            nearest, least = index, distance
    return nearest, least


def _without_common_ends(one: str, other: str) -> tuple[str, str]:
    shorter = min(len(one), len(other))
    start = 0
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]
