"""What a model folder must contain, and the name under which rows record a model.

A model is a folder in Hugging Face format, such a folder in an object store (`s3://...`), or a
Hugging Face id. `identify_model` names it by its content, so two runs with the same name used the
same weights; `check_model_folder` reports what is wrong with a folder before an engine spends half
a minute finding out.
"""

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from schemas.engines import ROLE_WORK, SHIPPED_POLICY, VerifierFamily
from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from schemas.steps import StepEnding, StepRule, describe_additions
from storage.folders import fetch_folder
from tasks.models.files import check_settings, check_weights, weight_files
from tasks.verifiers.families import find_family

SEPARATOR_KEY = "step_separator"
"""The key of a verifier's config.json that holds the separator it was trained with."""
RULE_KEY = "step_rule"
"""The key that holds what else ended a step, see `StepRule.additions`; left out if nothing did."""

_SHIPPED_FOLDER = Path(__file__).parents[1] / "pretraining" / "world-policy"
_GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
_FILES_OF_A_MODEL = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
_CHUNK_BYTES = 1 << 22

_hashes: dict[tuple[tuple[str, int, int], ...], str] = {}
"""Hashes of files by path, size and modification time."""
_hashing = threading.Lock()


def identify_model(path_or_id: str, revision: str | None = None) -> str:
    """Name a model by its content: `<name>-<ten hex digits>`.

    Returns:
        For a folder, its name and a hash of its weight files; for a Hugging Face id, the id with
        `--` for `/` and the commit that the revision stands for.

    Raises:
        ModelUnusable: the folder or id does not exist, or the folder has no weights.
    """
    if is_folder(path_or_id):
        folder = resolve_model(path_or_id)
        # A folder that is already named by its content keeps its name.
        suffix = f"-{hash_files(weight_files(folder))[:10]}"
        return folder.name.removesuffix(suffix) + suffix
    snapshot = resolve_model(path_or_id, revision)
    return f"{path_or_id.replace('/', '--')}-{snapshot.name[:10]}"


def hash_files(files: Sequence[Path]) -> str:
    """The SHA-256 of the concatenated files.

    Weights are gigabytes and their names are needed often, so a process reads files of the same
    paths, sizes and modification times once.
    """
    stats = [(str(file), file.stat()) for file in files]
    key = tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)
    with _hashing:
        if key not in _hashes:
            digest = hashlib.sha256()
            for file in files:
                with file.open("rb") as stream:
                    while chunk := stream.read(_CHUNK_BYTES):
                        digest.update(chunk)
            _hashes[key] = digest.hexdigest()
        return _hashes[key]


def resolve_model(path_or_id: str, revision: str | None = None) -> Path:
    """The folder of a model; a Hugging Face id is downloaded into the local cache first.

    Raises:
        ModelUnusable: no such folder exists, and no such id can be fetched.
    """
    if path_or_id == SHIPPED_POLICY:
        return _SHIPPED_FOLDER
    if path_or_id.startswith("s3://"):
        try:
            return fetch_folder(path_or_id)
        except OSError as error:
            raise ModelUnusable(f"model {path_or_id}: it cannot be fetched: {error}") from error
    if is_folder(path_or_id):
        folder = Path(path_or_id).expanduser().resolve()
        if not folder.is_dir():
            raise ModelUnusable(
                f"model {folder}: expected a folder in Hugging Face format, which does not exist"
            )
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(path_or_id, revision=revision, allow_patterns=_FILES_OF_A_MODEL)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelUnusable(
            f"model {path_or_id!r}: expected a folder or a Hugging Face id, but no such folder "
            f"exists and the id cannot be fetched ({type(error).__name__}: {error})"
        ) from error
    return Path(found)


def is_folder(path_or_id: str) -> bool:
    """Whether a model is named by a folder, existing or not, rather than by a Hugging Face id."""
    if path_or_id == SHIPPED_POLICY:
        return True
    looks_local = path_or_id.startswith((".", "/", "~")) or path_or_id.count("/") > 1
    return looks_local or Path(path_or_id).exists()


def check_model_folder(
    path: str | Path,
    role: ModelRole,
    *,
    separator: StepEnding | None = None,
    family: Literal["auto"] | VerifierFamily = "auto",
) -> dict[str, Any]:
    """Refuse a folder that is not a model for its role.

    Args:
        path: a folder in Hugging Face format.
        role: what the model does, see `ROLE_WORK`.
        separator: what ends a step in the job, which a verifier's stored rule must equal.
        family: the family a verifier must have, see `find_family`.

    Returns:
        The model's config.json.

    Raises:
        ModelUnusable: says what was expected and what came.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelUnusable(f"{role} {folder}: expected a folder in Hugging Face format, got none")
    config = read_config(folder, role)
    check_settings(folder, config)
    check_weights(folder)
    if not any((folder / name).exists() for name in _TOKENIZER_FILES):
        raise ModelUnusable(
            f"{role} {folder}: expected a tokenizer ({' or '.join(_TOKENIZER_FILES)}), got none"
        )
    if ROLE_WORK[role] == "score":
        find_family(folder, config, family)
        _check_separator(folder, config, separator)
        return config
    architectures = config.get("architectures") or []
    if not any(str(name).endswith(_GENERATES) for name in architectures):
        raise ModelUnusable(
            f"{role} {folder}: expected an architecture that ends in {' or '.join(_GENERATES)}, "
            f"got {architectures}"
        )
    return config


def read_config(folder: Path, role: str = "model") -> dict[str, Any]:
    """The parsed config.json of a model folder.

    Args:
        folder: in Hugging Face format.
        role: what messages call the model.

    Raises:
        ModelUnusable: there is none, or it is not a JSON object.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise ModelUnusable(f"{role} {folder}: expected a config.json, got none")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelUnusable(f"{role} {folder}: config.json is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelUnusable(f"{role} {folder}: expected config.json to be an object")
    return config


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder; a tokenizer with code in the folder is refused.

    Raises:
        ModelUnusable: the tokenizer cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        # Explicit, since transformers would otherwise prompt on the terminal.
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises nothing more specific
        raise ModelUnusable(f"model {folder}: its tokenizer cannot be loaded: {error}") from error


def has_tied_embeddings(folder: Path) -> bool:
    """Whether a language model's input and output embeddings are one matrix."""
    from transformers import AutoConfig

    # config.json omits settings that are defaults of its kind of model.
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    return bool(config.get_text_config().tie_word_embeddings)


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """A hash that is equal exactly for tokenizers that turn texts into the same tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        facts: dict[str, Any] = {"vocab": sorted(tokenizer.get_vocab().items())}
    else:
        facts = json.loads(backend.to_str())
        for setting in ("truncation", "padding"):  # a trace of the last call
            facts.pop(setting, None)
    facts["eos_token"] = tokenizer.eos_token
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _check_separator(folder: Path, config: dict[str, Any], ending: StepEnding | None) -> None:
    """Refuse a verifier that was trained with other steps."""
    stored = config.get(SEPARATOR_KEY)
    if ending is None or stored is None:
        return
    rule = StepRule.of(ending)
    if stored != rule.separator:
        raise ModelUnusable(
            f"verifier {folder}: it was trained with the step separator {stored!r}, "
            f"this job's separator is {rule.separator!r}"
        )
    additions = config.get(RULE_KEY) or {}
    if additions != rule.additions:
        raise ModelUnusable(
            f"verifier {folder}: it was trained with the step rule "
            f"{describe_additions(additions)}, this job's rule is "
            f"{describe_additions(rule.additions)}"
        )
