"""From sampled tokens to prefixes and back, with the kinds of tokenizer that language models have.

Each tokenizer is trained here on a few sentences, and read by a small model of random weights: a
continuation from the ids of a prefix must be that of the whole solution.
"""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from schemas.engines import UNTOLD_TOKEN, Completion
from schemas.rows import Step, Trajectory, now
from tasks.models.vocabulary import identify_vocabulary
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import (
    changed_boundaries,
    completion_columns,
    known_ids,
    prefix_ids,
    split_ids,
    step_ids,
    whole_step_ids,
)
from tasks.steps.token_texts import TokenDecoder, start_of
from tasks.verifiers.layout import Encoder, lay_out, lay_out_text

PROMPT = "How many apples are left? "
SOLUTION = (
    "\nStep 1: She buys 12 apples, costing €3.\n\nStep 2: So 12 - 5 = 7.\n\n"
    "\nStep 3: She had 7 naïve 日 apples.\n\nThe answer is 7.\nStep 4: Done"
)
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
SEPARATORS = ["\n", "\n\n", "\nStep "]


def byte_level(pattern: str) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([PROMPT + SOLUTION, "Step 9.\n\n", "\n\n"] * 20, trainer)
    return tokenizer


def sentence_piece() -> Any:
    """BPE over words that carry their space; unknown characters are bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, trainers

    def normal(tokenizer: Any) -> Any:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(Regex(" "), "▁")]
        )
        return tokenizer

    learnt = normal(Tokenizer(models.BPE()))
    trainer = trainers.BpeTrainer(vocab_size=150, show_progress=False)
    ascii_text = SOLUTION.replace("€", "").replace("ï", "").replace("日", "")
    learnt.train_from_iterator([PROMPT + ascii_text] * 20, trainer)
    import json

    model = json.loads(learnt.to_str())["model"]
    pieces = ["</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *model["vocab"]]
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = normal(
        Tokenizer(
            models.BPE(
                {piece: index for index, piece in enumerate(pieces)},
                merges,
                unk_token="<unk>",
                byte_fallback=True,
                fuse_unk=True,
            )
        )
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


def word_level() -> Any:
    """A token per word, number, mark or run of white space."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    pattern = r"\w+|\s+|[^\w\s]"
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    words = [word for word, _ in split.pre_tokenize_str(PROMPT + SOLUTION + "\n\nSo\nStep \n\n\n")]
    names = ["</s>", "<unk>", *dict.fromkeys(words)]
    tokenizer = Tokenizer(
        models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


KINDS: dict[str, Callable[[], Any]] = {
    "gpt_2": lambda: byte_level(GPT_2),
    "llama_3": lambda: byte_level(LLAMA_3),
    "qwen_2": lambda: byte_level(QWEN_2),
    "sentence_piece": sentence_piece,
    "word_level": word_level,
}


@cache
def open_kind(kind: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=KINDS[kind](), eos_token="</s>")


@cache
def open_model(kind: str) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(open_kind(kind)),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
    )
    return LlamaForCausalLM(config).eval()


def logprobs_of(kind: str, before: list[int], after: list[int]) -> list[float]:
    """[len(after)] the log probability of each token after the tokens before it."""
    import torch

    ids = torch.tensor([[*before, *after]])
    with torch.no_grad():
        table = torch.log_softmax(open_model(kind)(input_ids=ids).logits[0], dim=-1)
    rows = range(len(before) - 1, len(before) + len(after) - 1)
    return [float(table[row, token]) for row, token in zip(rows, after, strict=True)]


def written(kind: str) -> tuple[Completion, str]:
    """The solution as a policy with this tokenizer wrote it, and the vocabulary."""
    tokenizer = open_kind(kind)
    decoder = TokenDecoder(tokenizer)
    ids = tokenizer(SOLUTION, add_special_tokens=False)["input_ids"]
    ids = (*ids, tokenizer.eos_token_id)
    text = decoder.decode(ids)
    completion = Completion(
        text=text,
        token_ids=ids,
        logprobs=None,
        finish_reason="stop",
        stop_string=None,
        token_texts=decoder.split(text, ids),
    )
    return completion, identify_vocabulary(tokenizer)


def row_of(completion: Completion, vocabulary: str | None, separator: str) -> Trajectory:
    return make_row(
        steps=measure_steps(completion, separator), **completion_columns(completion, vocabulary)
    )


