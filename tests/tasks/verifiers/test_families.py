"""Each family's layout against its authors' own recipe, and refused requests."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import ScoringRequest, VerifierFamily
from schemas.errors import ModelUnusable
from tasks.verifiers.families import (
    FAMILIES,
    LEAST_LIKELIHOOD,
    Verifier,
    find_family,
    open_verifier,
    p_right,
    p_written,
)
from tasks.verifiers.layout import QWEN_SYSTEM, Encoder, TokenLayout

QUESTION = "Hugo has 34 books and sells 7. How many are left?"
STEPS = ("He sells 7.\n\n", "34 - 7 = 27, which is + 27.\n\n", "The answer is 27.")
FOREIGN: tuple[VerifierFamily, ...] = ("rlhflow", "math_shepherd", "qwen_prm", "skywork", "orm")


@pytest.fixture
def tokenizers(llama_tokenizer: Any, qwen_tokenizer: Any, mistral_tokenizer: Any) -> dict[str, Any]:
    return {
        "token_classification": llama_tokenizer,
        "rlhflow": llama_tokenizer,
        "orm": llama_tokenizer,
        "math_shepherd": mistral_tokenizer,
        "qwen_prm": qwen_tokenizer,
        "skywork": qwen_tokenizer,
        "likelihood": mistral_tokenizer,
        "implicit": mistral_tokenizer,
    }


def verifier_of(family: VerifierFamily, tokenizers: dict[str, Any]) -> Verifier:
    return Verifier(
        family=family,
        folder=Path("nowhere"),
        encode=Encoder(tokenizers[family]),
        separator="\n\n",
        answer_tokens=None,
    )


def layout_of(
    family: VerifierFamily, tokenizers: dict[str, Any], steps: tuple[str, ...] = STEPS
) -> TokenLayout:
    request = ScoringRequest(prompt=QUESTION, question=QUESTION, steps=steps)
    return verifier_of(family, tokenizers).lay_out(request)


def chat_ids(tokenizer: Any, messages: list[dict[str, str]]) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_rlhflow_is_read_where_its_own_code_reads(tokenizers: dict[str, Any]) -> None:
    layout = layout_of("rlhflow", tokenizers)
    messages: list[dict[str, str]] = []
    for k, step in enumerate(STEPS):
        text = step.rstrip() if k else f"{QUESTION} {step.rstrip()}"
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "+"}]
        theirs = chat_ids(tokenizers["rlhflow"], messages)
        assert layout.positions[k] == len(theirs) - 3  # they read logits[:, -3]
        assert layout.token_ids[: len(theirs) - 2] == theirs[:-2]
    assert layout.positions[-1] == len(layout.token_ids) - 1


def test_math_shepherd_is_read_at_each_tag(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["math_shepherd"]
    tag = tokenizer.encode("ки")[-1]
    text = " ки\n".join(step.rstrip() for step in STEPS)
    theirs = tokenizer.encode(f"{QUESTION} {text} ки")
    layout = layout_of("math_shepherd", tokenizers)
    assert layout.token_ids == theirs
    assert layout.positions == [i for i, token in enumerate(theirs) if token == tag]
    assert len(layout.positions) == len(STEPS)


def test_qwen_is_read_at_each_special_token(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen_prm"]
    answer = "<extra_0>".join(step.rstrip() for step in STEPS) + "<extra_0>"
    theirs = chat_ids(
        tokenizer,
        [
            {"role": "system", "content": QWEN_SYSTEM},
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": answer},
        ],
    )
    tag = tokenizer.encode("<extra_0>")[0]
    layout = layout_of("qwen_prm", tokenizers)
    assert layout.token_ids == theirs[: len(layout.token_ids)]
    assert layout.positions == [i for i, token in enumerate(theirs) if token == tag]
    assert layout.positions[-1] == len(layout.token_ids) - 1


def test_skywork_is_read_at_line_breaks_of_their_own(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["skywork"]
    (line_break,) = tokenizer.encode("\n")
    theirs = tokenizer.encode("<|endoftext|>" + QUESTION + "\n")
    positions = []
    for step in STEPS:
        theirs = [*theirs, *tokenizer.encode(step.rstrip()), line_break]
        positions.append(len(theirs) - 1)
    assert layout_of("skywork", tokenizers) == TokenLayout(theirs, positions)
    assert len(tokenizer.encode(".\n")) == 1  # together they would be another token


def test_an_outcome_model_is_read_once_at_the_end_of_its_chat(tokenizers: dict[str, Any]) -> None:
    answer = "".join(STEPS)
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": answer}]
    theirs = chat_ids(tokenizers["orm"], messages)
    assert layout_of("orm", tokenizers) == TokenLayout(theirs, [len(theirs) - 1])


def test_an_outcome_model_without_chat_template_reads_the_policys_prompt(
    tokenizers: dict[str, Any],
) -> None:
    tokenizer = tokenizers["math_shepherd"]
    theirs = tokenizer.encode(QUESTION)
    theirs += tokenizer("".join(STEPS), add_special_tokens=False)["input_ids"]
    assert layout_of("orm", {"orm": tokenizer}) == TokenLayout(theirs, [len(theirs) - 1])


def test_a_likelihood_reads_what_a_training_on_the_solution_would_read(
    tokenizers: dict[str, Any],
) -> None:
    tokenizer = tokenizers["likelihood"]
    prompt = tokenizer.encode(QUESTION)
    answer = tokenizer("".join(STEPS), add_special_tokens=False)["input_ids"]
    cut, whole = (
        verifier_of("likelihood", tokenizers).lay_out(
            ScoringRequest(prompt=QUESTION, steps=STEPS, is_whole=is_whole)
        )
        for is_whole in (False, True)
    )
    assert cut.token_ids == prompt + answer
    assert whole.token_ids == [*prompt, *answer, tokenizer.eos_token_id]
    assert cut.first == whole.first == len(prompt)
    assert cut.positions[-1] == len(cut.token_ids) - 1
    assert whole.positions == [*cut.positions[:-1], len(whole.token_ids) - 1]
    tokens = tokenizer.convert_ids_to_tokens(cut.token_ids)
    assert [tokens[p - 2 : p + 2] for p in cut.positions[:-1]] == [
        [".", "<0x0A>", "<0x0A>", "3"],
        [".", "<0x0A>", "<0x0A>", "T"],
    ]


def test_a_likelihood_puts_no_special_tokens_before_a_chat(tokenizers: dict[str, Any]) -> None:
    chat = "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
    tokenizer = tokenizers["qwen_prm"]
    request = ScoringRequest(prompt=chat, steps=STEPS, has_chat_template=True)
    layout = verifier_of("likelihood", {"likelihood": tokenizer}).lay_out(request)
    assert layout.token_ids[: layout.first] == tokenizer.encode(chat, add_special_tokens=False)
    starts = tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert layout.token_ids.count(starts) == 2


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        ([-1.0, -2.0, -0.25, -0.5, 0.0], [math.exp(-0.75), 1.0]),
        ([0.0, 0.0, -800.0, -100.0, 1e-7], [LEAST_LIKELIHOOD, 1.0]),
        ([-1.0, -1.0, -math.inf, 0.0, -0.5], [LEAST_LIKELIHOOD, math.exp(-0.5)]),
    ],
)
def test_a_steps_likelihood_is_the_product_of_its_tokens(
    logprobs: list[float], expected: list[float]
) -> None:
    layout = TokenLayout([0] * 6, [4, 5], first=3)
    assert p_written(logprobs, layout) == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_likelihood_that_is_no_number_stays_none() -> None:
    (score,) = p_written([math.nan, -1.0], TokenLayout([0, 1, 2], [2], first=1))
    assert math.isnan(score)


def test_a_likelihood_of_a_vocabulary_without_end_of_text_is_unusable(
    mistral_tokenizer: Any,
) -> None:
    tokenizer = copy.deepcopy(mistral_tokenizer)
    tokenizer.eos_token = None
    config = {"architectures": ["MistralForCausalLM"]}
    with pytest.raises(ModelUnusable, match="end-of-text token"):
        open_verifier(Path("m"), config, "likelihood", tokenizer, separator="\n", model_id="m-0")


def test_a_separator_that_the_tokenizer_joins_with_the_next_step_is_unusable_for_a_likelihood(
    qwen_tokenizer: Any,
) -> None:
    from tokenizers import Tokenizer

    backend = json.loads(qwen_tokenizer.backend_tokenizer.to_str())
    model = backend["model"]
    model["vocab"]["Ġs"] = model["vocab"].pop("Ġ=")
    model["merges"][-1] = ["Ġ", "s"]
    tokenizer = copy.deepcopy(qwen_tokenizer)
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(backend))
    config = {"architectures": ["Qwen2ForCausalLM"]}
    with pytest.raises(ModelUnusable, match=r"step 0: .* joins it with what follows"):
        open_verifier(Path("m"), config, "likelihood", tokenizer, separator=" ", model_id="m-0")
    with pytest.raises(ValueError, match="step 0: expected a token to end"):
        layout_of("likelihood", {"likelihood": tokenizer}, ("It is ", "so."))


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("orm", "generative")])
def test_tokens_of_a_prefix_are_a_prefix_of_the_tokens(
    family: VerifierFamily, tokenizers: dict[str, Any]
) -> None:
    whole = layout_of(family, tokenizers)
    assert len(whole.positions) == len(STEPS)
    for k in range(1, len(STEPS)):
        prefix = layout_of(family, tokenizers, STEPS[:k])
        assert prefix.positions == whole.positions[:k]
        assert prefix.token_ids == whole.token_ids[: prefix.positions[-1] + 1]


@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f not in ("likelihood", "implicit", "generative")]
)
def test_what_stands_behind_a_step_is_never_scored(
    family: VerifierFamily, tokenizers: dict[str, Any]
) -> None:
    expected = layout_of(family, tokenizers)
    trailing = (*STEPS[:-1], STEPS[-1] + "\n\n \n")
    assert layout_of(family, tokenizers, trailing) == expected
    with pytest.raises(ValueError, match="step 3 is empty"):
        layout_of(family, tokenizers, (*STEPS, "\n\n"))
    with pytest.raises(ValueError, match="at least one step"):
        layout_of(family, tokenizers, ())


@pytest.mark.parametrize("family", FOREIGN)
def test_a_layout_of_ones_own_needs_the_bare_question(
    family: VerifierFamily, tokenizers: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"bare question.*{family}"):
        verifier_of(family, tokenizers).lay_out(ScoringRequest(prompt="p", steps=STEPS))


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("LlamaForTokenClassification", "token_classification"),
        ("Qwen2ForProcessRewardModel", "qwen_prm"),
        ("Qwen2ForPrmModel", "skywork"),
        ("MistralForSequenceClassification", "orm"),
    ],
)
def test_an_architecture_tells_the_family(architecture: str, family: VerifierFamily) -> None:
    config = {"architectures": [architecture], "model_type": "llama"}
    assert find_family(Path("m"), config, "auto") == family
    assert find_family(Path("m"), config, family) == family
    with pytest.raises(ModelUnusable, match=r"ForCausalLM, got \['"):
        find_family(Path("m"), config, "rlhflow")


def test_a_language_model_must_be_named() -> None:
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    with pytest.raises(ModelUnusable, match="verifier: rlhflow or math_shepherd or likelihood"):
        find_family(Path("m"), config, "auto")
    assert find_family(Path("m"), config, "math_shepherd") == "math_shepherd"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": []}, "ForTokenClassification or .*ForCausalLM, got"),
        (
            {"architectures": ["LlamaForSequenceClassification"], "num_labels": 3},
            "expected 1 or 2 labels",
        ),
    ],
)
def test_models_that_no_family_can_read_are_unusable(config: dict, message: str) -> None:
    with pytest.raises(ModelUnusable, match=message):
        find_family(Path("m"), config, "auto")


def test_a_model_whose_tokens_see_later_ones_is_unusable(llama_tokenizer: Any) -> None:
    config = {"architectures": ["BertForTokenClassification"], "model_type": "bert"}
    with pytest.raises(ModelUnusable, match="expected a causal model, got bert"):
        open_verifier(Path("m"), config, "auto", llama_tokenizer, separator="\n", model_id="m-0")


@pytest.mark.parametrize(
    ("family", "tokenizer", "message"),
    [
        ("qwen_prm", "llama_tokenizer", "one token for '<extra_0>'"),
        ("math_shepherd", "qwen_tokenizer", "one token for 'ки'"),
        ("rlhflow", "mistral_tokenizer", "with a chat template"),
    ],
)
def test_a_vocabulary_of_another_family_is_unusable(
    family: VerifierFamily, tokenizer: str, message: str, request: pytest.FixtureRequest
) -> None:
    config = {"architectures": [f"Any{FAMILIES[family].architecture}"]}
    with pytest.raises(ModelUnusable, match=message):
        open_verifier(
            Path("m"),
            config,
            family,
            request.getfixturevalue(tokenizer),
            separator="\n",
            model_id="m-0",
        )


def test_a_chat_template_that_writes_the_last_turn_otherwise_is_unusable(
    qwen_tokenizer: Any,
) -> None:
    tokenizer = copy.deepcopy(qwen_tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }} {{ loop.length }}: {{ m['content'] }}{% endfor %}"
    )
    config = {"architectures": ["LlamaForCausalLM"]}
    with pytest.raises(ModelUnusable, match="write the first steps alike"):
        open_verifier(Path("m"), config, "rlhflow", tokenizer, separator="\n", model_id="m-0")


def test_a_step_that_holds_the_tag_is_read_once(tokenizers: dict[str, Any]) -> None:
    layout = layout_of("math_shepherd", tokenizers, ("ки ки", "7"))
    tokens = tokenizers["math_shepherd"].convert_ids_to_tokens(layout.token_ids)
    assert tokens.count("▁ки") == 4
    assert [tokens[p] for p in layout.positions] == ["▁ки", "▁ки"]


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ((0.0, 0.0), 0.5),
        ((1.0, 3.0), 1 / (1 + math.exp(-2))),
        ((900.0, -900.0), 0.0),
        ((0.0,), 0.5),
        ((2.0,), 1 / (1 + math.exp(-2))),
        ((-900.0,), 0.0),
        ((900.0,), 1.0),
    ],
)
def test_one_logit_is_a_sigmoid_and_two_are_a_softmax(
    logits: tuple[float, ...], expected: float
) -> None:
    assert p_right(logits) == pytest.approx(expected, abs=1e-12)


def test_a_verifier_that_writes_reads_nothing(tokenizers: dict[str, Any]) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    with pytest.raises(ModelUnusable, match="got generative, whose scores are read in what it wr"):
        open_verifier(
            Path("m"), config, "generative", tokenizers["rlhflow"], separator="\n", model_id="m-0"
        )
