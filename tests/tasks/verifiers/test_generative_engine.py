"""Generative verifiers on a small model that was taught a few critiques, against transformers."""

import asyncio
import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.engines import GenerationRequest, ScoringRequest, VLLMConfig
from schemas.errors import RequestRejected
from schemas.generative import (
    GenerativeConfig,
    GenPrmLayoutConfig,
    ThinkPrmLayoutConfig,
    VerdictLayoutConfig,
)
from tasks.engines.generative_engine import GenerativeEngine
from tasks.engines.open import identify_engine, open_engine
from tasks.models.folders import load_tokenizer
from tasks.prompts.formats import make_prompt_format
from tasks.verifiers.chains import ask_for_turn, ask_for_verdicts

pytestmark = pytest.mark.slow

QUESTION = "3+4-2?"
STEPS = ("3+4=7", "7-2=6", "A: 6")
RIGHT = ("3+4=7", "7-2=5")
_SHORT = "{question}\n{solution}\n"
_PLACES: dict[str, Any] = {
    "key_template": "{question}{key}{solution}",
    "refine_template": "{question}{solution}{critique}",
    "retry_template": "{question}{solution}",
}
LAYOUTS: dict[str, VerdictLayoutConfig] = {
    "lines": LinesCritiqueConfig(),
    "stepwise": StepwiseCritiqueConfig(template=_SHORT + "Judge:", **_PLACES),
    "genprm": GenPrmLayoutConfig(
        system=None, template="{question}\n{step}", opening="<a>P{step}: "
    ),
    "thinkprm": ThinkPrmLayoutConfig(template=_SHORT + "Review:"),
}
KINDS = {
    "lines": ("rR", "wWmM"),
    "stepwise": ("cCrR", "iIwW"),
    "genprm": ("yY", "nN"),
    "thinkprm": ("cC", "iI"),
}
"""The first letters of right and of wrong words: the tokenizer has a token per letter."""
TAUGHT = {
    "lines": {
        STEPS: ["3+4 right\n7-2 wrong\nReview: wrong"],
        STEPS[:2]: ["3+4 right\n7-2 wrong\nReview: wrong"],
        STEPS[:1]: ["3+4 right\nAnswer: missing\nReview: wrong"],
        # Two of three critiques find the second step right.
        RIGHT: ["3+4 right\n7-2 right\nReview: right"] * 2
        + ["3+4 right\n7-2 wrong\nReview: wrong"],
        RIGHT[:1]: [],
    },
    "stepwise": {
        STEPS: [
            "Step 1: 3+4\nCorrectness: correct\nStep 2: 7-2\nCorrectness: wrong\nConclusion: wrong"
        ],
    },
    "thinkprm": {STEPS: ["Step 1: 7 \\boxed{correct}\nStep 2: 5 \\boxed{incorrect}\n"]},
}
CHAT = "{% for m in messages %}<|start_header_id|>{{ m['content'] }}<|end_header_id|>{% endfor %}"
TURNS = ["so \\boxed{Yes}", "no: \\boxed{No}", "hm"]


def teach(folder: Any, tokenizer: Any) -> Any:
    """A small model that writes the critiques above, in a folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer.save_pretrained(folder)
    model_config = VLLMConfig(model=str(folder))
    rows: list[tuple[str, str]] = []
    for name, layout in LAYOUTS.items():
        prompts = make_prompt_format(GenerativeConfig(layout=layout).own_prompt, model_config)
        if isinstance(layout, GenPrmLayoutConfig):
            written: list[str] = []
            for number, turn in enumerate(TURNS, start=1):
                messages = ask_for_turn(layout, QUESTION, STEPS[:number], written)
                opening = layout.opening.replace("{step}", str(number))
                rows.append((prompts.build(messages) + opening, turn))
                written.append(opening + turn)
            continue
        for steps, texts in TAUGHT[name].items():
            prompt = prompts.build(ask_for_verdicts(layout, QUESTION, steps))
            rows += [(prompt, text) for text in texts]
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=3,
            num_key_value_heads=3,
            max_position_embeddings=1024,
            tie_word_embeddings=False,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    ids, labels = [], []
    for prompt, text in rows:
        begin = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        end = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        ids.append(begin + end)
        labels.append([-100] * len(begin) + end)
    longest = max(map(len, ids))
    inputs = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    targets = torch.tensor([row + [-100] * (longest - len(row)) for row in labels])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    for step in range(160):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 20)
        loss = model(input_ids=inputs, labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory, llama_tokenizer: Any) -> tuple[str, Any]:
    """The folder of the model, and transformers' model of it."""
    folder = tmp_path_factory.mktemp("critic")
    tokenizer = copy.deepcopy(llama_tokenizer)
    tokenizer.chat_template = CHAT  # the published ones would be most of a sequence
    return str(folder), teach(folder, tokenizer)


