"""`prefect.yaml` agrees with the flows: entrypoints, parameters, schedules."""

import copy
import functools
import re
from pathlib import Path

import pytest
import yaml
from prefect.exceptions import ParameterTypeError
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flows.registry import FLOWS

PLAN = yaml.safe_load((Path(__file__).parents[1] / "prefect.yaml").read_text())
DEPLOYMENTS = {deployment["name"]: deployment for deployment in PLAN["deployments"]}
ON_A_RUN = (
    "critiques", "dataset_export", "error_paths", "evaluation", "regrading", "scoring",
    "step_labels", "token_rewards",
)  # fmt: skip
"""Flows that work on a run's rows whatever their config."""
VERIFIER = {"type": "vllm", "model": "prm"}
GIVEN = {
    "imports": {"path": "solved.jsonl"},
    "policy_training": {"training_set": "rest-1"},
    "scoring": {"verifier": VERIFIER},
    "token_rewards": {"reward": {"type": "attention", "verifier": {"model": "prm"}}},
    "search": {"verifier": VERIFIER},
}
"""What only whoever asks for a run knows: deployments leave it out, so that it must be given."""
by_name = pytest.mark.parametrize("name", DEPLOYMENTS)


def load(name):
    return load_flow_from_entrypoint(DEPLOYMENTS[name]["entrypoint"], use_placeholder_flow=False)


def parameters_of(name, **changes):
    run = {"run_id": "first"} if name in ON_A_RUN else {}
    parameters = {**DEPLOYMENTS[name]["parameters"], "root": "store", **run}
    if name in GIVEN:
        parameters["job"] = {**parameters["job"], **GIVEN[name]}
    return {**parameters, **changes}


@functools.cache
def schema_of(name):
    return parameter_schema(load(name)).model_dump()


def answer_of_server(name, parameters):
    """What Prefect's server checks, and its answer."""
    validate(parameters, copy.deepcopy(schema_of(name)), raise_on_error=True)


def test_every_flow_is_deployed_under_its_name_and_nothing_else():
    deployed = {name: tuple(d["entrypoint"].split(":")) for name, d in DEPLOYMENTS.items()}
    assert deployed == {name: (flow.module, flow.function) for name, flow in FLOWS.items()}
    assert len(PLAN["deployments"]) == len(DEPLOYMENTS)


@by_name
def test_an_entrypoint_is_a_module_path_to_a_flow_of_that_name(name):
    assert "/" not in DEPLOYMENTS[name]["entrypoint"]
    assert load(name).name == name
    assert DEPLOYMENTS[name]["work_pool"] == {"name": "stepmill"}
    assert DEPLOYMENTS[name]["tags"] == [FLOWS[name].kind]


@pytest.mark.parametrize("name", ON_A_RUN)
def test_a_flow_that_works_on_a_run_is_not_accepted_without_one(name):
    parameters = parameters_of(name)
    del parameters["run_id"]
    with pytest.raises(ValidationError, match="'run_id' is a required property"):
        answer_of_server(name, parameters)
    config = parameters.get("config") or parameters["job"]
    assert FLOWS[name].config.from_partial(config).stored_sets() is not None


@pytest.mark.parametrize(
    ("name", "refused", "said"),
    [
        ("policy_training", "when it is created", "'training_set' is a required property"),
        ("scoring", "when it is created", "'verifier' is a required property"),
        ("token_rewards", "when it is created", "'verifier' is a required property"),
        ("imports", "when it starts", r"expected a file \(path\) or a data set \(dataset\)"),
        ("search", "when it starts", "verifier: expected one, as score.by is"),
    ],
)
def test_what_a_deployment_cannot_know_must_be_given(name, refused, said):
    """No run waits for a worker, or for minutes of work, to fail on a placeholder."""
    parameters = parameters_of(name, job=DEPLOYMENTS[name]["parameters"]["job"])
    if refused == "when it is created":
        with pytest.raises(ValidationError, match=said):
            answer_of_server(name, parameters)
    said = re.sub(r"'(\w+)' is a required property", r"\1: Field required", said)
    with pytest.raises(ParameterTypeError, match=said):
        load(name).validate_parameters(parameters)


def test_no_deployment_holds_a_placeholder():
    def texts(value):
        if isinstance(value, dict | list):
            each = value.values() if isinstance(value, dict) else value
            return [text for inner in each for text in texts(inner)]
        return [value] if isinstance(value, str) else []

    for name, deployment in DEPLOYMENTS.items():
        found = {**deployment["parameters"], "root": None}
        assert not [text for text in texts(found) if text.split(".")[0].isupper()], name


