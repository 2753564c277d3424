"""How a stage's rows ended, in a sentence and in Prefect's UI, and what to change where it is bad.

Figures from `storage.shares`. A share above `MANY` is followed by advice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flows.pages.artifacts import publish_table, to_key
from flows.runs.progress import say
from schemas.rows import Metric
from storage.shares import CritiqueShares, LabelShares, RowShares
from tasks.critics.reading import fault_kind

MANY = 0.2
"""A share of rows above this is followed by what to change."""

_CUT = "raise max_tokens, or name a stop string that ends a solution"
_BLANK = "ask for a marked answer in the prompt, or name the policy's own mark in grader.marks"
_UNJUDGED = "their answers could not be judged: check the gold answers and the grader"
_ONE_STEP = "set prompt.separator to the text that ends a step here, or rules in prompt.steps"
_FAULTY = "`select fault, count(*) from critiques group by fault` says why: see format and critic"
_CUT_CRITIQUE = "raise critiquing.max_tokens"
_LEAKY = "they give the gold answer away: tell the critic less, or leave them out of training"
_UNLABELLED = "raise the rollouts' max_rollout_tokens or num_rollouts, so that more can be graded"


def say_rows(title: str, rows: RowShares, *, text: str = "solutions", limit: str = "") -> None:
    """Say and show the shares of a stage's texts; nothing without any.

    Args:
        title: what the stage's progress is called.
        rows: the counts.
        text: what one row is.
        limit: the field that limits the length of a text; empty for `max_tokens`.
    """
    if not rows.num_rows:
        return
    counts = {
        "cut": rows.num_truncated,
        "without an answer": rows.num_answerless,
        "ungraded": rows.num_ungraded,
    }
    found = {name: rows.share(number) for name, number in counts.items()}
    has_steps = bool(rows.steps)
    if has_steps:
        found["of one step"] = rows.one_step_share
    words = ", ".join(f"{share_words(share)} {name}" for name, share in found.items())
    if has_steps:
        words += f"; steps: median {rows.steps_at(0.5)}, 95% at most {rows.steps_at(0.95)}"
    if rows.num_errors:
        words += f"; {rows.num_errors:,} failed"
    say(f"{title}: of {rows.num_ended:,} {text}: {words}")
    if rows.num_changed:
        say(
            f"{title}: at {rows.num_changed:,} of {rows.num_boundaries:,} ends of steps the text "
            "alone would be other tokens; prefixes are continued from the sampled ones"
        )
    cut = _CUT.replace("max_tokens", limit or "max_tokens")
    _advise(
        title,
        [
            (rows.share(rows.num_truncated), f"of the {text} were cut", cut),
            (rows.share(rows.num_blank), f"of the {text} end without an answer", _BLANK),
            (rows.share(rows.num_unjudged), f"of the {text} are ungraded", _UNJUDGED),
            (rows.one_step_share, f"of the {text} are a single step", _ONE_STEP),
        ],
    )
    table = [{"rows": name, "share": share_words(share)} for name, share in found.items()]
    publish_table(to_key("rows", title), table, f"{rows.num_ended:,} {text}: {words}")


def say_labels(title: str, labels: LabelShares) -> None:
    """Say the share of steps without a label."""
    if not labels.num_steps:
        return
    share = labels.unlabelled_share
    say(f"{title}: of {labels.num_steps:,} steps: {share_words(share)} unlabelled")
    _advise(title, [(share, "of the steps have no label", _UNLABELLED)])


def say_critiques(title: str, critiques: CritiqueShares) -> None:
    """Say and show the shares of a stage's critiques; nothing without any."""
    if not critiques.num_rows:
        return
    faults = Counter[str]()
    for fault, number in critiques.faults.items():
        faults[fault_kind(fault)] += number
    found = {
        "unreadable": critiques.num_unreadable,
        "cut": critiques.num_truncated,
        "leak the answer": critiques.num_leaks,
    }
    shares = {name: critiques.share(number) for name, number in found.items()}
    words = ", ".join(f"{share_words(share)} {name}" for name, share in shares.items())
    if critiques.num_errors:
        words += f"; {critiques.num_errors:,} failed"
    say(f"{title}: of {critiques.num_rows:,} critiques: {words}")
    if faults:
        kinds = ", ".join(f"{fault} ({number:,})" for fault, number in faults.most_common())
        say(f"{title}: unreadable: {kinds}")
    _advise(
        title,
        [
            (shares["unreadable"], "of the critiques are unreadable", _FAULTY),
            (shares["cut"], "of the critiques were cut", _CUT_CRITIQUE),
            (shares["leak the answer"], "of the critiques leak the answer", _LEAKY),
        ],
    )
    table = [{"critiques": name, "share": share_words(share)} for name, share in shares.items()]
    table += [{"critiques": name, "share": f"{number:,}"} for name, number in faults.most_common()]
    publish_table(to_key("critiques", title), table, f"{critiques.num_rows:,} critiques: {words}")