def config_of(folder: str, layout: str, **fields: Any) -> VLLMConfig:
    generative = GenerativeConfig(layout=LAYOUTS[layout], **{"max_tokens": 120, **fields})
    return VLLMConfig(model=folder, verifier="generative", generative=generative, process="host")


@pytest.fixture(scope="module")
def writer(runner: asyncio.Runner, critic: tuple[str, Any]) -> Iterator[Any]:
    """The model in vLLM, for verifiers of any layout."""
    engine = runner.run(open_engine(config_of(critic[0], "lines"), "critic", separator="\n"))
    yield engine
    runner.run(engine.close())


@pytest.fixture
def verifier(writer: Any, critic: tuple[str, Any]) -> Any:
    """From a layout, and fields of its config, to a verifier."""

    def make(layout: str, *, can_continue: bool = True, **fields: Any) -> GenerativeEngine:
        config = config_of(critic[0], layout, **fields)
        return GenerativeEngine(
            writer,
            config.generative,
            config,
            "id",
            can_continue=can_continue,
            vocabulary=writer.encoder.tokenizer.get_vocab(),
        )

    return make


def request_of(steps: tuple[str, ...] = STEPS, **fields: Any) -> ScoringRequest:
    return ScoringRequest(prompt=QUESTION, question=QUESTION, steps=steps, **fields)


def p_right(critic: tuple[str, Any], layout: str, text: str) -> float:
    """P(right) for the letter after a text, by transformers."""
    import torch

    tokenizer = load_tokenizer(Path(critic[0]))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        p = critic[1](torch.tensor([ids])).logits[0, -1].double().softmax(-1)
    right, wrong = (
        sum(p[tokenizer.convert_tokens_to_ids(letter)].item() for letter in letters)
        for letters in KINDS[layout]
    )
    return right / (right + wrong)


def before_verdicts(folder: str, layout: str, steps: tuple[str, ...] = STEPS) -> list[str]:
    """Prompt and critique up to each verdict, as taught."""
    config = LAYOUTS[layout]
    prompts = make_prompt_format(
        GenerativeConfig(layout=config).own_prompt, VLLMConfig(model=folder)
    )
    if isinstance(config, GenPrmLayoutConfig):
        first = prompts.build(ask_for_turn(config, QUESTION, STEPS[:1], []))
        turn = "<a>P1: " + TURNS[0]
        second = prompts.build(ask_for_turn(config, QUESTION, STEPS[:2], [turn]))
        return [first + "<a>P1: so \\boxed{", second + "<a>P2: no: \\boxed{"]
    prompt = prompts.build(ask_for_verdicts(config, QUESTION, steps))
    text = TAUGHT[layout][steps][0]
    marks = {"lines": ("3+4 ", "7-2 "), "stepwise": ("Correctness: ",) * 2}
    found, place = [], 0
    for mark in marks.get(layout, ("\\boxed{",) * 2):
        place = text.index(mark, place) + len(mark)
        found.append(prompt + text[:place])
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_equal_transformers(runner, verifier, critic, layout):
    scoring = runner.run(verifier(layout).score(request_of()))
    expected = [p_right(critic, layout, text) for text in before_verdicts(critic[0], layout)]
    assert expected[0] > 0.8
    assert expected[1] < 0.2
    # GenPRM judges every step, and wrote no verdict on the third; the others stop at the second.
    expected.append(0.5 if layout == "genprm" else expected[1])
    assert scoring.scores == pytest.approx(expected, abs=1e-5)
    assert scoring.generated_tokens > 0
    assert scoring.scored_tokens > scoring.cached_tokens


