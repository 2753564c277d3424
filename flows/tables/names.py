"""The names that results show, in their order; docs/glossary.md explains each."""

from collections.abc import Iterable
from typing import get_args

from schemas.evaluation import BinKind, Reduction
from schemas.metric_names import Name, strategy_type
from tasks.evaluation.searches.compute_optimal_figures import OPTIMAL
from tasks.search.strategies.registry import STRATEGIES

GLOSSARY = "terms: docs/glossary.md"
"""The last line of every table's caption."""
UPPER_BOUND = "pass"
"""Right wherever any candidate is right; left out of comparisons."""
RANKERS = {
    "majority": "majority vote",
    "likelihood": "best of N by likelihood",
    "best_of_n": "best of N by verifier",
    "filter": "majority of those the verifier passes",
    "gated": "best of N among popular answers",
    "weighted": "vote weighted by verifier",
    "likelihood+logit": "best of N by likelihood + verifier",
    UPPER_BOUND: "pass@N: any right (upper bound)",
}
"""Ways to choose among stored solutions, in the order of the tables, each with its description."""
LABEL_FIGURES = {
    "labelled_steps": "labelled steps",
    "unlabelled_rate": "steps without a label",
    "label_agreement": "agreement with the truth",
    "label_precision": "precision of right",
    "label_recall": "recall of right",
    "soft_auc": "AUC of soft labels",
}
AUDIT_FIGURES = {
    "audited_solutions": "audited solutions",
    "audited_steps": "audited steps",
    "audit_disagreement": "disagreement of audited steps",
    "audit_wrongly_right": "right by the cheap labels alone",
    "audit_wrongly_wrong": "wrong by the cheap labels alone",
    "audit_repaired_rate": "solutions with a repaired step",
}
CONSENSUS_FIGURES = {
    "consensus_agreement": "steps labelled alike by both",
    "consensus_kept": "solutions kept by the consensus",
}
SCORE_FIGURES = {
    "step_auc": "step AUC",
    "step_calibration_error": "calibration error",
    "step_log_loss": "log loss (nats)",
    "first_error_f1": "first-error F1",
    "first_error_f1_mean": "mean first-error F1 of the subsets",
    "first_error_accuracy": "first errors found",
    "flawless_accuracy": "flawless solutions passed",
    "first_error_threshold": "threshold of a first error",
    "erroneous_solutions": "solutions with an error",
    "flawless_solutions": "flawless solutions",
}
CRITIC_FIGURES = {
    "num_critiques": "critiques",
    "flags_wrong": "flags wrong",
    "passes_right": "passes right",
    "first_error_accuracy": "first errors found",
    "flawless_accuracy": "flawless solutions passed",
    "first_error_f1": "first-error F1",
    "unreadable_rate": "unreadable",
    "leak_rate": "leaks",
    "accuracy_before": "right before",
    "accuracy_after": "right after",
    "gain_over": "gain over",
    "wrong_to_right": "wrong → right",
    "right_to_wrong": "right → wrong",
    "copy_rate": "copies",
    "untried_rate": "untried",
    "critique_tokens": "tokens of a critique",
    "attempt_tokens": "tokens of a second attempt",
}
"""Figures of critics, in the order of the tables."""
GRADER_FIGURES = {
    "num_graded": "graded solutions",
    "undecided_rate": "without a verdict",
    "agreement": "agreement",
    "kappa": "Cohen's kappa",
    "false_positive_rate": "wrong called right",
    "false_negative_rate": "right called wrong",
    "leniency": "leniency",
    "self_preference": "self-preference",
}
"""Figures of judges and ensembles as graders, in the order of the tables."""
JUDGE_DIFFERENCES = {
    "num_compared": "compared solutions",
    "agreement_difference": "agreement",
    "false_positive_difference": "wrong called right",
    "false_negative_difference": "right called wrong",
    "undecided_difference": "without a verdict",
}
"""Figures of one judge less those of another, in the order of the table."""
POOL_FIGURES = {"right_through_wrong_step": "right answers through a wrong step"}
ROW_FIGURES = {
    "num_ended": "rows",
    "truncated_share": "cut",
    "answerless_share": "no answer",
    "ungraded_share": "ungraded",
    "one_step_share": "one step",
    "median_steps": "median steps",
    "p95_steps": "steps at 95%",
}
"""Columns of the view `row_shares`, each with its heading."""
COST_FIGURES = {"generated_tokens": "tokens written", "scored_tokens": "tokens verified"}
SEARCH_FIGURES = {
    "gain_over": "gain at its N",
    "gain_at_equal_tokens": "gain at its tokens",
    "generated_tokens": "written",
    "scored_tokens": "verified",
    "difficulty_tokens": "for difficulty",
    "unfinished_rate": "unfinished",
    "saved_rate": "saved",
}
CRITIQUE_VOTES: dict[tuple[str, str | None], str] = {
    ("accuracy", None): "refined",
    ("accuracy", "first_attempts"): "first",
    ("accuracy", "last_attempts"): "last one",
    ("accuracy", "majority"): "all attempts",
    ("plain_vote", "N"): "plain @N",
    ("plain_vote", "3N"): "plain @3N",
    ("plain_vote", "tokens"): "plain at its tokens",
    ("gain_over_plain", None): "gain over plain",
    ("generated_tokens", None): "written",
    ("prompt_tokens", None): "prompts",
}
"""Metric, and pick or arm, of each column about the votes of a search by critique."""
CRITIQUE_FIGURES: dict[tuple[str, str | None], str] = {
    ("any_right", "refined"): "any right",
    ("any_right", "first_attempts"): "any first right",
    ("plain_any_right", "N"): "plain any @N",
    ("plain_any_right", "3N"): "plain any @3N",
    ("wrong_to_right", None): "wrong → right",
    ("right_to_right", None): "right → right",
    ("flags_wrong", None): "flags wrong",
    ("passes_right", None): "passes right",
    ("no_verdict", None): "no verdict",
}
"""The same about its attempts and critiques."""
ROUND_FIGURES = {
    "grown_right_share": ("right", "{:.2f}"),
    "paths_per_solved": ("paths", "{:.2f}"),
    "set_rows": ("rows", "{:,.0f}"),
    "set_hard_share": ("hard", "{:.2f}"),
    "grown_tokens": ("tokens", "{:,.0f}"),
    "train_seconds": ("training s", "{:,.0f}"),
}
"""Figures of what a policy was made from, each with its column and format."""
CRITIQUE_ROUND_FIGURES = {
    "set_problems": ("problems", "{:,.0f}"),
    "num_critiques": ("critiques", "{:,.0f}"),
    "refined_right_share": ("refined right", "{:.2f}"),
    "critiquing_tokens": ("critiquing tokens", "{:,.0f}"),
    "mean_solution_tokens": ("length", "{:.1f}"),
}
"""The same of loops with a critic; a column is shown where one of its figures is known."""
MORE_ROUND_ACCURACIES = {
    "refined": "accuracy after a second attempt",
    "judge_auc": "AUC of a judge against the grader",
    "turns_majority": "vote over the attempts of a chain",
    "turns_any": "chains with a right attempt",
    "judge_pair_accuracy": "pairs of a problem that a judge orders as the grader",
}
"""Figures of a loop's policies that have an interval and no k, each with what it is."""
_SETTINGS = ("sum", *get_args(Reduction))
_HEADINGS = (
    "accuracy",
    "strategy",
    "pick",
    "N",
    "difficulty",
    "budget",
    "problems/s",
    "first error",
    "arm",
    "round",
    "pass@k",
    "majority@k",
    "chains",
)


