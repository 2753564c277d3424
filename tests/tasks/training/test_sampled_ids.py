"""What is trained on is what was sampled, not what its text would be encoded as."""

import pytest

from tasks.models.folders import load_tokenizer, resolve_model
from tasks.models.vocabulary import identify_vocabulary
from tasks.training.rows import NO_LOSS, RowEncoder
from tasks.verifiers.layout import lay_out

PROMPT = "Dan has 3 shells.\n"


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(resolve_model("world-policy"))


@pytest.fixture
def encode(tokenizer):
    return RowEncoder(tokenizer, has_chat_template=False)


@pytest.fixture
def vocabulary(tokenizer):
    return identify_vocabulary(tokenizer)


def test_the_loss_is_on_the_sampled_tokens(encode, tokenizer, vocabulary):
    eos = tokenizer.eos_token_id
    row = {"prompt": PROMPT, "completion": "Answer: 3", "vocabulary": vocabulary}
    prompt = tokenizer(PROMPT)["input_ids"]
    for sampled in ([40, 41, 42], [40, 41, 42, eos]):
        encoded = encode.completion_row({**row, "completion_ids": sampled})
        assert encoded["input_ids"] == [*prompt, 40, 41, 42, eos]
        assert encoded["labels"] == [NO_LOSS] * len(prompt) + [40, 41, 42, eos]
    cut = RowEncoder(tokenizer, has_chat_template=False, is_whole=False)
    assert cut.completion_ids("Answer: 3", [40, 41, eos]) == [40, 41]


def test_ids_of_another_vocabulary_are_not_used(encode, tokenizer):
    own = tokenizer("Answer: 3", add_special_tokens=False)["input_ids"]
    row = {"prompt": PROMPT, "completion": "Answer: 3", "completion_ids": [40, 41]}
    for name in (None, "of another model"):
        ids = encode.completion_row({**row, "vocabulary": name})["input_ids"]
        assert ids[-len(own) - 1 : -1] == own


def test_a_pair_continues_the_sampled_tokens_of_its_prefix(encode, tokenizer, vocabulary):
    row = {
        "prompt": PROMPT + "Tuesday: \n",
        "chosen": "Answer: 3",
        "rejected": "Answer: 4",
        "chosen_ids": [50, 51],
        "rejected_ids": [52],
        "prompt_prefix": "Tuesday: \n",
        "prompt_prefix_ids": [60, 61],
        "vocabulary": vocabulary,
    }
    encoded = encode.preference_row(row)
    prompt, eos = tokenizer(PROMPT)["input_ids"], tokenizer.eos_token_id
    assert encoded["prompt_ids"] == [*prompt, 60, 61]
    assert (encoded["chosen_ids"], encoded["rejected_ids"]) == ([50, 51, eos], [52, eos])


def test_a_start_state_is_the_sampled_tokens_of_its_prefix(encode, tokenizer, vocabulary):
    state = {"prompt": PROMPT, "prefix": "Tuesday: \n", "prefix_ids": [60, 61]}
    prompt = tokenizer(PROMPT)["input_ids"]
    assert encode.prompt_ids({**state, "vocabulary": vocabulary}) == [*prompt, 60, 61]
    text = tokenizer("Tuesday: \n", add_special_tokens=False)["input_ids"]
    assert encode.prompt_ids(state) == [*prompt, *text]


def test_a_verifier_is_trained_at_the_end_of_the_sampled_steps(encode, tokenizer, vocabulary):
    (newline,) = tokenizer("\n", add_special_tokens=False)["input_ids"]
    row = {
        "prompt": PROMPT,
        "completions": ["a", "b"],
        "completions_ids": [[50, newline], [51, 52, tokenizer.eos_token_id]],
        "vocabulary": vocabulary,
    }
    layout = lay_out(
        encode.encode,
        PROMPT,
        row["completions"],
        "\n",
        step_ids=encode.sampled(row, "completions_ids"),
    )
    prompt = tokenizer(PROMPT)["input_ids"]
    assert layout.token_ids == [*prompt, 50, newline, 51, 52, newline]
    assert layout.positions == [len(prompt) + 1, len(prompt) + 4]