def test_an_uncertain_verdict_has_its_probability(runner, verifier, critic):
    scoring = runner.run(verifier("lines").score(request_of(RIGHT, is_whole=True)))
    _, second = before_verdicts(critic[0], "lines", RIGHT)
    expected = p_right(critic, "lines", second)
    assert 0.5 < expected < 0.85
    assert scoring.scores[1] == pytest.approx(expected, abs=1e-5)


def test_chains_are_drawn_with_seeds_of_their_own_and_averaged(runner, verifier):
    engine = verifier("lines", num_chains=6, temperature=1.0)
    scoring = runner.run(engine.score(request_of(RIGHT)))
    assert runner.run(engine.score(request_of(RIGHT))).scores == pytest.approx(scoring.scores)
    chains = engine._known.get(QUESTION, RIGHT)
    assert len({chain.texts for chain in chains}) > 1  # one of three was taught to find it wrong
    means = [sum(chain.step_scores(2)[i] for chain in chains) / 6 for i in range(2)]
    assert scoring.scores == pytest.approx(means)
    other = verifier("lines", num_chains=6, temperature=1.0, seed=1)
    drawn = runner.run(other.score(request_of(RIGHT)))
    assert drawn.scores[0] == pytest.approx(scoring.scores[0], abs=0.1)


@pytest.mark.parametrize("layout", ["lines", "genprm"])
def test_known_steps_are_not_judged_again(runner, verifier, layout):
    engine = verifier(layout)
    first = runner.run(engine.score(request_of(STEPS[:1])))
    second = runner.run(engine.score(request_of(STEPS[:2], num_known=1)))
    third = runner.run(engine.score(request_of(STEPS, num_known=2)))
    whole = runner.run(verifier(layout).score(request_of(STEPS[:2], is_whole=True)))
    assert len(second.scores) == len(third.scores) == 1
    assert [*first.scores, *second.scores] == pytest.approx(whole.scores, abs=0.05)
    assert second.generated_tokens < whole.generated_tokens
    if layout == "lines":  # it has failed: nothing more is written
        assert third.scores == second.scores
        assert (third.generated_tokens, third.scored_tokens) == (0, 0)


def test_a_prefix_that_is_not_known_is_judged_from_its_beginning(runner, verifier):
    rest = runner.run(verifier("lines").score(request_of(num_known=2)))
    whole = runner.run(verifier("lines").score(request_of()))
    assert rest.scores == pytest.approx(whole.scores[2:], abs=1e-5)


def test_a_writer_that_cannot_go_on_begins_anew(runner, verifier):
    engine = verifier("lines", can_continue=False)
    whole = runner.run(engine.score(request_of(STEPS[:2])))
    runner.run(engine.score(request_of(STEPS[:1])))
    again = runner.run(engine.score(request_of(STEPS[:2], num_known=1)))
    assert again.scores == pytest.approx(whole.scores[1:], abs=1e-5)
    assert again.generated_tokens == whole.generated_tokens


def test_what_cannot_be_judged_is_rejected(runner, verifier):
    engine = verifier("lines")
    for request, message in [
        (replace(request_of(), question=""), "bare question"),
        (request_of((*STEPS, "\n")), "step 3 is empty"),
        (request_of(("7" * 2000,)), "expected 1 to 1023 tokens"),
    ]:
        with pytest.raises(RequestRejected, match=message):
            runner.run(engine.score(request))
    with pytest.raises(ValueError, match="expected a policy to generate"):
        runner.run(engine.generate(GenerationRequest(prompt="1", max_tokens=1)))


def test_a_critique_that_is_cut_leaves_steps_undecided(runner, verifier):
    scoring = runner.run(verifier("lines", max_tokens=12).score(request_of()))
    assert scoring.scores[0] > 0.8
    assert scoring.scores[1:] == (0.5, 0.5)


def test_a_verifier_is_opened_by_its_family_and_named_by_how_it_is_read(runner, critic):
    one, other = (config_of(critic[0], layout) for layout in ("lines", "stepwise"))
    model = identify_engine(one)
    names = {identify_engine(config, "verifier") for config in (one, other)}
    assert len(names) == 2
    assert all(name.startswith(f"{model}--generative-") for name in names)
    assert identify_engine(one, "critic") == model
    engine = runner.run(open_engine(one, "verifier", separator="\n"))
    try:
        assert engine.model_id == identify_engine(one, "verifier")
        assert runner.run(engine.score(request_of())).scores[1] < 0.2
    finally:
        runner.run(engine.close())
