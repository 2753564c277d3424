"""Presets of prompts: what they become, and what configs that name them are."""

import json

import pytest
from prefect.utilities.schema_tools.validation import ValidationError as RefusedByServer
from prefect.utilities.schema_tools.validation import validate
from pydantic import TypeAdapter

from schemas.data_sets import DATA_SETS
from schemas.engines import MarkovConfig
from schemas.few_shot import GSM8K, MINERVA
from schemas.graders import MathGraderConfig
from schemas.prompt_presets import PRESETS
from schemas.prompts import ChatPromptConfig, Example, PlainPromptConfig, PromptConfig
from schemas.sampling import SamplingJob
from tasks.graders import extract_answer, make_grader
from tasks.prompts.formats import make_prompt_format

PROMPTS = TypeAdapter(PromptConfig)
JOB = {
    "problems": {"type": "named", "name": "gsm8k"},
    "policy": {"type": "vllm", "model": "absent/model"},
}


def job_with(prompt):
    return SamplingJob.from_partial({**JOB, "prompt": prompt})


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_becomes_an_ordinary_prompt(name):
    prompt = PROMPTS.validate_python({"type": "preset", "name": name})
    assert isinstance(prompt, PlainPromptConfig | ChatPromptConfig)
    assert prompt == PROMPTS.validate_python(PRESETS[name].prompt)
    assert PRESETS[name].name == name
    assert all(PRESETS[name].facts.values())


def test_a_config_is_that_of_the_prompt_it_stands_for():
    named = job_with({"type": "preset", "name": "qwen2.5-math"})
    written = job_with(
        {
            "type": "chat",
            "system": "Please reason step by step, and put your final answer within \\boxed{}.",
            "template": "{question}",
            "separator": "\n\n",
        }
    )
    assert named == written
    assert named.config_hash() == written.config_hash()
    assert SamplingJob.from_partial(json.loads(named.model_dump_json())) == named


def test_further_fields_replace_those_of_the_preset():
    prompt = job_with({"type": "preset", "name": "llama-3", "separator": "\n"}).prompt
    assert isinstance(prompt, ChatPromptConfig)
    assert prompt.separator == "\n"
    assert str(prompt.system).startswith("Solve the following math problem efficiently")


def test_thoughts_are_told_apart_where_the_family_thinks():
    thinks = {
        name
        for name in PRESETS
        if PROMPTS.validate_python({"type": "preset", "name": name}).thinking is not None
    }
    assert thinks == {"qwen3-thinking", "deepseek-r1-distill"}
    forced = job_with(
        {"type": "preset", "name": "qwen3-thinking", "thinking": {"max_thinking_tokens": 4096}}
    ).prompt
    assert forced.thinking is not None
    assert forced.thinking.is_forced


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"type": "preset", "name": "qwen25"}, r"prompt: expected the name of one of boxed, .*got"),
        ({"type": "preset", "name": "lama-3"}, "did you mean llama-3"),
        ({"type": "preset"}, "got None"),
        ({"type": "preset", "name": ["boxed"]}, r"got \['boxed'\]"),
        ({"type": "preset", "name": "boxed", "sytem": None}, "prompt.sytem: no such field"),
        ({"type": "preset", "name": "boxed", "template": "{q}"}, "expected {question} exactly"),
    ],
)
def test_a_preset_that_does_not_fit_is_named(prompt, message):
    with pytest.raises(ValueError, match=message):
        job_with(prompt)


def test_prefects_server_accepts_a_preset_where_it_accepts_a_prompt():
    schema = SamplingJob.model_json_schema()
    validate({**JOB, "prompt": {"type": "preset", "name": "llama-3"}}, schema, raise_on_error=True)
    with pytest.raises(RefusedByServer):
        validate({**JOB, "prompt": {"type": "presets"}}, schema, raise_on_error=True)


def test_every_data_set_names_a_preset():
    assert {known.prompt for known in DATA_SETS.values()} <= set(PRESETS)


def test_few_shot_prompts_end_with_the_question_and_hold_every_example():
    for name, examples, stop in (
        ("gsm8k-4shot", GSM8K, "\nQuestion:"),
        ("minerva-4shot", MINERVA, "\nProblem:"),
    ):
        prompt = PROMPTS.validate_python({"type": "preset", "name": name})
        asked = make_prompt_format(prompt, MarkovConfig())
        assert asked.stop == (stop,)
        text = asked.ask("What is {1}+1?")
        assert all(example.question in text and example.solution in text for example in examples)
        assert text.rindex("What is {1}+1?") > text.rindex(examples[-1].solution)
        assert "{question}" not in text


def test_the_grader_reads_the_answers_of_the_examples(make_problem):
    grader = make_grader(MathGraderConfig())
    written = [(f"{e.solution}\n#### {e.answer}", e.answer) for e in GSM8K]
    written += [
        (f"Final Answer: The final answer is {e.answer}. I hope it is correct.", e.answer)
        for e in MINERVA
    ]
    written += [(e.solution, e.answer) for e in MINERVA]
    for text, answer in written:
        assert extract_answer(text) is not None
        assert grader.grade(text, make_problem(answer=answer)).correct, text
    grader.close()


def test_the_examples_of_gsm8k_are_training_problems(shared_data):
    lines = (shared_data / "gsm8k_train.jsonl").read_text().splitlines()[:10]
    questions = [json.loads(line)["question"] for line in lines]
    assert {example.question for example in GSM8K} <= set(questions)


def test_another_task_has_nothing_of_the_own_one():
    chat = ChatPromptConfig(
        template="{question} Think.",
        examples=(Example(question="1 + 1?", answer="2"),),
        opening="Sure:",
        system_role="merge",
        template_arguments={"enable_thinking": False},
    )
    other = chat.for_other_tasks()
    assert (other.system, other.template, other.examples, other.opening) == (
        None,
        "{question}",
        (),
        "",
    )
    assert (other.system_role, other.template_arguments) == ("merge", {"enable_thinking": False})
    plain = PlainPromptConfig(template="Q: {question}\nA:", stop=("Q:",), separator="\n\n")
    assert plain.for_other_tasks() == PlainPromptConfig(separator="\n\n")
    assert PlainPromptConfig().for_other_tasks() == PlainPromptConfig()
