"""Prompts of model families and data sets by name: `prompt: {type: preset, name: llama-3}`.

A preset stands for an ordinary prompt config, into which it is turned before anything else reads
the config: hashes, recorded runs and cards hold what it stands for. Further fields beside the name
replace those of the preset. To add one, add a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from schemas.few_shot import GSM8K, MINERVA

_BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
_LLAMA = (
    "Solve the following math problem efficiently and clearly:\n\n"
    "- For simple problems (2 steps or fewer):\n"
    "Provide a concise solution with minimal explanation.\n\n"
    "- For complex problems (3 steps or more):\n"
    "Use this step-by-step format:\n\n"
    "## Step 1: [Concise description]\n[Brief explanation and calculations]\n\n"
    "## Step 2: [Concise description]\n[Brief explanation and calculations]\n\n...\n\n"
    "Regardless of the approach, always conclude with:\n\n"
    "Therefore, the final answer is: $\\boxed{answer}$. I hope it is correct.\n\n"
    "Where [answer] is just the final number or expression that solves the problem."
)
_METAMATH = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n{question}\n\n### Response: Let's think step by step."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPreset:
    """A prompt that goes with a family of models, or with a set of problems."""

    name: str
    summary: str
    """What it is for, in one sentence."""
    prompt: Mapping[str, Any]
    """The prompt config that it stands for."""
    sampling: str = ""
    """How the family's makers advise to sample; nothing sets it."""
    read_in: str

    @property
    def facts(self) -> dict[str, str]:
        """Everything about it in words, for help and docs."""
        fields = {name: repr(value) for name, value in self.prompt.items() if name != "type"}
        known = {"type": str(self.prompt["type"]), **fields, "read in": self.read_in}
        return known | ({"advised sampling": self.sampling} if self.sampling else {})


def _chat(
    template: str = "{question}", *, system: str | None = None, separator: str = "\n\n"
) -> dict[str, Any]:
    return {"type": "chat", "system": system, "template": template, "separator": separator}


_RECORDS = (
    PromptPreset(
        name="boxed",
        summary="Any chat model: steps end with an empty line, the answer is in a box.",
        prompt=_chat(f"{{question}}\n\n{_BOXED}"),
        read_in="the instruction of Qwen's and DeepSeek's model cards",
    ),
    PromptPreset(
        name="letter",
        summary="Any chat model and a question with options: the answer is a letter in a box.",
        prompt=_chat(
            "{question}\n\nPlease reason step by step, and put the letter of the right option "
            "within \\boxed{}."
        ),
        read_in="written for this project",
    ),
    PromptPreset(
        name="program",
        summary="Any chat model and a program to write: the whole program in one code block.",
        prompt=_chat(
            "{question}\n\nPlease write the whole Python program, with the function as it is "
            "named above, in one ```python block."
        ),
        read_in="written for this project",
    ),
    PromptPreset(
        name="llama-3",
        summary="Llama 3.1 and 3.2 Instruct, with the step format of search-and-learn.",
        prompt=_chat(system=_LLAMA),
        sampling="temperature 0.8 and top-p 1 in search-and-learn",
        read_in="github.com/huggingface/search-and-learn, src/sal/config.py",
    ),
    PromptPreset(
        name="qwen2.5",
        summary="Qwen2.5 Instruct: the instruction follows the question.",
        prompt=_chat(f"{{question}}\n{_BOXED}"),
        sampling="temperature 0.7, top-p 0.8, top-k 20 (generation_config.json)",
        read_in="from memory of the model card",
    ),
    PromptPreset(
        name="qwen2.5-math",
        summary="Qwen2.5-Math Instruct: the instruction is the system message.",
        prompt=_chat(system=_BOXED),
        sampling="greedy",
        read_in="from memory of the model card",
    ),
    PromptPreset(
        name="qwen3-thinking",
        summary="Qwen3 in its thinking mode, which is the default of its chat template.",
        prompt=_chat(f"{{question}}\n{_BOXED}") | {"thinking": {}},
        sampling="temperature 0.6, top-p 0.95, top-k 20, never greedy; 32,768 tokens or more",
        read_in="model card (instruction from memory)",
    ),
    PromptPreset(
        name="qwen3",
        summary="Qwen3 without thinking, by an argument of its chat template.",
        prompt=_chat(f"{{question}}\n{_BOXED}")
        | {"template_arguments": {"enable_thinking": False}},
        sampling="temperature 0.7, top-p 0.8, top-k 20",
        read_in="model card (instruction from memory)",
    ),
    PromptPreset(
        name="deepseek-r1-distill",
        summary="DeepSeek-R1's distilled models: no system message, all in the user's.",
        prompt=_chat(f"{{question}}\n{_BOXED}") | {"thinking": {}},
        sampling="temperature 0.6, top-p 0.95; 32,768 tokens",
        read_in="usage recommendations of the model card, as docs.together.ai repeats them",
    ),
    PromptPreset(
        name="gemma",
        summary="Gemma 2 and 3: no system message, which their template refuses or folds in.",
        prompt=_chat(f"{{question}}\n\n{_BOXED}"),
        read_in="from memory of the chat templates",
    ),
    PromptPreset(
        name="mistral",
        summary="Mistral Instruct: no system message, which older templates refuse.",
        prompt=_chat(f"{{question}}\n\n{_BOXED}"),
        read_in="from memory of the chat templates",
    ),
    PromptPreset(
        name="smollm2",
        summary="SmolLM2 Instruct, whose template adds a system message of its own.",
        prompt=_chat(f"{{question}}\n\n{_BOXED}"),
        read_in="the model's chat template",
    ),
    PromptPreset(
        name="metamath",
        summary="Models tuned on MetaMath, such as Math-Shepherd's completer; steps are lines.",
        prompt={"type": "plain", "template": _METAMATH, "separator": "\n"},
        read_in="from memory of MetaMath's repository",
    ),
    PromptPreset(
        name="gsm8k-4shot",
        summary="Base models on word problems: four examples, a step a line, then ####.",
        prompt={
            "type": "plain",
            "template": "Question: {question}\nAnswer:",
            "examples": [{"question": q, "answer": f"{s}\n#### {a}"} for q, s, a in GSM8K],
            "separator": "\n",
        },
        read_in="GSM8K's training split",
    ),
    PromptPreset(
        name="minerva-4shot",
        summary="Base models on MATH: Minerva's four examples (arXiv:2206.14858).",
        prompt={
            "type": "plain",
            "template": "Problem:\n{question}\n\nSolution:\n",
            "examples": [
                {
                    "question": q,
                    "answer": f"{s}\nFinal Answer: The final answer is {a}. I hope it is correct.",
                }
                for q, s, a in MINERVA
            ],
            "separator": "\n",
        },
        read_in="copies of Minerva's prompt in open-instruct and opencompass",
    ),
)

PRESETS: dict[str, PromptPreset] = {preset.name: preset for preset in _RECORDS}
"""Every preset by its name."""


def resolve_preset(values: Any) -> Any:
    """The fields of a prompt config for those that name a preset; anything else as it is.

    Raises:
        ValueError: no preset has this name, or the fields beside it name another type.
    """
    if not isinstance(values, Mapping) or values.get("type") != "preset":
        return values
    name = values.get("name")
    if not isinstance(name, str) or name not in PRESETS:
        close = get_close_matches(name, PRESETS, n=3) if isinstance(name, str) else []
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"expected the name of one of {', '.join(PRESETS)}, got {name!r}{hint}")
    changes = {field: value for field, value in values.items() if field not in ("type", "name")}
    return {**PRESETS[name].prompt, **changes}
