import asyncio

import pytest

from schemas.engines import GenerationRequest, VLLMConfig
from schemas.errors import ModelUnusable
from tasks.models.folders import load_tokenizer, resolve_model
from tasks.training.rows import NO_LOSS, RowEncoder, load_rows
from tasks.training.sets import read_set
from tasks.training.start_states import problem_of


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(resolve_model("world-policy"))


@pytest.fixture
def load(tokenizer, tmp_path):
    def run(folder, max_length=128):
        training_set = read_set(folder)
        encode = RowEncoder(tokenizer, has_chat_template=False, is_whole=training_set.is_whole)
        encoders = {
            "prompt_completion": encode.completion_row,
            "preference": encode.preference_row,
            "prompt_only": encode.start_state,
        }
        return load_rows(
            training_set,
            encoders[training_set.form],
            kept=("prompt", "prefix", "answer", "stage")
            if training_set.form == "prompt_only"
            else (),
            max_length=max_length,
            cache_dir=tmp_path / "cache",
        )

    return run


def test_a_row_is_special_tokens_prompt_completion_and_one_end_of_text(
    load, make_set, right_rows, tokenizer
):
    rows, num_too_long = load(make_set(right_rows))
    row, text = rows[0], right_rows[0]
    prompt = tokenizer(text["prompt"])["input_ids"]
    completion = tokenizer(text["completion"], add_special_tokens=False)["input_ids"]
    assert row["input_ids"] == [*prompt, *completion, tokenizer.eos_token_id]
    assert prompt[0] == tokenizer.bos_token_id
    assert row["labels"] == [NO_LOSS] * len(prompt) + [*completion, tokenizer.eos_token_id]
    assert row["length"] == len(row["input_ids"])
    assert num_too_long == 0
    # A text that already has its end does not get a second one.
    ended = text["completion"] + tokenizer.eos_token
    encode = RowEncoder(tokenizer, has_chat_template=False)
    assert encode.completion_row({**text, "completion": ended})["input_ids"] == row["input_ids"]


def test_a_finished_chat_template_gets_no_special_tokens_and_a_cut_text_no_end(tokenizer):
    row = {"prompt": "<s>Dan has 3 shells.\n", "completion": "Answer: 3"}
    encoded = RowEncoder(tokenizer, has_chat_template=True, is_whole=False).completion_row(row)
    assert encoded["input_ids"].count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in encoded["input_ids"]


def test_preferences_and_start_states_share_the_prompts_ids(load, make_set, pairs, start_states):
    rows, _ = load(make_set(pairs, "pairs"))
    assert rows[0]["chosen_ids"] != rows[0]["rejected_ids"]
    assert rows[0]["chosen_ids"][-1] == rows[0]["rejected_ids"][-1] == 2
    of_steps, _ = load(make_set(pairs, "steps", ends_with_text=False))
    for name in ("chosen_ids", "rejected_ids"):
        assert [[*ids, 2] for ids in of_steps[name]] == rows[name][:]
    states, _ = load(make_set(start_states, "states"))
    assert states[0]["length"] == len(rows[0]["prompt_ids"])
    assert states[1]["length"] > len(rows[1]["prompt_ids"])
    assert states[1]["prefix"].startswith("Tuesday")
    assert [state["stage"] for state in states] == [2, 1] * 4


def test_rows_that_are_too_long_are_dropped_and_counted(load, make_set, right_rows):
    right_rows[3]["completion"] *= 20
    rows, num_too_long = load(make_set(right_rows))
    assert (len(rows), num_too_long) == (7, 1)
    with pytest.raises(ValueError, match="rows of at most 5 tokens, all 8 are longer"):
        load(make_set(right_rows, "again"), max_length=5)


def test_fractions_in_the_place_of_truth_values_stay_fractions(make_set, stepwise_row, tmp_path):
    folder = make_set([stepwise_row(["1", "2"], [True, False], soft=[0.75, 0.25])])
    rows, _ = load_rows(
        read_set(folder),
        lambda row: {"labels": row["soft"], "length": 2},
        max_length=8,
        cache_dir=tmp_path / "cache",
    )
    assert rows["labels"][0] == [0.75, 0.25]


def test_a_row_that_cannot_be_used_is_named(load, make_set, right_rows, pairs, start_states):
    right_rows[2]["completion"] = ""
    with pytest.raises(ValueError, match=r"row 2 .*\(made from t2\): .*visible text"):
        load(make_set(right_rows, "empty"))
    right_rows[2]["completion"] = "Answer: ки"
    with pytest.raises(ModelUnusable, match=r"row 2 .*no tokens for 'Answer: ки'"):
        load(make_set(right_rows, "foreign"))
    pairs[1]["rejected"] = pairs[1]["chosen"]
    with pytest.raises(ValueError, match=r"row 1 .*\(made from t1, u1\): .*to differ"):
        load(make_set(pairs, "equal"))
    for rows in (pairs, start_states):
        weighted = [{**rows[0], "weight": 0.5}]
        with pytest.raises(ValueError, match=r"row 0 .*expected weight 1, .* got 0\.5"):
            load(make_set(weighted, f"weighted-{len(rows[0])}"))


def test_a_sampled_token_for_unknown_text_is_learned_as_it_was_written(tokenizer):
    encode = RowEncoder(tokenizer, has_chat_template=False)
    unknown, eos = tokenizer.unk_token_id, tokenizer.eos_token_id
    assert encode.completion_ids("?", [7, unknown, eos]) == [7, unknown]
    with pytest.raises(ModelUnusable, match="no tokens for 'ки'"):
        encode.completion_ids("ки")


def test_ids_are_those_that_the_engine_reads_and_writes(tokenizer, start_states):
    """Greedy continuations of a real engine, encoded as rows, are its own ids again."""
    from tasks.engines.vllm_engine import open_vllm_engine

    encode = RowEncoder(tokenizer, has_chat_template=False)

    async def draw():
        engine = await open_vllm_engine(
            VLLMConfig(model="world-policy", max_model_len=128), "policy", separator="\n"
        )
        try:
            return await asyncio.gather(
                *(
                    engine.generate(
                        GenerationRequest(
                            prompt=state["prompt"],
                            prefix=state["prefix"],
                            temperature=0.0,
                            max_tokens=60,
                        )
                    )
                    for state in start_states
                )
            )
        finally:
            await engine.close()

    for state, generation in zip(start_states, asyncio.run(draw()), strict=True):
        completion = generation.completions[0]
        assert completion.finish_reason == "stop"
        assert generation.prompt_tokens == len(encode.prompt_ids(state))
        assert tuple(encode.completion_ids(completion.text)) == completion.token_ids


def test_what_start_states_are_graded_by_reaches_the_grader(
    make_set, start_states, tokenizer, tmp_path
):
    from tasks.training.methods.grpo import GrpoTrainer

    tests = '{"tests": ["assert f(1) == 2"]}'
    training_set = read_set(make_set([{**state, "check": tests} for state in start_states]))
    rows, _ = load_rows(
        training_set,
        RowEncoder(tokenizer, has_chat_template=False).start_state,
        kept=GrpoTrainer.kept_columns,
        max_length=128,
        cache_dir=tmp_path / "cache",
    )
    problem = problem_of(rows[0])
    assert (problem.check, problem.answer) == (tests, start_states[0]["answer"])
    assert problem.problem_id == start_states[0]["problem_id"]
