"""A question as the text or the messages that a model is prompted with."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import MarkovConfig, OpenAIConfig, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, Example, PlainPromptConfig
from schemas.search.strategies import RevisionsConfig
from tasks.prompts.formats import make_prompt_format
from tasks.prompts.messages import assistant, system, user
from tasks.world.tokenizer import build_tokenizer

CHAT = ChatPromptConfig(system="Add.", template="Q: {question}")
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<answer>"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def served(**fields: Any) -> OpenAIConfig:
    server = {"base_url": "http://localhost:8000/v1"}
    return OpenAIConfig.model_validate({"model": "acme/solver", "server": server, **fields})


@pytest.mark.parametrize("engine", [MarkovConfig(), served(), served(api="chat")])
def test_a_plain_prompt_is_the_question_in_its_template(engine: Any) -> None:
    plain = make_prompt_format(PlainPromptConfig(template="Q: {question}\n"), engine)
    assert plain.ask("2 + {question}?") == "Q: 2 + {question}?\n"
    assert not plain.has_chat_template


def test_a_chat_prompt_is_the_models_own_template(tokenizer: Path) -> None:
    for engine in (VLLMConfig(model=str(tokenizer)), served(tokenizer=str(tokenizer))):
        prompt_format = make_prompt_format(CHAT, engine)
        assert prompt_format.ask("2 + 2?") == "<system>Add.<user>Q: 2 + 2?<answer>"
        assert prompt_format.has_chat_template


def test_a_server_with_a_chat_api_is_given_messages() -> None:
    prompt_format = make_prompt_format(CHAT, served(api="chat"))
    assert json.loads(prompt_format.ask('"2" + 2?')) == [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": 'Q: "2" + 2?'},
    ]
    assert prompt_format.has_chat_template


@pytest.mark.parametrize(
    ("engine", "said"),
    [(MarkovConfig(), "use a plain prompt"), (served(), r"set policy\.tokenizer")],
)
def test_a_chat_prompt_without_a_template_is_refused(engine: Any, said: str) -> None:
    with pytest.raises(ModelUnusable, match=said):
        make_prompt_format(CHAT, engine)


FEW_SHOTS = PlainPromptConfig(template="1 + 1?\nAnswer: 2\n\n{question}\n", separator="\n")
DIALOGUE = [user("2 + 2?"), assistant("5"), user("Look again.")]


def test_a_plain_model_reads_a_dialogue_text_behind_text() -> None:
    plain = make_prompt_format(FEW_SHOTS, MarkovConfig())
    assert plain.build(DIALOGUE) == "1 + 1?\nAnswer: 2\n\n2 + 2?\n5\nLook again.\n"
    assert plain.build([system("Add."), *DIALOGUE]) == (
        "Add.\n\n1 + 1?\nAnswer: 2\n\n2 + 2?\n5\nLook again.\n"
    )
    ended = [user("2 + 2?"), assistant("5\n"), user("Look again.\n")]
    assert plain.build(ended) == plain.build(DIALOGUE)


def test_a_chat_model_gets_its_template_over_the_whole_dialogue(tokenizer: Path) -> None:
    chat = make_prompt_format(CHAT, VLLMConfig(model=str(tokenizer)))
    turns = "<user>Q: 2 + 2?<assistant>5<user>Look again.<answer>"
    assert chat.build(DIALOGUE) == "<system>Add." + turns
    assert chat.build([system("Judge."), *DIALOGUE]) == "<system>Judge." + turns


def test_a_chat_server_is_given_the_whole_dialogue() -> None:
    chat = make_prompt_format(CHAT.with_fields(system=None), served(api="chat"))
    assert json.loads(chat.build(DIALOGUE)) == [
        {"role": "user", "content": "Q: 2 + 2?"},
        {"role": "assistant", "content": "5"},
        {"role": "user", "content": "Look again."},
    ]


@pytest.mark.parametrize(
    ("messages", "got"),
    [
        ([], "no message"),
        ([system("Add.")], "system"),
        ([user("2?"), assistant("2")], "user, assistant"),
        ([user("2?"), user("3?")], "user, user"),
        ([user("2?"), system("Add."), user("3?")], "user, system, user"),
    ],
)
def test_a_dialogue_that_cannot_be_answered_is_refused(messages: Any, got: str) -> None:
    for prompt in (FEW_SHOTS, CHAT):
        with pytest.raises(ValueError, match=f"expected a dialogue .*, got {got}$"):
            make_prompt_format(prompt, served(api="chat")).build(messages)


JUDGED = "Problem: 2 + 2?\nSolution: 4\nRight?\n"
REVISED = RevisionsConfig().template.replace("{question}", "2 + 2?").replace("{attempts}", "5")


@pytest.mark.parametrize("text", [JUDGED, REVISED])
def test_judges_and_revisions_read_what_a_question_of_that_text_reads(
    text: str, tokenizer: Path
) -> None:
    """Prompts are the same, to the byte, as those of a question with that text."""
    plain = make_prompt_format(FEW_SHOTS, MarkovConfig())
    assert plain.build([user(text)]) == FEW_SHOTS.template.replace("{question}", text)
    chat = make_prompt_format(CHAT, VLLMConfig(model=str(tokenizer)))
    assert chat.build([user(text)]) == f"<system>Add.<user>Q: {text}<answer>"
    messages = [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": f"Q: {text}"},
    ]
    served_chat = make_prompt_format(CHAT, served(api="chat"))
    assert served_chat.build([user(text)]) == json.dumps(messages, ensure_ascii=False)


EXAMPLES = (Example(question="1 + 1?", answer="2"), Example(question="3?", answer="\nIt is 3. "))
EXAMPLES_TEXT = "Q: 1 + 1?\nA: 2\n\nQ: 3?\nA: It is 3.\n\n"


def test_a_plain_prompt_shows_its_examples_before_the_question(tmp_path: Path) -> None:
    config = PlainPromptConfig(template="Q: {question}\nA:", examples=EXAMPLES, opening=" Well,")
    plain = make_prompt_format(config, MarkovConfig())
    assert plain.ask("2?") == f"{EXAMPLES_TEXT}Q: 2?\nA: Well,"
    assert plain.stop == ("\nQ:",)
    assert plain.build([system("Add."), *DIALOGUE]) == (
        f"Add.\n\n{EXAMPLES_TEXT}Q: 2 + 2?\nA:5\nLook again.\n Well,"
    )
    ends = config.with_fields(example_end="\n---\n", template="{question}\n")
    assert make_prompt_format(ends, MarkovConfig()).ask("2?") == (
        "1 + 1?\n2\n---\n3?\nIt is 3.\n---\n2?\n Well,"
    )


def test_examples_may_come_from_the_first_rows_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    rows = [{"q": f"{n}?", "a": f"It is {n}.", "level": n} for n in range(5)]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    source = {"file": str(file), "num": 2, "question_column": "q", "answer_column": "a"}
    config = PlainPromptConfig.model_validate({"examples": source})
    plain = make_prompt_format(config, MarkovConfig())
    assert plain.ask("9?") == "0?\nIt is 0.\n\n1?\nIt is 1.\n\n9?\n"
    assert plain.stop == ("\n\n",)
    for change, said in (
        ({"num": 6}, r"expected at most 5, .*, got 6"),
        ({"answer_column": "answer"}, r"row 1: expected a text in 'answer' .*, it has q, a, level"),
        ({"file": str(tmp_path / "no.jsonl")}, "expected a JSON Lines file"),
    ):
        config = PlainPromptConfig.model_validate({"examples": {**source, **change}})
        with pytest.raises(ValueError, match=said):
            make_prompt_format(config, MarkovConfig())
    file.write_text("{not json\n")
    config = PlainPromptConfig.model_validate({"examples": {**source, "num": 1}})
    with pytest.raises(ValueError, match="row 1: expected JSON"):
        make_prompt_format(config, MarkovConfig())


def test_a_chat_prompt_shows_its_examples_as_turns(tokenizer: Path) -> None:
    config = CHAT.with_fields(examples=EXAMPLES[:1], opening="Well, ")
    chat = make_prompt_format(config, VLLMConfig(model=str(tokenizer)))
    shown = "<user>Q: 1 + 1?<assistant>2"
    assert chat.ask("2?") == f"<system>Add.{shown}<user>Q: 2?<answer>Well, "
    assert chat.build([system("Judge."), *DIALOGUE]) == (
        f"<system>Judge.{shown}<user>Q: 2 + 2?<assistant>5<user>Look again.<answer>Well, "
    )
    assert json.loads(make_prompt_format(config, served(api="chat")).ask("2?")) == [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": "Q: 1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "Q: 2?"},
        {"role": "assistant", "content": "Well, "},
    ]


NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}" + TEMPLATE
)
DEAF = "{% for m in messages %}{% if m['role'] != 'system' %}{{ m['content'] }}{% endif %}"
DEAF += "{% endfor %}"
THINKS = TEMPLATE + "{% if enable_thinking is defined and not enable_thinking %}<skip>{% endif %}"


def save_template(folder: Path, template: str) -> VLLMConfig:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return VLLMConfig(model=str(folder))


def test_a_template_without_a_system_role_is_named_with_its_remedy(tmp_path: Path) -> None:
    engine = save_template(tmp_path, NO_SYSTEM)
    with pytest.raises(ModelUnusable, match=r"System role not supported.*system_role to merge"):
        make_prompt_format(CHAT, engine)
    merged = make_prompt_format(CHAT.with_fields(system_role="merge"), engine)
    assert merged.ask("2?") == "<user>Add.\n\nQ: 2?<answer>"
    assert merged.build([system("Judge."), *DIALOGUE]) == (
        "<user>Judge.\n\nQ: 2 + 2?<assistant>5<user>Look again.<answer>"
    )
    shown = CHAT.with_fields(system_role="merge", examples=EXAMPLES[:1])
    assert make_prompt_format(shown, engine).ask("2?") == (
        "<user>Add.\n\nQ: 1 + 1?<assistant>2<user>Q: 2?<answer>"
    )
    alone = make_prompt_format(CHAT.with_fields(system=None), engine)
    assert alone.ask("2?") == "<user>Q: 2?<answer>"


def test_a_template_that_leaves_out_the_system_text_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = save_template(tmp_path, DEAF)
    assert make_prompt_format(CHAT, engine).ask("2?") == "Q: 2?"
    assert "leaves out the system message" in caplog.text
    caplog.clear()
    assert make_prompt_format(CHAT.with_fields(system=None), engine).ask("2?") == "Q: 2?"
    assert not caplog.text


def test_arguments_of_a_chat_template_reach_it(tmp_path: Path) -> None:
    engine = save_template(tmp_path, THINKS)
    for value, end in ((False, "<answer><skip>"), (True, "<answer>")):
        config = CHAT.with_fields(template_arguments={"enable_thinking": value})
        assert make_prompt_format(config, engine).ask("2?").endswith(end)
    config = CHAT.with_fields(template_arguments={"enable_thought": False})
    with pytest.raises(ModelUnusable, match=r"reads \(enable_thinking\), got 'enable_thought'"):
        make_prompt_format(config, engine)
    config = CHAT.with_fields(system=None, template_arguments={"enable_thinking": False})
    assert json.loads(make_prompt_format(config, served(api="chat")).ask("2?")) == {
        "messages": [{"role": "user", "content": "Q: 2?"}],
        "template_arguments": {"enable_thinking": False},
    }
