import json
from pathlib import Path

import pytest

from schemas.errors import ModelUnusable
from schemas.policy_training import DpoConfig, GrpoConfig, SftConfig
from schemas.prompts import ChatPromptConfig, PlainPromptConfig
from schemas.steps import StepsConfig
from schemas.tools import ToolsConfig
from schemas.training.methods import METHODS, PrmTrainingConfig
from tasks.models.folders import (
    identify_model,
    load_tokenizer,
    resolve_model,
    tokenizer_fingerprint,
)
from tasks.training.sets import (
    check_form,
    check_outputs,
    check_prompt,
    check_tokenizer,
    find_set,
    read_set,
)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(resolve_model("world-policy"))


def test_a_set_is_found_by_name_in_the_store_and_by_its_folder(store, make_set, right_rows):
    folder = make_set(right_rows, policy="writer-1")
    target = store.root / "datasets" / "mine"
    target.parent.mkdir()
    folder.rename(target)
    found = find_set(store, "mine")
    assert (found.name, found.form, found.policy) == ("mine", "prompt_completion", "writer-1")
    assert (found.num_rows, found.count_problems(), found.is_whole) == (8, 8, True)
    assert find_set(store, str(target)) == found
    with pytest.raises(ValueError, match=r"training_set 'other': expected a set of .*datasets"):
        find_set(store, "other")


def test_what_is_no_training_set_is_refused(tmp_path, make_set, right_rows):
    with pytest.raises(ValueError, match=r"expected a set\.json, got none"):
        read_set(tmp_path)
    folder = make_set(right_rows)
    for facts, message in (
        ("{", "expected JSON with a form"),
        ({"kind": "rest"}, "expected JSON with a form"),
        ({"form": "poem"}, "expected form to be prompt_completion or .*, got 'poem'"),
        ({"form": "stepwise"}, "expected a column completions in a stepwise set"),
        ({"form": "preference"}, "expected a column chosen in a preference set"),
    ):
        text = facts if isinstance(facts, str) else json.dumps(facts)
        (folder / "set.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_set(folder)
    (folder / "set.json").write_text(json.dumps({"form": "prompt_completion"}))
    (folder / "train-00000.parquet").unlink()
    with pytest.raises(ValueError, match=r"expected files train-\*\.parquet"):
        read_set(folder)


def test_each_method_takes_its_form_alone(make_set, right_rows, pairs, start_states, toy_rows):
    methods = {"prompt_completion": SftConfig(), "preference": DpoConfig()}
    methods |= {"prompt_only": GrpoConfig(), "stepwise": PrmTrainingConfig(base_model="b")}
    assert {method.form for method in METHODS.values()} == set(methods)
    rows = (right_rows, pairs, start_states, toy_rows(2))
    sets = [read_set(make_set(each, f"s{i}")) for i, each in enumerate(rows)]
    for training_set in sets:
        for form, method in methods.items():
            if form == training_set.form:
                check_form(training_set, method)
            else:
                with pytest.raises(ValueError, match=f"expects the form {form}, got"):
                    check_form(training_set, method)


def test_a_policy_with_another_tokenizer_than_the_sets_is_refused(
    store, make_set, right_rows, tokenizer, tmp_path
):
    own = make_set(right_rows, "own", policy=identify_model("world-policy"))
    check_tokenizer(read_set(own), tokenizer, "world-policy", store)
    other = load_tokenizer(resolve_model("world-policy"))
    other.add_tokens(["[hops]"])
    assert tokenizer_fingerprint(other) != tokenizer_fingerprint(tokenizer)
    with pytest.raises(ModelUnusable, match="policy mine: expected the tokenizer of world-policy"):
        check_tokenizer(read_set(own), other, "mine", store)
    told = make_set(right_rows, "told", tokenizer=tokenizer_fingerprint(other), policy="far-away")
    check_tokenizer(read_set(told), other, "mine", store)
    with pytest.raises(ModelUnusable, match="expected the tokenizer of far-away"):
        check_tokenizer(read_set(told), tokenizer, "world-policy", store)
    # The writer's folder in the store names the tokenizer where its set does not.
    writer = make_set(right_rows, "stored", policy="writer-1")
    folder = Path(store.root / "checkpoints" / "writer-1")
    other.save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelUnusable, match="expected the tokenizer of writer-1"):
        check_tokenizer(read_set(writer), tokenizer, "world-policy", store)


def test_a_set_that_was_made_with_another_prompt_is_refused(make_set, right_rows):
    training_set = read_set(make_set(right_rows, has_chat_template=False, separator="\n"))
    check_prompt(training_set, PlainPromptConfig())
    with pytest.raises(ValueError, match=r"prompt\.type: expected plain, .* got chat"):
        check_prompt(training_set, ChatPromptConfig())
    with pytest.raises(ValueError, match=r"prompt\.separator: expected '\\n'"):
        check_prompt(training_set, PlainPromptConfig(separator="\n\n"))


def test_a_set_whose_solutions_ran_programs_is_not_learned_as_mere_text(make_set, right_rows):
    made = PlainPromptConfig(tools=ToolsConfig(max_calls=2))
    config = {"prompt": made.model_dump(mode="json")}
    training_set = read_set(make_set(right_rows, config=config))
    check_outputs(training_set, made)
    check_outputs(training_set, PlainPromptConfig(tools=ToolsConfig()))
    with pytest.raises(ValueError, match=r"prompt\.tools: expected some, .* got none"):
        check_outputs(training_set, PlainPromptConfig())
    check_outputs(read_set(make_set(right_rows, "older")), PlainPromptConfig())


def test_a_set_that_was_cut_by_another_rule_is_refused(make_set, right_rows):
    plain = read_set(make_set(right_rows, has_chat_template=False, separator="\n"))
    long_steps = PlainPromptConfig(steps=StepsConfig(min_chars=80))
    with pytest.raises(ValueError, match=r"prompt\.steps: expected .*separator alone.*min_chars"):
        check_prompt(plain, long_steps)


def test_a_set_says_by_which_rule_it_was_cut(make_set, right_rows):
    rule = {"min_chars": 80, "thought_end": "</think>"}
    cut = read_set(make_set(right_rows, separator="\n", step_rule=rule))
    long_steps = PlainPromptConfig(steps=StepsConfig(min_chars=80))
    check_prompt(cut, long_steps.with_fields(thinking={}))
    for prompt in (PlainPromptConfig(), long_steps):
        with pytest.raises(ValueError, match=r'expected the step rule \{"min_chars": 80, "thought'):
            check_prompt(cut, prompt)
