"""A built training set: a folder with `train-*.parquet`, `set.json` and a README.md.

The form of a set says what its rows are: `prompt_completion` (prompt, completion, weight),
`preference` (prompt, chosen, rejected), `prompt_only` (prompt, prefix, answer, stage) or `stepwise`
(prompt, completions, labels, soft, correct). Errors name a row by its number and by the
trajectories that it was made from.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.dataset_export import Form
from schemas.engines import SHIPPED_POLICY
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, PromptConfig
from schemas.steps import describe_additions
from schemas.training.methods import METHODS
from schemas.training.recipe import TrainingRecipe
from storage import Store
from storage.folders import fetch_folder
from tasks.models.folders import (
    identify_model,
    load_tokenizer,
    resolve_model,
    tokenizer_fingerprint,
)

_COLUMNS: dict[Form, tuple[str, ...]] = {
    "prompt_completion": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
    "prompt_only": ("prompt", "prefix", "answer"),
    "stepwise": ("prompt", "completions", "labels", "problem_id"),
}
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A set's folder and the contents of its set.json."""

    folder: Path
    form: Form
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the set."""
        return str(self.facts.get("name") or self.folder.name)

    @property
    def policy(self) -> str | None:
        """The id of the model that wrote the solutions, if it was a single one."""
        policy = self.facts.get("policy")
        return policy if isinstance(policy, str) else None

    @property
    def label_method(self) -> str | None:
        """How its step labels were made, if it has any."""
        method = self.facts.get("method")
        return method if isinstance(method, str) else None

    @property
    def is_whole(self) -> bool:
        """Whether completions reach the end of their solution; else they get no end of text."""
        return bool(self.facts.get("ends_with_text", True))

    @property
    def files(self) -> list[Path]:
        """The rows' files, in order."""
        return sorted(self.folder.glob("train-*.parquet"))

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return sum(pq.read_metadata(file).num_rows for file in self.files)

    def count_problems(self) -> int:
        """The number of problems of the rows; 0 where the set does not say."""
        found: set[str] = set()
        for file in self.files:
            if "problem_id" in pq.read_schema(file).names:
                found.update(pq.read_table(file, columns=["problem_id"])["problem_id"].to_pylist())
        return len(found)

    def fingerprint(self) -> str:
        """A hash of the rows' files."""
        digest = hashlib.sha256()
        for file in self.files:
            with file.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
        return digest.hexdigest()[:16]


def find_set(store: Store, name: str) -> TrainingSet:
    """The set of that name in the store, or in that folder.

    Raises:
        ValueError: it does not exist, or is not a training set.
    """
    is_name = "/" not in name and not name.startswith((".", "~"))
    try:
        if is_name:
            folder = store.local_folder(f"datasets/{name}")
        elif name.startswith("s3://"):
            folder = fetch_folder(name)
        else:
            folder = Path(name).expanduser().resolve()
    except FileNotFoundError as error:
        raise ValueError(
            f"training_set {name!r}: expected a set of {store.url}/datasets: {error}"
        ) from error
    return read_set(folder)


def read_set(folder: Path) -> TrainingSet:
    """The set in a folder, checked.

    Raises:
        ValueError: it is not a training set.
    """
    file = folder / "set.json"
    if not file.is_file():
        raise ValueError(f"training set {folder}: expected a set.json, got none")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        form = facts["form"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"training set {file}: expected JSON with a form: {error!r}") from error
    if form not in _COLUMNS:
        raise ValueError(f"training set {file}: expected form to be {_words()}, got {form!r}")
    found = TrainingSet(folder, form, facts)
    if not found.files:
        raise ValueError(f"training set {folder}: expected files train-*.parquet, got none")
    for path in found.files:
        lacking = sorted(set(_COLUMNS[form]) - set(pq.read_schema(path).names))
        if lacking:
            raise ValueError(f"training set {path}: expected a column {lacking[0]} in a {form} set")
    if not found.num_rows:
        raise ValueError(f"training set {folder}: expected rows to train on, got none")
    return found


def check_form(training_set: TrainingSet, recipe: TrainingRecipe) -> None:
    """Refuse a set of another form than the method takes.

    Raises:
        ValueError: the message names the methods that take it.
    """
    if training_set.form != recipe.form:
        takers = [name for name, method in METHODS.items() if method.form == training_set.form]
        raise ValueError(
            f"training set {training_set.name}: method {recipe.method} expects the form "
            f"{recipe.form}, got {training_set.form}, which {' or '.join(takers)} takes"
        )


def check_prompt(training_set: TrainingSet, prompt: PromptConfig) -> None:
    """Refuse a prompt config other than the one the set's prompts were made with.

    Raises:
        ValueError: says what the set records about its prompts.
    """
    facts = training_set.facts
    is_chat = isinstance(prompt, ChatPromptConfig)
    if facts.get("has_chat_template", is_chat) != is_chat:
        wanted = "chat" if facts["has_chat_template"] else "plain"
        raise ValueError(
            f"prompt.type: expected {wanted}, which the training set {training_set.name} was "
            f"made with, got {prompt.type}"
        )
    if facts.get("separator", prompt.separator) != prompt.separator:
        raise ValueError(
            f"prompt.separator: expected {facts['separator']!r}, which ends the steps of the "
            f"training set {training_set.name}, got {prompt.separator!r}"
        )
    wanted, got = facts.get("step_rule") or {}, prompt.step_rule.additions
    if "separator" in facts and wanted != got:
        raise ValueError(
            f"prompt.steps: expected the step rule {describe_additions(wanted)}, by which the "
            f"training set {training_set.name} was cut, got {describe_additions(got)}"
        )


def check_outputs(training_set: TrainingSet, prompt: PromptConfig) -> None:
    """Refuse to train a policy on what programs printed in the solutions of a set.

    Raises:
        ValueError: the set was made with `prompt.tools`, and the training has none.
    """
    made = (training_set.facts.get("config") or {}).get("prompt") or {}
    if made.get("tools") is not None and prompt.tools is None:
        raise ValueError(
            f"prompt.tools: expected some, since solutions of the training set {training_set.name} "
            "have outputs of programs, which are not to be learned, got none"
        )


def check_tokenizer(
    training_set: TrainingSet, tokenizer: Any, policy: str, store: Store | None = None
) -> None:
    """Refuse a policy whose tokenizer is not that of the model that wrote the set.

    The fingerprint in the set itself comes first; without one, the writer is looked up in the
    store and in the package. A writer that is not found is not compared.

    Raises:
        ModelUnusable: the tokenizers differ.
    """
    wanted = training_set.facts.get("tokenizer") or _writers_tokenizer(training_set.policy, store)
    if wanted is not None and wanted != tokenizer_fingerprint(tokenizer):
        raise ModelUnusable(
            f"policy {policy}: expected the tokenizer of {training_set.policy}, which wrote the "
            f"training set {training_set.name}, got another: its tokens would not be those that "
            "were generated"
        )


def _writers_tokenizer(writer: str | None, store: Store | None) -> str | None:
    """The tokenizer fingerprint of the model that wrote a set; None where it is not found."""
    if writer is None:
        return None
    if writer == identify_model(SHIPPED_POLICY):
        return tokenizer_fingerprint(load_tokenizer(resolve_model(SHIPPED_POLICY)))
    if store is None:
        return None
    try:
        return tokenizer_fingerprint(load_tokenizer(store.local_folder(f"checkpoints/{writer}")))
    except FileNotFoundError:
        return None


def _words() -> str:
    return " or ".join(_COLUMNS)