def say_measured(title: str, metrics: Sequence[Metric]) -> None:
    """Say the shares among the figures of an evaluation; older ones may lack some."""
    found = {
        row.metric: row.value for row in metrics if row.strategy == "pool" and row.bin == "all"
    }
    names = {
        "truncated_rate": "cut",
        "answerless_rate": "without an answer",
        "excluded_rate": "failed or ungraded",
        "one_step_rate": "of one step",
    }
    words = [
        f"{share_words(found[name])} {named}" for name, named in names.items() if name in found
    ]
    if not words:
        return
    say(f"{title}: of the solutions: {', '.join(words)}")
    _advise(
        title,
        [
            (found.get("truncated_rate", 0.0), "of the solutions were cut", _CUT),
            (found.get("excluded_rate", 0.0), "of the solutions are left out", _UNJUDGED),
        ],
    )


def say_look(title: str, figures: Mapping[str, float], warnings: Sequence[str]) -> None:
    """Say and show what a look at a training set found before training starts."""
    names = {
        "one_step_share": "of one step",
        "unlabelled_step_share": "of the steps unlabelled",
        "too_long_share": "too long",
    }
    shares = [
        f"{share_words(figures[key])} {name}" for key, name in names.items() if key in figures
    ]
    say(f"{title}: of the rows: {', '.join(shares)}")
    for warning in warnings:
        say(f"{title}: warning: {warning}")
    rows = [{"warning": warning} for warning in warnings] or [{"warning": "none"}]
    publish_table(to_key("look", title), rows, ", ".join(shares))


def say_set(title: str, counts: Mapping[str, Any]) -> None:
    """Say the shares among a training set's counts; sets of older versions lack them."""
    ends = counts.get("solutions")
    if ends and ends["ended"]:
        names = {"cut": "cut", "answerless": "without an answer", "ungraded": "ungraded"}
        words = [f"{share_words(ends[key] / ends['ended'])} {name}" for key, name in names.items()]
        say(f"{title}: made from {ends['ended']:,} solutions: {', '.join(words)}")
        _advise(title, [(ends["cut"] / ends["ended"], "of the solutions were cut", _CUT)])
    if "one_step" in counts:
        steps = counts.get("steps_by_label", {})
        unlabelled = steps.get("unlabelled", 0) / max(sum(steps.values()), 1)
        one_step = counts["one_step"] / max(counts["rows"], 1)
        say(
            f"{title}: of {counts['rows']:,} rows {share_words(one_step)} are of one step; "
            f"{share_words(unlabelled)} of the steps are unlabelled"
        )
        _advise(
            title,
            [
                (one_step, "of the rows are a single step", _ONE_STEP),
                (unlabelled, "of the steps have no label", _UNLABELLED),
            ],
        )


def share_words(share: float) -> str:
    """A share in percent; a decimal where it is small."""
    percent = 100 * share
    return f"{percent:.1f}%" if 0 < percent < 10 else f"{percent:.0f}%"


def _advise(title: str, found: Sequence[tuple[float, str, str]]) -> None:
    for share, fact, advice in found:
        if share > MANY:
            say(f"{title}: {share_words(share)} {fact}: {advice}")
