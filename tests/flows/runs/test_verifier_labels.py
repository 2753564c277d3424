"""A verifier's reduction follows from the labels that it was trained on."""

import json
from datetime import UTC, datetime

import pytest

from flows.runs.verifier_labels import follow_labels, labels_of, mix_by_labels
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.reductions import VerifierLabels, suitable_reduction
from schemas.rows import Model, RunEvent
from schemas.search import SearchJob
from storage import connect

AT = datetime(2026, 1, 1, tzinfo=UTC)


def model(model_id: str, **metrics: object) -> Model:
    return Model(
        model_id=model_id,
        role="verifier",
        path=f"checkpoints/{model_id}",
        base=None,
        training_set="train",
        metrics=json.dumps(metrics),
        created_at=AT,
    )


def training(name: str, method: str | None, **fields: str) -> RunEvent:
    config = {"method": method, "training": {"model_name": name, **fields}}
    return RunEvent(
        flow="prm_training",
        part=name,
        state="started",
        config=json.dumps(config),
        config_hash="h",
        code_version="1",
        message=None,
        happened_at=AT,
    )


@pytest.fixture
def trained(store, unit_of):
    """Verifiers whose labels are recorded in their rows, in their trainings, or nowhere."""
    rows = {
        "a": [model("a-1", label_method="monte_carlo[n=8]", targets="soft", data="prm")],
        "b": [model("b-1"), model("b-2")],
        "c": [model("c-1")],
        "d": [model("d-1")],
    }
    for name, models in rows.items():
        store.commit(unit_of("models", name=name, stage="prm_training"), models)
    events = {
        "b": training("b", "monte_carlo[n=4]", targets="soft", data="prm"),
        "c-first": training("c", "monte_carlo[n=4]", targets="soft", data="prm"),
        "c-other": training("c", "monte_carlo[n=4]", targets="hard", data="prm"),
        "o": training("o", "outcome", targets="hard", data="orm"),
    }
    for name, event in events.items():
        store.commit(unit_of("runs", name=f"started-{name}", stage="prm_training"), [event])
    store.commit(unit_of("models", name="o", stage="prm_training"), [model("o-1")])
    return store


def test_labels_are_those_of_the_row_or_of_the_trainings_that_agree(trained):
    assert labels_of(trained, "a-1") == VerifierLabels("monte_carlo[n=8]", "soft")
    assert labels_of(trained, "b-2") == VerifierLabels("monte_carlo[n=4]", "soft")
    assert labels_of(trained, "c-1") is None
    assert labels_of(trained, "d-1") is None
    assert labels_of(trained, "o-1") == VerifierLabels("outcome", "hard")
    assert labels_of(trained, "elsewhere") is None
    assert labels_of(trained, None) is None
    keys = "select count(*), count(distinct model_id) from verifier_labels"
    assert connect(trained.url).sql(keys).fetchall() == [(6, 6)]


def test_a_verifier_is_known_by_its_own_training_among_others_of_its_name(store, unit_of):
    """A row as the training stage writes it; two trainings of a run have the default name."""
    own = {"training": {"model_name": "v", "targets": "hard", "data": "orm"}}
    row = model("v-1", label_method="monte_carlo[n=8]", config=own)
    store.commit(unit_of("models", name="v", stage="prm_training"), [row])
    for data in ("orm", "prm"):
        event = training("v", "monte_carlo[n=8]", targets="hard", data=data)
        store.commit(unit_of("runs", name=f"started-{data}", stage="prm_training"), [event])
    assert labels_of(store, "v-1") == VerifierLabels("outcome", "hard")
    assert follow_labels(store, "run", search_with("v-1")).score.reduction == "last"


@pytest.mark.parametrize(
    ("labels", "reduction"),
    [
        (VerifierLabels("monte_carlo[n=8,first_hit,bisection]"), "min"),
        (VerifierLabels("monte_carlo[n=8]", "soft"), "min"),
        (VerifierLabels("checker"), "min"),
        (VerifierLabels("outcome"), "last"),
        (VerifierLabels("prm800k"), "min"),
        (None, "min"),
    ],
)
def test_the_table_by_labels(labels, reduction):
    assert suitable_reduction(labels) == reduction


def search_with(model_id: str, **score: str) -> SearchJob:
    verifier = {"type": "vllm", "model": f"/store/checkpoints/{model_id}"}
    return SearchJob.from_partial({"verifier": verifier, "score": score})


def test_a_search_follows_its_verifier_unless_it_names_a_reduction(trained):
    assert follow_labels(trained, "run", search_with("o-1")).score.reduction == "last"
    assert follow_labels(trained, None, search_with("d-1")).score.reduction == "min"
    named = search_with("o-1", reduction="mean")
    assert follow_labels(trained, "run", named) == named
    without = SearchJob.from_partial({"score": {"by": "likelihood"}})
    assert follow_labels(trained, "run", without).score.reduction == "min"


def test_an_evaluation_mixes_by_what_its_verifier_follows_besides(trained):
    def mixed(job: EvaluationJob) -> tuple[str, ...]:
        return mix_by_labels(trained, job).evaluation.mixed_reductions

    assert mixed(EvaluationJob(verifier_name="o-1")) == ("min", "last")
    plain = EvaluationJob(verifier_name="d-1")
    assert mix_by_labels(trained, plain).config_hash() == plain.config_hash()
    named = EvaluationConfig(reductions=("prod", "min"))
    assert mixed(EvaluationJob(verifier_name="o-1", evaluation=named)) == ("prod",)
    also = EvaluationConfig(mixed_reduction="mean")
    assert mixed(EvaluationJob(verifier_name="o-1", evaluation=also)) == ("min", "mean")