def sort_strategies(strategies: Iterable[str]) -> list[str]:
    """Baselines first, then families of rankers, the upper bound last."""
    families = [name for name in RANKERS if name != UPPER_BOUND]

    def place(strategy: str) -> tuple[bool, int, int, str]:
        base, setting = strategy_type(strategy), Name.parse(strategy).setting
        family = families.index(base) if base in families else len(families)
        how = _SETTINGS.index(setting) if setting in _SETTINGS else 0
        return strategy == UPPER_BOUND, family, how, strategy

    return sorted(strategies, key=place)


def strategy_words(strategy: str) -> str:
    """The name of a strategy's row in tables."""
    return "pass (any right)" if strategy == UPPER_BOUND else strategy


def shown_names() -> list[str]:
    """Every name that a table of results can show, without settings and numbers."""
    figures = (
        LABEL_FIGURES,
        AUDIT_FIGURES,
        CONSENSUS_FIGURES,
        SCORE_FIGURES,
        CRITIC_FIGURES,
        POOL_FIGURES,
        COST_FIGURES,
        ROW_FIGURES,
    )
    words = [word for named in (*figures, SEARCH_FIGURES) for word in named.values()]
    searches = [config.model_fields["type"].default for config in STRATEGIES]
    names = [
        *RANKERS,
        *_SETTINGS,
        *searches,
        OPTIMAL,
        *words,
        *(title for named in (CRITIQUE_VOTES, CRITIQUE_FIGURES) for title in named.values()),
        "right by round",
        *(title for title, _ in (ROUND_FIGURES | CRITIQUE_ROUND_FIGURES).values()),
        *MORE_ROUND_ACCURACIES,
        *(kind.replace("_", " ") for kind in get_args(BinKind)),
        *_HEADINGS,
    ]
    return list(dict.fromkeys(names))
