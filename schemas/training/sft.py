"""Supervised fine-tuning: imitation of completions."""

from typing import Annotated, ClassVar, Literal

from schemas.base import Since
from schemas.dataset_export import Form
from schemas.rows import ModelRole
from schemas.training.confidence import ConfidenceConfig
from schemas.training.recipe import TrainingRecipe


class ImitationRecipe(TrainingRecipe):
    """What methods that imitate completions share: the rows and how they are laid out.

    The trainer of such a method is `SftTrainer`, or a subclass with another `token_losses`.
    """

    form: ClassVar[Form] = "prompt_completion"
    role: ClassVar[ModelRole] = "policy"

    type: str
    packing: bool = False
    """Concatenate the rows of a micro-batch instead of padding them to one length. The loss is the
    same; on a GPU with flash attention this saves the cost of padding."""
    average: Annotated[Literal["tokens", "rows"], Since(4)] = "tokens"
    """What counts alike in the loss: every token of the completions, or every row, so that each
    token of a row weighs as much less as the row is longer than the mean row of the set."""


class SftConfig(ImitationRecipe):
    """Imitation: raise the likelihood of each completion given its prompt.

    Takes sets of the form `prompt_completion`. A row's weight scales its loss.
    """

    type: Literal["sft"] = "sft"
    confidence: Annotated[ConfidenceConfig | None, Since(4)] = None
    """Let the policy disagree with completions of a weaker one; None imitates them."""