@by_name
def test_a_deployment_runs_as_it_is_and_its_store_is_decided_when_it_is_deployed(name):
    assert DEPLOYMENTS[name]["parameters"]["root"] == "{{ $STEPMILL_ROOT }}"
    found = load(name).validate_parameters(parameters_of(name))
    config = found.get("config") or found["job"]
    assert isinstance(config, FLOWS[name].config)
    answer_of_server(name, parameters_of(name))


@by_name
def test_a_whole_config_as_a_deployment_stores_it_is_accepted(name):
    found = load(name).validate_parameters(parameters_of(name))
    key = "config" if "config" in found else "job"
    whole = found[key].model_dump(mode="json")
    answer_of_server(name, parameters_of(name, **{key: whole}))
    again = load(name).validate_parameters(parameters_of(name, **{key: whole}))
    assert again[key] == found[key]


def test_factory_runs_every_night_and_nothing_else_by_itself():
    schedules = {name: d["schedules"] for name, d in DEPLOYMENTS.items() if "schedules" in d}
    assert list(schedules) == ["factory"]
    (nightly,) = schedules["factory"]
    assert nightly["cron"].split()[2:] == ["*", "*", "*"]


@pytest.mark.parametrize(
    ("name", "parameter", "values", "field", "answer"),
    [
        (
            "factory",
            "config",
            {"eval_sampling": {"num_samples": 0}},
            "config.eval_sampling.num_samples: Input should be greater than or equal to 1",
            "'config.eval_sampling.num_samples'. Failure reason: 0 is less than the minimum of 1",
        ),
        (
            "factory",
            "config",
            {"eval_sampling": {"num_sample": 4}},
            "config.eval_sampling.num_sample: Extra inputs are not permitted",
            "'config.eval_sampling'. Failure reason: Additional properties .*'num_sample'",
        ),
        (
            "factory",
            "config",
            {"policy": {"max_num_seqs": 0}},
            "config.policy.vllm.max_num_seqs: Input should be greater",
            "'config.policy.max_num_seqs'. Failure reason: 0 is less",
        ),
        (
            "factory",
            "config",
            {"train_problems": {"type": "hub"}},
            "config.train_problems.hub.dataset: Field required",
            "'config.train_problems'. Failure reason: 'dataset' is a required property",
        ),
        (
            "factory",
            "config",
            {"labels": {"type": "oracle"}},
            "config.labels: Input tag 'oracle' found",
            "'config.labels.type'. Failure reason: 'oracle' is not one of",
        ),
        (
            "sampling",
            "job",
            {"problems": {"type": "world"}, "policy": {"model": "m"}},
            "job.policy: Unable to extract tag",
            "'job.policy'. Failure reason: 'type' is a required property",
        ),
        (
            "evaluation",
            "job",
            {"policy": {"type": "markov"}, "evaluation": {"budgets": [1, 0]}},
            "job.evaluation.budgets.1: Input should be greater",
            r"'job.evaluation.budgets\[1\]'. Failure reason: 0 is less",
        ),
    ],
)
def test_a_wrong_value_is_answered_with_its_field(name, parameter, values, field, answer):
    parameters = parameters_of(name, **{parameter: values})
    with pytest.raises(ParameterTypeError, match=field):
        load(name).validate_parameters(parameters)
    with pytest.raises(ValidationError, match=answer):
        answer_of_server(name, parameters)


@pytest.mark.parametrize(
    "values",
    [
        {"eval_sampling": {"num_samples": 4}},
        {"prm_training": {"max_steps": 6}, "labels": {"num_rollouts": 4}},
        {"policy": {"max_num_seqs": 8}, "grader": {}},
        {"policy": {"type": "planted"}, "grader": {"type": "planted"}},
    ],
)
def test_a_deployment_reads_a_part_of_a_config_as_the_command_line_does(values):
    answer_of_server("factory", parameters_of("factory", config=values))
    found = load("factory").validate_parameters(parameters_of("factory", config=values))
    assert found["config"] == FLOWS["factory"].config.from_partial(values)


def test_a_part_of_a_nested_config_keeps_the_defaults_of_its_field():
    config = load("factory").validate_parameters(
        parameters_of("factory", config={"eval_sampling": {"num_samples": 4}})
    )["config"]
    assert config.eval_sampling.num_samples == 4
    assert config.eval_sampling.max_tokens == 128
