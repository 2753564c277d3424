"""The model that critiques the solutions of a unit."""

from schemas.critiques import CritiquesJob
from schemas.units import Unit
from tasks.critics.critic import ModelCritic
from tasks.critiques.critic import scope_of
from tasks.engines.host import UnitContext
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format


async def make_model_critic(unit: Unit, job: CritiquesJob, context: UnitContext) -> ModelCritic:
    """The critic of a job, on the engine of its role."""
    model = job.critic.engine or job.policy
    return ModelCritic(
        context.engine(job.critic_role),
        make_prompt_format(job.critic_prompt, model),
        format=job.format,
        drawing=with_recommended(job.critiquing, model),
        num_critiques=job.critiquing.num_critiques,
        max_tokens=job.critiquing.max_tokens,
        told=job.critic.told,
        seed=job.seed,
        scope=scope_of(unit),
    )