def make_row(**fields: Any) -> Trajectory:
    return Trajectory(
        **{
            "trajectory_id": "t",
            "problem_id": "p",
            "policy": "policy",
            "strategy": "sample",
            "sample_index": 0,
            "status": "finished",
            "grader": "math",
            "temperature": 1.0,
            "top_p": 1.0,
            "seed": 0,
            "prompt_tokens": 0,
            "cached_tokens": 0,
            "generated_tokens": 0,
            "engine": "test",
            "created_at": now(),
            **fields,
        }
    )


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_continuation_from_ids_is_that_of_the_whole(kind: str, separator: str) -> None:
    completion, vocabulary = written(kind)
    row = row_of(completion, vocabulary, separator)
    assert len(row.steps) > 2
    assert row.text == completion.text
    encode = Encoder(open_kind(kind))
    prompt = list(encode(PROMPT))
    whole = logprobs_of(kind, prompt, list(completion.token_ids))
    decoder = TokenDecoder(open_kind(kind))
    for num_steps in range(1, len(row.steps)):
        ids = prefix_ids(row, num_steps, vocabulary)
        assert ids is not None
        text = "".join(step.text for step in row.steps[:num_steps])
        assert decoder.decode(ids) == text
        start = start_of(encode, PROMPT, text, prefix_ids=ids, has_chat_template=True)
        rest = list(completion.token_ids[len(ids) :])
        assert logprobs_of(kind, start.token_ids, rest) == pytest.approx(
            whole[len(ids) :], abs=1e-3
        )


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_with_what_follows_it_is_encoded_as_it_was_written(
    kind: str, separator: str
) -> None:
    """The text ends where a token did, so that no token goes beyond it."""
    completion, vocabulary = written(kind)
    row = row_of(completion, vocabulary, separator)
    encode = Encoder(open_kind(kind))
    for num_steps in range(1, len(row.steps)):
        first, following = (
            "".join(step.text for step in steps)
            for steps in (row.steps[:num_steps], row.steps[num_steps:])
        )
        if kind == "sentence_piece":  # its normalizer writes a space before the first word
            first = first.removeprefix(" ")
        start = start_of(encode, PROMPT, first, following=following, has_chat_template=True)
        num_prompt = len(encode(PROMPT))
        assert tuple(start.token_ids[num_prompt:]) == prefix_ids(row, num_steps, vocabulary)
        assert start.tail == ""


def test_boundaries_that_the_text_alone_would_change_are_counted() -> None:
    changed = {}
    for kind in KINDS:
        row = row_of(*written(kind), "\n\n")
        encode = Encoder(open_kind(kind)).afresh
        expected = 0
        for num_steps in range(1, len(row.steps)):
            alone = encode("".join(step.text for step in row.steps[:num_steps]))
            expected += tuple(alone) != prefix_ids(row, num_steps, row.vocabulary)
        changed[kind] = changed_boundaries(row, encode)
        assert changed[kind] == expected
    assert (
        changed["gpt_2"] == 2
    )  # of 3: the third step ends in three line breaks, an end of its own
    assert changed["word_level"] == 0
    assert changed_boundaries(row_of(*written("gpt_2"), "\n\n"), lambda text: None) is None
    assert changed_boundaries(make_row(steps=(Step(text="a", num_tokens=1),)), encode) is None


def test_a_token_beyond_a_text_is_left_to_the_continuation() -> None:
    tokenizer = open_kind("gpt_2")
    encode, decoder = Encoder(tokenizer), TokenDecoder(tokenizer)
    start = start_of(encode, PROMPT, "7 apples\nStep ", following="2", has_chat_template=True)
    prefix = start.token_ids[len(encode(PROMPT)) :]
    assert decoder.decode(prefix) + start.tail == "7 apples\nStep "
    assert start.tail == " "
    whole = tokenizer("7 apples\nStep 2", add_special_tokens=False)["input_ids"]
    assert whole[: len(prefix)] == prefix
    rest = whole[len(prefix) :]
    text = decoder.decode(rest)
    assert start.without_tail(text, decoder.split(text, rest)) == {
        "text": "2",
        "token_texts": ("2",),
    }
    assert start.without_tail("ping", ("ping",))["text"] == "ping"


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_verifier_reads_the_sampled_tokens(kind: str, separator: str) -> None:
    completion, vocabulary = written(kind)
    row = row_of(completion, vocabulary, separator)
    encode, texts = Encoder(open_kind(kind)), [step.text for step in row.steps]
    prompt = list(encode(PROMPT))
    layout = lay_out(encode, PROMPT, texts, separator, step_ids=step_ids(row))
    sampled = [*completion.token_ids[:-1]]
    # A token may begin before a separator and reach to the end of the text.
    end = () if separator in texts[-1] else encode(separator)
    assert layout.token_ids == [*prompt, *sampled, *end]
    ends = [len(prompt) + sum(s.num_tokens for s in row.steps[:k]) for k in range(1, len(texts))]
    assert layout.positions == [*(end - 1 for end in ends), len(layout.token_ids) - 1]
    likelihood = lay_out_text(encode, PROMPT, texts, step_ids=step_ids(row), is_whole=True)
    assert likelihood.token_ids == [*prompt, *completion.token_ids]
    assert likelihood.positions == [*(end - 1 for end in ends), len(likelihood.token_ids) - 1]
    for num in range(1, len(texts)):
        ids = step_ids(row)
        assert ids is not None
        first = lay_out(encode, PROMPT, texts[:num], separator, step_ids=ids[:num])
        assert first.token_ids == layout.token_ids[: len(first.token_ids)]
        assert first.positions == layout.positions[:num]


