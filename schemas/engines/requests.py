"""What goes into an engine and comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.thinking import THOUGHT_TAGS

UNTOLD_TOKEN = -1
"""Stands for a token whose id the engine does not report."""

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A prompt, or a prompt and the beginning of its answer, to be continued n times."""

    prompt: str
    """Everything before the answer: a finished chat template, plain text, or a JSON list of
    messages for an engine that is prompted with messages."""
    prefix: str = ""
    """The first steps of the answer, as text; the continuation starts directly after them."""
    prefix_ids: tuple[int, ...] | None = None
    """The token ids of the prefix as they were sampled, in the engine's own vocabulary; None if
    only the text is known, which is then encoded."""
    following: str = ""
    """What the writer of the prefix wrote after it, if that is known: it affects how the end of a
    prefix without ids is encoded."""
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    """Number of most likely tokens to sample from; None for all."""
    min_p: float = 0.0
    """Least probability of a token, as a share of that of the most likely one."""
    repetition_penalty: float = 1.0
    """Divides the positive logits of tokens already in the text, and multiplies negative ones."""
    max_tokens: int
    stop: tuple[str, ...] = ()
    """Strings that end a continuation; they are kept at the end of its text."""
    needs_stop_string: bool = True
    """Whether the caller must be told at which stop string a continuation ended; some servers do
    not say."""
    stop_ids: tuple[int, ...] = ()
    """Tokens that end a continuation like the end of text; they are kept among its ids."""
    seed: int | None = None
    """Continuation i is drawn with this seed + i, so a later request can draw the next ones."""
    with_logprobs: bool = False
    num_alternatives: int = 0
    """Most likely tokens (k) at each position whose log probabilities make the confidences."""
    named_ids: tuple[int, ...] = ()
    """Tokens whose log probabilities are told at each position, by an engine of type `vllm`."""
    num_told: int = 0
    """Most likely tokens (k) at each position whose texts are told, by a server."""
    has_chat_template: bool = False
    """Whether the prompt contains its special tokens, or is messages, so that none are added."""
    thought_tags: tuple[str, str] = THOUGHT_TAGS[0]
    """What is put around a thought that a server gives apart from the answer."""
    takes_errors: bool = False
    """Whether the caller reads `Completion.error`, so that a continuation which a server refuses,
    or answers unusably, does not take the others with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One continuation."""

    text: str
    token_ids: tuple[int, ...]
    """End-of-text token included where the model wrote one; UNTOLD_TOKEN for an unknown id."""
    logprobs: tuple[float, ...] | None
    """[num_tokens] log probability of each token under the sampled distribution's model."""
    finish_reason: FinishReason
    stop_string: str | None
    """The stop string that ended it; None with reason `stop` means end of text."""
    token_texts: tuple[str, ...] | None = None
    """[num_tokens] pieces that join to `text`; a character of several tokens is in the last of
    them. None if the engine reports no ids."""
    confidences: tuple[float, ...] | None = None
    """[num_tokens] minus the mean log probability of the k most likely tokens there (DeepConf,
    arXiv:2508.15260); None unless `num_alternatives` requested them."""
    named_logprobs: tuple[tuple[float, ...], ...] | None = None
    """[num_tokens][num_named] log probabilities of the request's `named_ids`."""
    told: tuple[Mapping[str, float], ...] | None = None
    """[num_tokens] log probabilities of the most likely tokens by their texts, if `num_told`
    requested them and the server gives them."""
    outputs: tuple[bool, ...] | None = None
    """[num_tokens] whether a program printed the token; None where no program was run."""
    num_written: int | None = None
    """Tokens that the model wrote, with those that were taken back, if that is not the number of
    `token_ids`."""
    error: str | None = None
    """Why it could not be written to its end, such as a sandbox that is down, or an answer of a
    server that cannot be true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The n continuations of one request and what they cost."""

    completions: tuple[Completion, ...]
    prompt_tokens: int
    """Tokens of prompt and prefix, counted once."""
    cached_tokens: int
    """How many of them the first continuation found in the prefix cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """A question's prompt and a solution's steps, in order."""

    prompt: str
    steps: tuple[str, ...]
    """[num_steps] texts as stored, separators included; none is empty."""
    step_ids: tuple[tuple[int, ...], ...] | None = None
    """[num_steps] the token ids of each step as they were sampled, end of text included; None if
    only the texts are known."""
    vocabulary: str | None = None
    """The vocabulary of `step_ids` (see tasks.models.vocabulary); a verifier with another one
    encodes the texts."""
    num_known: int = 0
    """Number of first steps whose scores the caller already knows and does not request."""
    question: str = ""
    """The bare question, for verifiers that lay it out in their own way."""
    has_chat_template: bool = False
    is_whole: bool = False
    """Whether the policy ended its text after the last step; a likelihood includes that end."""

    def __post_init__(self) -> None:
        """Reject a number of known scores that leaves nothing to score."""
        if self.num_known and not 0 <= self.num_known < len(self.steps):
            raise ValueError(
                f"num_known: expected 0 to {len(self.steps) - 1}, fewer than the "
                f"{len(self.steps)} steps, got {self.num_known}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScoring:
    """One value in [0, 1] per requested step, and the tokens that were read."""

    scores: tuple[float, ...]
    """[num_steps - num_known] in step order; [1] from an outcome model, which scores only the
    whole."""
    scored_tokens: int
    """Tokens of question and steps."""
    cached_tokens: int
    """How many of them came from the prefix cache; the model computed the others."""
    generated_tokens: int = 0
    """Tokens that a generative verifier wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRequest:
    """A query for the best documents."""

    query: str
    num: int
    without: frozenset[str] = frozenset()
    """Ids of documents that are known and not wanted again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """A document that a query found."""

    document_id: str
    title: str | None
    text: str
    position: int
    """Its number in the indexed set, from 0."""
    score: float
    """Higher is better; comparable only within one query."""
