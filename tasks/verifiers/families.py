"""The supported verifiers: how each family is recognised, laid out, and its logits read.

Layouts are those of METHODS: RLHFlow (github.com/RLHFlow/RLHF-Reward-Modeling), Math-Shepherd
(arXiv:2312.08935), Qwen2.5-Math-PRM (arXiv:2501.07301), Skywork-o1-Open-PRM, reward models that
classify a whole answer, and language models that rank by likelihood (V-STaR, arXiv:2402.06457).
All are causal, so one forward pass after a cached prefix gives the same score as reading the
whole text.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from schemas.engines import ScoringRequest, VerifierFamily
from schemas.errors import ModelUnusable
from tasks.verifiers.layout import (
    QWEN_TAG,
    SHEPHERD_TAG,
    Encoder,
    TokenLayout,
    lay_out,
    lay_out_extra,
    lay_out_lines,
    lay_out_tags,
    lay_out_text,
    lay_out_turns,
    lay_out_whole,
)
from tasks.verifiers.value_head import VALUE_HEAD_ARCHITECTURE, as_classifier

ANSWERS = ("-", "+")
"""The tokens a causal language model writes after a wrong and after a right step."""

LEAST_LIKELIHOOD = sys.float_info.min
"""The lowest score of a step, so that its logarithm is finite."""

_SAMPLE = ("2 + 3 = 5", "so there are 5", "The answer is 5.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the checkpoints of one family have in common."""

    architecture: str
    """What the architecture's name ends with."""
    lay_out: Callable[[Encoder, ScoringRequest, str], TokenLayout]
    """From tokenizer, request and separator."""
    needs_question: bool = True
    """Whether it lays out the bare question rather than the policy's prompt."""
    num_labels: tuple[int, ...] | None = None
    """How many labels its config may have; None where the config does not say."""
    answers: tuple[str, str] | None = None
    """For a language model: its answers to a wrong and to a right step."""
    tag: str | None = None
    """Text that must be a single token."""
    needs_chat_template: bool = False
    reads_likelihood: bool = False
    """Whether a step's score is the probability of its tokens rather than a judgement of them."""
    writes: bool = False
    """Whether its scores are in critiques that it writes, see tasks.engines.generative_engine."""


def _lay_out_text(encode: Encoder, request: ScoringRequest, _: str) -> TokenLayout:
    return lay_out_text(
        encode,
        request.prompt,
        request.steps,
        step_ids=request.step_ids,
        is_whole=request.is_whole,
        has_chat_template=request.has_chat_template,
    )


def _refuse_to_lay_out(encode: Encoder, request: ScoringRequest, separator: str) -> TokenLayout:
    raise ValueError("expected a family that reads solutions, got one that writes critiques")


