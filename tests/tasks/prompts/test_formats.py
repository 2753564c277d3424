"""A question as the text or the messages that a model is prompted with."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import MarkovConfig, OpenAIConfig, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, PlainPromptConfig
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
