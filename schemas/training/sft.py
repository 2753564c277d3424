"""Supervised fine-tuning: imitation of completions."""

from typing import ClassVar, Literal

from schemas.dataset_export import Form
from schemas.rows import ModelRole
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


class SftConfig(ImitationRecipe):
    """Imitation: raise the likelihood of each completion given its prompt.

    Takes sets of the form `prompt_completion`. A row's weight scales its loss.
    """

    type: Literal["sft"] = "sft"
