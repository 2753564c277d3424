"""The solutions that error paths begin with, and how many were left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.error_paths import ErrorPathsJob
from schemas.rows import Trajectory
from tasks.critics.asking import ShownSolution
from tasks.graders.verdicts import outcome


@dataclass(frozen=True, slots=True)
class TemplatePool:
    """The templates of a file of solutions, and what it lacks."""

    templates: tuple[Trajectory, ...] = ()
    num_templates: int = 0
    num_problems: int = 0
    num_without: int = 0
    """Problems without a finished solution of the wanted kind."""
    num_one_step: int = 0
    """Solutions of that kind that have no step to go on from, since they are a single one."""

    @classmethod
    def of(cls, solutions: Sequence[Trajectory], job: ErrorPathsJob) -> "TemplatePool":
        """The templates among the solutions of a file, in order."""
        chosen, num_of, fitting, num_one_step = [], Counter[str](), set[str](), 0
        for row in solutions:
            if row.status != "finished":
                continue
            right = outcome(row.status, has_answer=row.answer is not None, correct=row.correct)
            if job.templates != "all" and right is not (job.templates == "right"):
                continue
            fitting.add(row.problem_id)
            if len(ShownSolution.of(row).steps) < 2:
                num_one_step += 1
            elif num_of[row.problem_id] < job.templates_per_problem:
                num_of[row.problem_id] += 1
                chosen.append(row)
        problems = {row.problem_id for row in solutions}
        return cls(tuple(chosen), len(chosen), len(problems), len(problems - fitting), num_one_step)

    @property
    def counts(self) -> "TemplatePool":
        """The numbers without the templates themselves."""
        return replace(self, templates=())

    def __add__(self, other: "TemplatePool") -> "TemplatePool":
        """Those of both files, whose problems are counted in each."""
        return TemplatePool(
            (*self.templates, *other.templates),
            self.num_templates + other.num_templates,
            self.num_problems + other.num_problems,
            self.num_without + other.num_without,
            self.num_one_step + other.num_one_step,
        )
