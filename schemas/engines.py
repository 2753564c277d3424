"""What goes into an engine and comes out of it, and the config that builds one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from schemas.base import FrozenConfig, Since, Was
from schemas.generative import GenerativeConfig, ImplicitConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.rows import ModelRole
from schemas.thinking import THOUGHT_TAGS

SHIPPED_POLICY = "world-policy"
"""The name of the small policy that comes with the package."""

UNTOLD_TOKEN = -1
"""Stands for a token whose id the engine does not report."""

Work = Literal["generate", "score", "retrieve"]

ROLE_WORK: dict[ModelRole, Work] = {
    "policy": "generate",
    "verifier": "score",
    "critic": "generate",
    "judge": "generate",
    "retriever": "retrieve",
    "reference": "generate",
    "annotator": "generate",
}
"""What an engine must be able to do for each role."""

ENGINE_WORK: dict[str, tuple[Work, ...]] = {
    "vllm": ("generate", "score"),
    "openai": ("generate", "score"),
    "planted": ("generate", "score"),
    "markov": ("generate", "score"),
    "tactics": ("generate", "score"),
    "lines": ("generate", "score"),
    "index": ("retrieve",),
}
"""What engines of each type can do."""

FinishReason = Literal["stop", "length"]

VerifierFamily = Literal[
    "token_classification",
    "rlhflow",
    "math_shepherd",
    "qwen_prm",
    "skywork",
    "orm",
    "likelihood",
    "implicit",
    "generative",
]
"""How a verifier lays out a solution, and where its scores are read (see tasks.verifiers)."""


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


class VLLMConfig(FrozenConfig):
    """A language model or a verifier that runs in vLLM."""

    type: Literal["vllm"] = "vllm"
    model: str
    """Folder in Hugging Face format, a Hugging Face id, or `world-policy`, the shipped one."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    verifier: Literal["auto"] | VerifierFamily = "auto"
    """How a verifier is read; `auto` decides by its architecture, and rejects a causal language
    model, whose architecture does not decide. A policy ignores it."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of weights and activations; `auto` is that of the checkpoint."""
    max_model_len: Annotated[int, Field(ge=16)] | None = None
    """Maximum tokens of prompt and continuation together; None for the model's own limit."""
    max_num_seqs: Annotated[int, Field(ge=1)] = 256
    """Maximum number of sequences in a batch."""
    max_num_batched_tokens: Annotated[int, Field(ge=64)] | None = None
    """Maximum number of tokens in a forward pass; None for vLLM's choice."""
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1
    """GPUs that share one copy of the model."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory the engine may take."""
    cpu_kv_cache_gb: Annotated[int, Field(ge=1)] = 1
    """Memory for the key-value cache on a machine without a GPU, in GB."""
    process: Literal["auto", "host", "own"] = "auto"
    """Engine inside the host process, or in its own processes; `auto`: `own` on a GPU."""
    seed: int = 0
    """Seed of the engine; requests carry their own."""
    lora: Annotated[str | None, Since(4)] = None
    """Folder of a LoRA adapter in PEFT's format that is added to the model's weights."""
    engine_arguments: Annotated[dict[str, Any], Since(4)] = {}  # noqa: RUF012
    """Further arguments of vLLM's EngineArgs by name, such as `quantization`,
    `pipeline_parallel_size` or `speculative_config`; none that stepmill sets itself."""
    generative: Annotated[GenerativeConfig, Since(4)] = GenerativeConfig()
    """How a verifier of family `generative` is asked and read."""
    implicit: Annotated[ImplicitConfig | None, Since(4)] = None
    """The reference of a verifier of family `implicit`, which needs one."""

    @model_validator(mode="after")
    def _has_reference(self) -> Self:
        if (self.verifier == "implicit") != (self.implicit is not None):
            raise ValueError(
                "implicit: expected the reference of a verifier of family implicit, and of no "
                f"other, got {self.implicit} with verifier {self.verifier}"
            )
        return self


