"""A question as the text or the messages that a model is asked with."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import MarkovConfig, OpenAIConfig, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, PlainPromptConfig
from tasks.prompts.formats import make_prompt_format
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
    assert plain.build("2 + {question}?") == "Q: 2 + {question}?\n"
    assert not plain.has_chat_template


def test_a_chat_prompt_is_the_models_own_template(tokenizer: Path) -> None:
    for engine in (VLLMConfig(model=str(tokenizer)), served(tokenizer=str(tokenizer))):
        prompt_format = make_prompt_format(CHAT, engine)
        assert prompt_format.build("2 + 2?") == "<system>Add.<user>Q: 2 + 2?<answer>"
        assert prompt_format.has_chat_template


def test_a_server_with_a_chat_api_is_given_messages() -> None:
    prompt_format = make_prompt_format(CHAT, served(api="chat"))
    assert json.loads(prompt_format.build('"2" + 2?')) == [
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