def test_ids_of_another_vocabulary_or_of_no_reported_token_are_not_used() -> None:
    completion, vocabulary = written("gpt_2")
    row = row_of(completion, vocabulary, "\n\n")
    assert prefix_ids(row, 1, identify_vocabulary(open_kind("llama_3"))) is None
    assert prefix_ids(row, 1, None) is None
    assert known_ids(completion, None) is None
    untold = Completion(
        text="a",
        token_ids=(UNTOLD_TOKEN,),
        logprobs=None,
        finish_reason="stop",
        stop_string=None,
        token_texts=("a",),
    )
    assert known_ids(untold, vocabulary) is None
    assert row_of(untold, vocabulary, "\n").token_ids is None


def test_steps_of_a_branch_have_the_tokens_of_its_parent_before_them() -> None:
    steps = tuple(Step(text=text, num_tokens=num) for text, num in (("a\n", 2), ("b\n", 1)))
    parent = make_row(steps=steps, token_ids=(5, 6, 7), vocabulary="v")
    branch = make_row(
        trajectory_id="b",
        parent_id="t",
        branch_step=1,
        steps=(Step(text="c", num_tokens=2),),
        token_ids=(8, 9, 0),
        vocabulary="v",
    )
    assert whole_step_ids(branch, {"t": parent}) == ((5, 6), (8, 9, 0))
    other = make_row(steps=steps, token_ids=(5, 6, 7), vocabulary="w")
    assert whole_step_ids(branch, {"t": other}) is None
    assert whole_step_ids(make_row(steps=steps), {}) is None
    with pytest.raises(ValueError, match="expected at least 4 token ids"):
        split_ids((1, 2, 3), (2, 2))


def test_a_separator_within_a_step_does_not_end_it() -> None:
    tokenizer = open_kind("gpt_2")
    encode = Encoder(tokenizer)
    ids = {
        text: tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in ("\n7", "a\nb", "7 apples\n", "7\n\n", "\n", "7\nStep 1", "7")
    }
    ended = {text: encode.is_ended(tokens, "\n") for text, tokens in ids.items()}
    assert ended == {
        "\n7": False,
        "a\nb": False,
        "7 apples\n": True,
        "7\n\n": True,
        "\n": True,
        "7\nStep 1": False,
        "7": False,
    }
    assert encode.is_ended(ids["7\nStep 1"], "\nStep ")
    layout = lay_out(encode, PROMPT, ["\n7"], "\n", step_ids=[ids["\n7"]])
    assert layout.token_ids[-len(ids["\n7"]) - 1 :] == [*ids["\n7"], *encode("\n")]


def test_a_model_may_end_its_text_with_another_token_than_its_tokenizer_says() -> None:
    tokenizer = copy.deepcopy(open_kind("gpt_2"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    (end,) = tokenizer("<|im_end|>", add_special_tokens=False)["input_ids"]
    encode = Encoder(tokenizer)
    seven = tokenizer("7", add_special_tokens=False)["input_ids"]
    step = [*seven, end]
    read = lay_out(encode, PROMPT, ["7"], "\n", step_ids=[step])
    assert read.token_ids == [*encode(PROMPT), *seven, *encode("\n")]
    likely = lay_out_text(encode, PROMPT, ["7"], step_ids=[step], is_whole=True)
    assert likely.token_ids == [*encode(PROMPT), *step]
    cut = lay_out_text(encode, PROMPT, ["7"], step_ids=[seven], is_whole=True)
    assert cut.token_ids == [*encode(PROMPT), *seven, tokenizer.eos_token_id]
