"""Where a thought ends and its answer begins, in texts and in rows.

The tags are those of `schemas.thinking`. A solution's text has what the model wrote, to the byte:
with templates that open the thought in the prompt it has only the tag that ends it. So whether a
text without tags is a thought that was cut, or an answer without thought, is known from the prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.rows import Step, Trajectory
from schemas.thinking import ThinkingConfig
from tasks.steps.trees import whole_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Thoughts:
    """The tags of a model's thoughts, and whether its prompt has opened one."""

    start: str
    end: str
    is_opened: bool = False

    @classmethod
    def of(cls, config: ThinkingConfig, prompt: str = "") -> "Thoughts":
        """The thoughts of answers to a prompt, whose end may open one."""
        is_opened = config.is_opened
        if is_opened is None:
            is_opened = prompt.rstrip().endswith(config.start)
        return cls(start=config.start, end=config.end, is_opened=is_opened)

    @property
    def tags(self) -> tuple[str, str]:
        """What opens and what ends a thought."""
        return self.start, self.end

    def is_open(self, text: str) -> bool:
        """Whether a solution that begins with this text is within a thought."""
        last_end = text.rfind(self.end)
        if text.rfind(self.start) > last_end:
            return True
        return self.is_opened and last_end < 0

    def answer(self, text: str) -> str:
        """What a solution says outside of its thoughts; nothing of one that is cut is an answer."""
        if self.is_opened and self.end not in text:
            return ""
        return text.rpartition(self.end)[2].partition(self.start)[0]

    def num_tokens(self, steps: Sequence[Step], before: str = "") -> int:
        """Tokens of the steps that belong to thoughts, their tags included.

        Args:
            steps: cut by a rule with this end of thoughts.
            before: the beginning of the solution, which the steps continue.
        """
        text, done, found = before, 0, 0
        for step in steps:
            done += step.num_tokens
            text += step.text
            if self.end in step.text or self.is_open(text):
                found = done
        return found


def answer_text(row: Trajectory, rows: Mapping[str, Trajectory]) -> str:
    """What a stored solution says behind its thought; all of it if no thought was recorded.

    Args:
        row: a solution, a branch of a search tree, or a rollout.
        rows: by id, including all rows that it continues.

    Raises:
        ValueError: a row that it continues is missing, or has too few steps.
    """
    whole_steps(row, rows)
    num_before = row.branch_step or 0 if row.parent_id is not None else 0
    return _outside(row, rows, num_before + len(row.steps))


def _outside(row: Trajectory, rows: Mapping[str, Trajectory], num_steps: int) -> str:
    """What the first steps of a solution, counted from its beginning, say behind a thought."""
    num_before = row.branch_step or 0 if row.parent_id is not None else 0
    num_thinking, done, answer = row.thinking_tokens or 0, 0, ""
    own = row.steps[: max(num_steps - num_before, 0)]
    for step in own:
        if done >= num_thinking:
            answer += step.text
        done += step.num_tokens
    if row.parent_id is None or not num_before or (own and num_thinking):
        return answer
    return _outside(rows[row.parent_id], rows, min(num_steps, num_before)) + answer
