"""Step labels of any run, by the question and the text that they are about."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.catalog import connect
from storage.queries import ask
from storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLabels:
    """The labels of one method of one solution."""

    question: str
    completer: str
    steps: Sequence[str]
    hard: Sequence[bool | None]
    """[num_steps] None for a step without a hard label."""


def stored_labels(
    store: Store, run_id: str, method: str, *, questions: Sequence[str]
) -> list[StoredLabels]:
    """The labels of a run's sampled and imported solutions of these questions, by solution."""
    connection = connect(store.url)
    try:
        rows = ask(
            connection,
            "labels_of_questions",
            run_id=run_id,
            method=method,
            questions=list(questions),
        )
    finally:
        connection.close()
    return [StoredLabels(**row) for row in rows]


def label_methods(store: Store, run_id: str) -> list[str]:
    """The methods of a run's step labels, in order; none for a run that does not exist."""
    connection = connect(store.url)
    try:
        return [row["method"] for row in ask(connection, "label_methods_of_run", run_id=run_id)]
    finally:
        connection.close()