def _api_root(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected a URL without user, password or query: configs are stored")
    return url.rstrip("/")


class ServerConfig(FrozenConfig):
    """Where a server with an OpenAI-compatible API is, and within which limits it is used.

    Nothing here changes the rows: a config's hash leaves it out (see FrozenConfig). The limits are
    those of a job: its actors, and the roles that one server serves, share them evenly.
    """

    base_url: Annotated[str, AfterValidator(_api_root)]
    """Base URL of the API, such as `http://localhost:8000/v1`."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    """Name of the environment variable with the key; leave that unset if the server needs none."""
    kind: Literal["auto", "vllm", "sglang", "other"] = "auto"
    """The serving software, which decides the fields beyond OpenAI's; `auto` asks the server."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name of the limit in the chat API; OpenAI's newer models need the second."""
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = 256
    """Maximum number of concurrent requests, including those waiting to be sent again."""
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Maximum number of requests begun per minute, spread evenly; None for no limit."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Maximum seconds from a request to its answer, including time in the server's queue."""
    retry_timeout_s: Annotated[float, Field(ge=0), Was("patience_s")] = 600.0
    """Seconds for which a request that meets faults (rate limits, 5xx, timeouts, no connection) is
    sent again before the engine counts as failed."""


class OpenAIConfig(FrozenConfig):
    """A model on a server with an OpenAI-compatible API: vLLM, SGLang or a hosted one."""

    type: Literal["openai"] = "openai"
    model: Annotated[str, Field(min_length=1)]
    """The name under which the server serves the model."""
    revision: str | None = None
    """A label for the weights served under that name, kept in the model's id and not sent to the
    server."""
    api: Literal["completions", "chat"] = "completions"
    """`completions` sends text to continue, `chat` messages that the server lays out itself."""
    tokenizer: str | None = None
    """Folder or Hugging Face id whose chat template makes chat prompts for the completions API."""
    server: ServerConfig
    """Where the server is."""
    generative: Annotated[GenerativeConfig, Since(4)] = GenerativeConfig()
    """How it is asked and read as a verifier, which a served model can only be by critiques."""

    def shared_by(self, num_actors: int, *, num_roles: int = 1) -> "OpenAIConfig":
        """The config for one role in one actor, with its share of the server's limits.

        Args:
            num_actors: actors that use the server.
            num_roles: models of each actor that the server serves.

        Raises:
            ValueError: they are more than the requests that may be in flight.
        """
        server, num_shares = self.server, num_actors * num_roles
        if num_shares > server.max_in_flight:
            each = f", for each of the {num_roles} roles that it serves" if num_roles > 1 else ""
            raise ValueError(
                f"pool.num_actors: expected at most {server.max_in_flight // num_roles}, the "
                f"requests that may be in flight to {server.base_url} (max_in_flight){each}, "
                f"got {num_actors}"
            )
        rate = server.requests_per_minute
        limits = {
            "max_in_flight": server.max_in_flight // num_shares,
            "requests_per_minute": None if rate is None else rate / num_shares,
        }
        return self.model_copy(update={"server": server.model_copy(update=limits)})


NUM_PLANTED_GOLD = 5
"""Symbols of the gold sequence of the planted-subsequence policy."""


class PlantedConfig(FrozenConfig):
    """The planted-subsequence policy of arXiv:2502.12118: every probability is known."""

    is_offered: ClassVar[bool] = False
    type: Literal["planted"] = "planted"
    gammas: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = (
        0.25,
        0.75,
    )
    """Skills of the mixture, equally likely; a solution is written with one of them."""
    horizon: Annotated[int, Field(ge=1)] = 10
    """Symbols in a whole solution (H)."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class MarkovConfig(FrozenConfig):
    """A solver that walks a chain of right and wrong steps: every probability is known."""

    is_offered: ClassVar[bool] = False
    type: Literal["markov"] = "markov"
    num_steps: Annotated[int, Field(ge=1)] = 5
    """Steps before the answer line."""
    p_right: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Chance that a step after a right one is right."""
    p_recover: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance that a step after a wrong one repairs it."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class TacticsConfig(FrozenConfig):
    """Random tactics for the shipped theorems: which proofs Coq accepts is known in advance."""

    is_offered: ClassVar[bool] = False
    type: Literal["tactics"] = "tactics"
    p_end: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Chance that a proof of one or two tactics ends there; one of three always does."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class LinesConfig(FrozenConfig):
    """Small programs written line by line: whether they pass their tests has an exact chance."""

    is_offered: ClassVar[bool] = False
    type: Literal["lines"] = "lines"
    num_lines: Annotated[int, Field(ge=1)] = 3
    """Lines between the first and the last, each right or wrong."""
    p_right: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Chance that a line is right; one wrong line fails the tests."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class IndexConfig(FrozenConfig):
    """A retriever over a finished index of documents (`stepmill run documents`)."""

    is_offered: ClassVar[bool] = False
    type: Literal["index"] = "index"
    path: Annotated[str, Field(min_length=1)]
    """Folder of the index, or its URL."""
    documents: str | None = None
    """The digest of the documents that it must be of; None for any."""


EngineConfig = Annotated[
    VLLMConfig
    | OpenAIConfig
    | PlantedConfig
    | MarkovConfig
    | TacticsConfig
    | LinesConfig
    | IndexConfig,
    Field(discriminator="type"),
]


class RoleConfig(FrozenConfig):
    """A model that a job prompts besides its policy, such as a critic or a judge."""

    engine: EngineConfig
    """The model."""
    prompt: PromptConfig = PlainPromptConfig()
    """How it is prompted."""
