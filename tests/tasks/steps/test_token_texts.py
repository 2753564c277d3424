"""From token ids to text, with the kinds of tokenizer that language models have."""

from typing import Any

import pytest

from schemas.errors import ModelUnusable
from tasks.steps.token_texts import TokenDecoder, check_separator, ending_tokens
from tasks.world.tokenizer import build_tokenizer

TEXTS = [
    "12 + 30 = 42\n\nso it is 42.",
    " leading and  double spaces ",
    "naïve: 7 €\n",
    "日本 🙂 ok",
]


def byte_level() -> Any:
    """As in GPT-2, Llama 3 and Qwen: every byte is a token or part of one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS[:2] * 20, trainer)
    return tokenizer


def sentence_piece() -> Any:
    """As in Llama 2 and Mistral: words carry their space, unknown characters are bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers

    pieces = ["</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", *"abcdefghijklmnopqrstuvwxyz0123456789+=.", "▁so", "▁it", "▁is"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    merges = [("▁", "a")]
    vocabulary["▁a"] = len(vocabulary)
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(Regex(" "), "▁")]
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


def wrap(tokenizer: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


@pytest.mark.parametrize("text", TEXTS)
def test_byte_level_text_comes_back_whole(text: str) -> None:
    tokenizer = wrap(byte_level())
    decoder = TokenDecoder(tokenizer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert decoder.decode([*ids, tokenizer.eos_token_id]) == text
    pieces = decoder.split(text, [*ids, tokenizer.eos_token_id])
    assert len(pieces) == len(ids) + 1
    assert "".join(pieces) == text
    assert pieces[-1] == ""


@pytest.mark.parametrize("text", TEXTS)
def test_sentence_piece_keeps_the_space_in_front(text: str) -> None:
    tokenizer = wrap(sentence_piece())
    decoder = TokenDecoder(tokenizer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert decoder.decode(ids) == " " + text
    pieces = decoder.split(" " + text, ids)
    assert len(pieces) == len(ids)
    assert "".join(pieces) == " " + text


def test_a_character_of_several_tokens_is_in_the_last_of_them() -> None:
    for tokenizer in (wrap(byte_level()), wrap(sentence_piece())):
        decoder = TokenDecoder(tokenizer)
        ids = tokenizer("日€ 1", add_special_tokens=False)["input_ids"]
        pieces = decoder.split(decoder.decode(ids), ids)
        assert [piece for piece in pieces if piece.strip()] == ["日", "€", "1"]


def test_the_worlds_tokens_are_whole_words() -> None:
    tokenizer = build_tokenizer()
    text = "Tuesday: [buys from] 34 - 7 = 27\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    decoder = TokenDecoder(tokenizer)
    assert decoder.decode(ids) == text
    pieces = decoder.split(text, ids)
    assert pieces[:2] == ("Tuesday: ", "[buys from] ")


def test_nothing_is_nothing() -> None:
    decoder = TokenDecoder(build_tokenizer())
    assert decoder.decode([]) == ""
    assert decoder.split("", []) == ()


def test_a_separator_is_stopped_at_by_the_tokens_that_end_with_it() -> None:
    tokenizer = build_tokenizer()
    (newline,) = tokenizer("\n", add_special_tokens=False)["input_ids"]
    vocabulary = tokenizer.get_vocab()
    headings = {token for token in vocabulary if token.endswith("\n")} - {"\n"}
    assert headings == {"Again:\n", "Attempt:\n", "Key:\n", "Review:\n"}
    expected = {newline, *(vocabulary[token] for token in headings)}
    assert ending_tokens(tokenizer, "\n") == expected


@pytest.mark.parametrize("stop", ["\n\n", "é", ""])
def test_text_is_searched_for_a_stop_string_that_tokens_may_hide(stop: str) -> None:
    assert ending_tokens(wrap(byte_level()), stop) is None


def test_every_token_that_ends_in_the_separator_is_stopped_at_unless_one_holds_it_inside() -> None:
    tokenizer = wrap(byte_level())
    ending = ending_tokens(tokenizer, "2")
    assert ending is not None
    texts = [tokenizer.decode([token_id]) for token_id in range(len(tokenizer))]
    assert ending == {i for i, text in enumerate(texts) if text.endswith("2")}
    tokenizer.add_tokens(["1 2 3"])
    assert ending_tokens(tokenizer, "2") is None


def test_a_tokenizer_that_loses_line_breaks_is_refused() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"<unk>": 0, "5": 1, "</s>": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(
        ModelUnusable, match=r"policy words: expected a tokenizer that gives a text"
    ):
        check_separator(wrap(words), "\n\n", "words")
    for tokenizer in (wrap(byte_level()), wrap(sentence_piece()), build_tokenizer()):
        check_separator(tokenizer, "\n", "usual")
