"""Rows of a set as token ids: exactly those that an engine reads and writes.

Tokens that were sampled are trained on as they are, if the set has them in the vocabulary of the
model in training; other texts are encoded. A prompt gets the tokenizer's special tokens, unless it
is a finished chat template; a prefix and a completion get none, and one end-of-text token follows a
completion. A row that is too long is dropped and counted: if cut, it would train the policy to
break off, or lose its last labels.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import ModelUnusable, NothingToLearn
from tasks.steps.outputs import output_spans
from tasks.steps.sampled import align
from tasks.steps.token_texts import TokenDecoder, start_of
from tasks.training.sets import TrainingSet
from tasks.verifiers.layout import Encoder

NO_LOSS = -100
"""The label of a token that carries no loss."""
_SET_PREFIX = "of the set: "


def load_rows(
    training_set: TrainingSet,
    encode: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    *,
    kept: Collection[str] = (),
    max_length: int,
    cache_dir: Path,
) -> tuple[Any, int]:
    """The set's rows as a `datasets.Dataset` of token ids, and how many were dropped as too long.

    Args:
        training_set: the set to read.
        encode: from a row of the set to the columns that a method trains on, including its
            `length` in tokens.
        kept: columns of the set to keep.
        max_length: longest row in tokens.
        cache_dir: for files of the `datasets` library, which are memory-mapped.

    Raises:
        ValueError: a row cannot be used (the message names it), or none is short enough.
        ModelUnusable: the tokenizer cannot write a row.
    """
    import datasets

    datasets.disable_progress_bars()
    rows: Any = datasets.load_dataset(
        "parquet",
        data_files=[str(file) for file in training_set.files],
        split="train",
        cache_dir=str(cache_dir),
    )
    # Under other names, since a new column of an old one's name would get the old one's type: a
    # fraction in the place of a truth value would become true.
    names = {name: f"{_SET_PREFIX}{name}" for name in rows.column_names if name not in kept}
    encoded = rows.rename_columns(names).map(
        partial(_encode_renamed, encode),
        with_indices=True,
        remove_columns=list(names.values()),
        # Given, since `datasets` would otherwise pickle the tokenizer to compute one.
        new_fingerprint=f"encoded-by-name-{training_set.fingerprint()}",
    )
    lengths = encoded["length"]
    short = [index for index, length in enumerate(lengths) if length <= max_length]
    if not short:
        raise NothingToLearn(too_long_words(training_set.name, max_length, len(lengths)))
    return encoded.select(short), len(lengths) - len(short)


def too_long_words(name: str, max_length: int, num_rows: int) -> str:
    """What is wrong with a set of which every row is too long."""
    return (
        f"training set {name}: expected rows of at most {max_length} tokens, all {num_rows} are "
        "longer: raise max_length, or sample with a smaller max_tokens"
    )


class RowEncoder:
    """Turns rows into token ids with one tokenizer, by a method per form of row."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        has_chat_template: bool,
        is_whole: bool = True,
        masks_outputs: bool = False,
    ) -> None:
        """Wrap a tokenizer.

        Args:
            tokenizer: of the model in training.
            has_chat_template: prompts already contain their special tokens.
            is_whole: completions reach the end of a solution and get an end-of-text token.
            masks_outputs: what programs printed in a completion carries no loss.

        Raises:
            ModelUnusable: the tokenizer has no end-of-text token.
        """
        if tokenizer.eos_token_id is None:
            raise ModelUnusable("policy: expected a tokenizer with an end-of-text token, got none")
        self.encode = Encoder(tokenizer)
        self._is_whole = is_whole
        self._decoder = TokenDecoder(tokenizer) if masks_outputs else None
        self.has_chat_template = has_chat_template
        self._eos: int = tokenizer.eos_token_id
        self._unknown: int | None = tokenizer.unk_token_id

    def completion_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Token ids of prompt and completion; the prompt carries no loss."""
        prompt = self.prompt_ids(row)
        completion = self.completion_ids(row["completion"], self.sampled(row, "completion_ids"))
        weight = row.get("weight")
        return {
            "input_ids": prompt + completion,
            "labels": [NO_LOSS] * len(prompt) + self._learned(completion, row["completion"]),
            "weight": 1.0 if weight is None else float(weight),
            "length": len(prompt) + len(completion),
        }

    def preference_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Token ids of a prompt and its two completions.

        Raises:
            ValueError: the row has a weight, which preferences cannot be trained with, or its two
                completions are the same.
        """
        _refuse_weight(row)
        prompt = self.prompt_ids(row)
        chosen, rejected = (
            self.completion_ids(row[name], self.sampled(row, f"{name}_ids"))
            for name in ("chosen", "rejected")
        )
        if chosen == rejected:
            raise ValueError("expected chosen and rejected to differ")
        return {
            "prompt_ids": prompt,
            "chosen_ids": chosen,
            "rejected_ids": rejected,
            "length": len(prompt) + max(len(chosen), len(rejected)),
        }

    def start_state(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The length of a start state, whose texts are what solutions are drawn from.

        Raises:
            ValueError: the row has a weight, which start states cannot be trained with.
        """
        _refuse_weight(row)
        return {"length": len(self.prompt_ids(row))}

    def text_ids(self, encoded: Mapping[str, Any]) -> list[int]:
        """The tokens of an encoded row: those trained on, or those of a start state."""
        if "input_ids" in encoded:
            return encoded["input_ids"]
        if "chosen_ids" in encoded:
            return encoded["prompt_ids"] + encoded["chosen_ids"]
        return self.prompt_ids(encoded)

    def prompt_ids(self, row: Mapping[str, Any]) -> list[int]:
        """The tokens an engine would read before it writes the completion."""
        prompt, prefix = row["prompt"], row.get("prefix") or ""
        ids = self.sampled(row, "prefix_ids")
        if (known := self.sampled(row, "prompt_prefix_ids")) is not None:
            prompt, ids = prompt.removesuffix(row["prompt_prefix"]), known
        start = start_of(
            self.encode,
            prompt,
            prefix,
            prefix_ids=ids,
            has_chat_template=self.has_chat_template,
        )
        return self._known(start.token_ids, row["prompt"])

    def sampled(self, row: Mapping[str, Any], name: str) -> Sequence[Any] | None:
        """A column of sampled tokens; None if there are none of the tokenizer's vocabulary."""
        ids = row.get(name)
        return ids if row.get("vocabulary") == self.encode.vocabulary else None

    def completion_ids(self, text: str, sampled: Sequence[int] | None = None) -> list[int]:
        """The tokens an engine would have to write, and an end of text if the text is whole.

        Args:
            text: the completion.
            sampled: its tokens as they were sampled, with or without an end of text.

        Raises:
            ValueError: the text is empty.
            ModelUnusable: the tokenizer has no tokens for it.
        """
        if sampled is not None:
            token_ids, ends = [*sampled], self.encode.end_ids
        else:
            token_ids = [*self.encode.tokenizer(text, add_special_tokens=False)["input_ids"]]
            ends = {self._eos}
        end = [self._eos]
        while token_ids and token_ids[-1] in ends:
            end = [token_ids.pop()]
        if not token_ids:
            raise ValueError(f"expected a completion with visible text, got {text!r}")
        # A token that was sampled is known, even the one that stands for unknown text.
        known = token_ids if sampled is not None else self._known(token_ids, text)
        return known + end * self._is_whole

    def _learned(self, completion: list[int], text: str) -> list[int]:
        """The labels of a completion: none for tokens that begin in an output of a program."""
        if self._decoder is None or not (spans := output_spans(text)):
            return completion
        written = align(self._decoder, completion, text)
        labels, start = [], 0
        for token_id, piece in zip(completion, written.pieces, strict=True):
            is_shown = bool(piece) and any(begin <= start < end for begin, end in spans)
            labels.append(NO_LOSS if is_shown else token_id)
            start += len(piece)
        return labels

    def _known(self, token_ids: list[int], text: str) -> list[int]:
        if self._unknown is not None and self._unknown in token_ids:
            raise ModelUnusable(f"policy: its tokenizer has no tokens for {text[:80]!r}")
        return token_ids


def _refuse_weight(row: Mapping[str, Any]) -> None:
    if row.get("weight") not in (None, 1.0):
        raise ValueError(f"expected weight 1, the only one of this method, got {row['weight']}")


def _encode_renamed(encode: Any, row: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One encoded row of a set whose columns were renamed to tell them from the new ones."""
    own = {name.removeprefix(_SET_PREFIX): value for name, value in row.items()}
    return encode_row(encode, own, index)


def encode_row(encode: Any, row: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One encoded row; errors name the row."""
    try:
        return {**encode(row), "row": index}
    except (ValueError, TypeError) as error:
        sources: Iterable[str] = row.get("source_ids") or ()
        words = f"row {index} of the training set (made from {', '.join(sources) or 'unknown'})"
        raise type(error)(f"{words}: {error}") from error
