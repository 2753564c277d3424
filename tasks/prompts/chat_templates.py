"""The chat template of a model, its arguments, and what it refuses."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.errors import ModelUnusable

_log = logging.getLogger(__name__)


class ChatTemplate:
    """A model's chat template with fixed arguments."""

    def __init__(self, model: str, revision: str | None, arguments: Mapping[str, Any]) -> None:
        """Load the model's tokenizer.

        Raises:
            ModelUnusable: it has no chat template, or one that does not read an argument.
        """
        from tasks.models.folders import load_tokenizer, resolve_model

        self._model = model
        self._arguments = dict(arguments)
        self._tokenizer: Any = load_tokenizer(resolve_model(model, revision))
        if self._tokenizer.chat_template is None:
            raise ModelUnusable(f"model {model} has no chat template: use a plain prompt")
        known = self._names()
        for name in arguments:
            if name not in known:
                raise ModelUnusable(
                    f"template_arguments: expected arguments that the chat template of {model} "
                    f"reads ({', '.join(sorted(known)) or 'it reads none'}), got {name!r}"
                )

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt of a dialogue, ended by what begins the answer.

        Raises:
            ModelUnusable: the template refuses the messages; its own words, and what may help.
        """
        import jinja2

        try:
            return self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **self._arguments
            )
        except jinja2.TemplateError as error:
            roles = [message["role"] for message in messages]
            advice = (
                ": if it has no system role, set prompt.system_role to merge, which puts the "
                "system text before the first question, or prompt.system to null"
                if "system" in roles
                else ""
            )
            raise ModelUnusable(
                f"model {self._model}: its chat template refuses a dialogue of "
                f"{', '.join(roles)} ({error}){advice}"
            ) from error

    def check_system(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Refuse a template that refuses these messages, and name one that drops the system text.

        Raises:
            ModelUnusable: see `render`.
        """
        text = self.render(messages)
        for message in messages:
            if message["role"] == "system" and message["content"].strip() not in text:
                _log.warning(
                    "model %s: its chat template leaves out the system message; set "
                    "prompt.system_role to merge, or prompt.system to null",
                    self._model,
                )

    def _names(self) -> set[str]:
        """The variables that the template reads and that are no part of every call."""
        import jinja2
        import jinja2.meta

        templates = self._tokenizer.chat_template
        texts = templates.values() if isinstance(templates, dict) else [templates]
        environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"])
        given = {"messages", "add_generation_prompt", "raise_exception", "strftime_now"}
        names: set[str] = set()
        for text in texts:
            # `{% generation %}` marks answers for training; it is no part of jinja itself.
            plain = text.replace("{% generation %}", "").replace("{% endgeneration %}", "")
            names |= jinja2.meta.find_undeclared_variables(environment.parse(plain))
        return names - given - set(self._tokenizer.special_tokens_map)
