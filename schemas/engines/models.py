"""Engines of language models and verifiers: in vLLM, or on a server."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from schemas.base import FrozenConfig, Since, Was
from schemas.generative import GenerativeConfig, ImplicitConfig

SHIPPED_POLICY = "world-policy"
"""The name of the small policy that comes with the package."""

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