FAMILIES: dict[VerifierFamily, Family] = {
    "token_classification": Family(
        architecture="ForTokenClassification",
        lay_out=lambda encode, r, separator: lay_out(
            encode,
            r.prompt,
            r.steps,
            separator,
            step_ids=r.step_ids,
            has_chat_template=r.has_chat_template,
        ),
        needs_question=False,
        num_labels=(2,),
    ),
    "qwen_prm": Family(
        architecture="ForProcessRewardModel",
        lay_out=lambda encode, r, _: lay_out_extra(encode, r.question, r.steps),
        tag=QWEN_TAG,
        needs_chat_template=True,
    ),
    "skywork": Family(
        architecture=VALUE_HEAD_ARCHITECTURE,
        lay_out=lambda encode, r, _: lay_out_lines(encode, r.question, r.steps),
        tag="\n",
    ),
    "orm": Family(
        architecture="ForSequenceClassification",
        lay_out=lambda encode, r, _: lay_out_whole(
            encode, r.question, r.prompt, r.steps, has_chat_template=r.has_chat_template
        ),
        num_labels=(1, 2),
    ),
    "rlhflow": Family(
        architecture="ForCausalLM",
        lay_out=lambda encode, r, _: lay_out_turns(encode, r.question, r.steps),
        answers=ANSWERS,
        needs_chat_template=True,
    ),
    "math_shepherd": Family(
        architecture="ForCausalLM",
        lay_out=lambda encode, r, _: lay_out_tags(encode, r.question, r.steps),
        answers=ANSWERS,
        tag=SHEPHERD_TAG,
    ),
    "likelihood": Family(
        architecture="ForCausalLM",
        lay_out=_lay_out_text,
        needs_question=False,
        reads_likelihood=True,
    ),
    "implicit": Family(
        architecture="ForCausalLM",
        lay_out=_lay_out_text,
        needs_question=False,
        reads_likelihood=True,
    ),
    "generative": Family(architecture="ForCausalLM", lay_out=_refuse_to_lay_out, writes=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A checkpoint of a known family, with a tokenizer that fits it."""

    family: VerifierFamily
    folder: Path
    """What to load: the checkpoint, or a copy with its head in another form."""
    encode: Encoder
    separator: str
    answer_tokens: tuple[str, str] | None
    """For a language model: the tokens of a wrong and of a right answer; their rows of the output
    layer are the two classes."""

    @property
    def reads_likelihood(self) -> bool:
        """Whether it is read by `p_written` rather than by `p_right`."""
        return FAMILIES[self.family].reads_likelihood

    def lay_out(self, request: ScoringRequest) -> TokenLayout:
        """Tokens and positions of a request.

        Raises:
            ValueError: it cannot be laid out; the message says why.
        """
        family = FAMILIES[self.family]
        if family.needs_question and not request.question:
            raise ValueError(
                f"expected the bare question, which a verifier of family {self.family} lays out "
                "itself, got none"
            )
        if request.step_ids is not None and request.vocabulary != self.encode.vocabulary:
            request = replace(request, step_ids=None)
        return family.lay_out(self.encode, request, self.separator)


def find_family(
    folder: Path, config: Mapping[str, Any], wanted: Literal["auto"] | VerifierFamily
) -> VerifierFamily:
    """The family of a checkpoint by its config.json.

    Raises:
        ModelUnusable: no family fits, another one than `wanted` fits, or it must be named.
    """
    architectures = config.get("architectures") or []
    fitting: list[VerifierFamily] = [
        name
        for name, family in FAMILIES.items()
        if any(str(a).endswith(family.architecture) for a in architectures)
        and wanted in ("auto", name)
    ]
    if not fitting:
        families = FAMILIES if wanted == "auto" else {wanted: FAMILIES[wanted]}
        endings = dict.fromkeys(family.architecture for family in families.values())
        raise ModelUnusable(
            f"verifier {folder}: expected an architecture that ends in {' or '.join(endings)}, "
            f"got {architectures}"
        )
    if len(fitting) > 1:
        raise ModelUnusable(
            f"verifier {folder}: expected an architecture that says how it is read, such as one "
            f"that ends in ForTokenClassification, got {architectures}: how a language model is "
            f"read must be named, verifier: {' or '.join(fitting)}"
        )
    _check_labels(folder, config, fitting[0])
    return fitting[0]


def open_verifier(
    folder: Path,
    config: Mapping[str, Any],
    wanted: Literal["auto"] | VerifierFamily,
    tokenizer: Any,
    *,
    separator: str,
    model_id: str,
) -> Verifier:
    """A verifier ready to be loaded.

    Args:
        folder: a checkpoint.
        config: its config.json.
        wanted: its family, see `find_family`.
        tokenizer: the checkpoint's.
        separator: what ends a step; only the project's own verifiers read it.
        model_id: names the converted copy, if one is needed.

    Raises:
        ModelUnusable: it is not of that family, it is not causal, or its vocabulary, chat
            template or head does not fit the family.
    """
    family = find_family(folder, config, wanted)
    _check_causal(folder, config)
    described = FAMILIES[family]
    if described.writes:
        raise ModelUnusable(
            f"verifier {folder}: expected a family that reads solutions, got {family}, whose "
            "scores are read in what it writes"
        )
    if described.needs_chat_template and tokenizer.chat_template is None:
        raise ModelUnusable(
            f"verifier {folder}: expected a tokenizer with a chat template, as verifiers of "
            f"family {family} have, got none"
        )
    if described.reads_likelihood and tokenizer.eos_token_id is None:
        raise ModelUnusable(
            f"verifier {folder}: expected a tokenizer with an end-of-text token, which a whole "
            "solution ends with, got none"
        )
    if described.tag is not None:
        _only_token(folder, tokenizer, described.tag)
    answers = described.answers
    verifier = Verifier(
        family=family,
        folder=as_classifier(folder, model_id) if family == "skywork" else folder,
        encode=Encoder(tokenizer),
        separator=separator,
        answer_tokens=answers
        and (
            _only_token(folder, tokenizer, answers[0]),
            _only_token(folder, tokenizer, answers[1]),
        ),
    )
    _check_layout(verifier)
    return verifier


def p_right(logits: Sequence[float]) -> float:
    """The probability of right from the logits of one position.

    Args:
        logits: one, to which a sigmoid is applied; or two, wrong and right, for a softmax.
    """
    gap = logits[-1] - (logits[0] if len(logits) == 2 else 0.0)
    return 1 / (1 + math.exp(-gap)) if gap >= 0 else math.exp(gap) / (1 + math.exp(gap))


def p_written(logprobs: Sequence[float], layout: TokenLayout) -> list[float]:
    """[num_steps] the probability of each step's tokens, given all text before the step.

    Args:
        logprobs: [num_tokens - 1] of each token of the layout except the first.
        layout: of a likelihood.
    """
    # Rounding may leave a sum above 0. In this order of arguments nan stays nan.
    return [
        max(math.exp(min(total, 0.0)), LEAST_LIKELIHOOD)
        for total in step_logprobs(logprobs, layout)
    ]


def p_preferred(
    own: Sequence[float], reference: Sequence[float], layout: TokenLayout, beta: float
) -> list[float]:
    """[num_steps] sigmoid of beta x log ratio of each step's tokens (arXiv:2412.01981, eq. 5).

    .5 is a step that the trained model finds as likely as its reference. Deviation: the paper sums
    the log ratios themselves; the sigmoid maps them to [0, 1] and keeps their order.

    Args:
        own: [num_tokens - 1] log probabilities under the trained model, as in `p_written`.
        reference: the same under the model that it was trained from.
        layout: of a likelihood.
        beta: weight of the log ratio.
    """
    ratios = [a - b for a, b in zip(own, reference, strict=True)]
    return [p_right([beta * total]) for total in step_logprobs(ratios, layout)]


def step_logprobs(logprobs: Sequence[float], layout: TokenLayout) -> list[float]:
    """[num_steps] sums over each step's tokens of values as in `p_written`."""
    begins = [layout.first, *(position + 1 for position in layout.positions)]
    return [
        math.fsum(logprobs[begin - 1 : position])
        for begin, position in zip(begins, layout.positions, strict=False)
    ]


def _check_labels(folder: Path, config: Mapping[str, Any], family: VerifierFamily) -> None:
    """Refuse a config with other labels than the family's."""
    expected = FAMILIES[family].num_labels
    labels = config.get("id2label")
    num_labels = len(labels) if labels else config.get("num_labels", 2)
    if expected is not None and num_labels not in expected:
        raise ModelUnusable(
            f"verifier {folder}: expected {' or '.join(map(str, expected))} labels (of two, 0 is "
            f"wrong and 1 right), got {num_labels}: {labels}"
        )


def _check_causal(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a model whose tokens attend to later ones: a score would depend on later text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    model_type = config.get("model_type")
    if model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES or config.get("is_causal") is False:
        raise ModelUnusable(
            f"verifier {folder}: expected a causal model, got {model_type}, whose tokens attend to "
            "later ones"
        )


def _only_token(folder: Path, tokenizer: Any, text: str) -> str:
    """The single token of a text."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    if len(ids) != 1 or tokenizer.unk_token_id in ids:
        raise ModelUnusable(
            f"verifier {folder}: expected a vocabulary with one token for {text!r}, "
            f"it becomes {tokens}"
        )
    return tokens[0]


def _check_layout(verifier: Verifier) -> None:
    """Refuse a tokenizer with which the tokens of a prefix are not a prefix of the tokens."""
    if verifier.family == "orm":  # it reads the end of the answer as well
        return
    if not verifier.encode.tokenizer.is_fast:
        raise ModelUnusable(f"verifier {verifier.folder}: expected a tokenizer.json, got none")
    steps = tuple(step + verifier.separator for step in _SAMPLE)
    try:
        layouts = [
            verifier.lay_out(ScoringRequest(prompt="2 + 3?", question="2 + 3?", steps=steps[:k]))
            for k in range(1, len(steps) + 1)
        ]
    except ValueError as error:
        raise ModelUnusable(f"verifier {verifier.folder}: {error}") from error
    whole = layouts[-1]
    for k, layout in enumerate(layouts, start=1):
        is_prefix = layout.token_ids == whole.token_ids[: len(layout.token_ids)]
        if not is_prefix or layout.positions != whole.positions[:k]:
            raise ModelUnusable(
                f"verifier {verifier.folder}: expected a tokenizer and a chat template that write "
                f"the first steps alike whatever follows, family {verifier.family}"
            )
