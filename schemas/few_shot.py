"""Worked examples that base models are shown before a question.

They are problems of the training splits, so a run that trains on those splits trains on them too.
"""

from typing import NamedTuple


class Shown(NamedTuple):
    """A problem, its solution, and the answer as the solution marks it."""

    question: str
    solution: str
    answer: str


GSM8K = (
    Shown(
        "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips "
        "in May. How many clips did Natalia sell altogether in April and May?",
        "Natalia sold 48/2 = 24 clips in May.\n"
        "Natalia sold 48+24 = 72 clips altogether in April and May.",
        "72",
    ),
    Shown(
        "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes of "
        "babysitting. How much did she earn?",
        "Weng earns 12/60 = $0.2 per minute.\nWorking 50 minutes, she earned 0.2 x 50 = $10.",
        "10",
    ),
    Shown(
        "Betty is saving money for a new wallet which costs $100. Betty has only half of the "
        "money she needs. Her parents decided to give her $15 for that purpose, and her "
        "grandparents twice as much as her parents. How much more money does Betty need to buy "
        "the wallet?",
        "In the beginning, Betty has only 100 / 2 = $50.\n"
        "Betty's grandparents gave her 15 * 2 = $30.\n"
        "This means, Betty needs 100 - 50 - 30 - 15 = $5 more.",
        "5",
    ),
    Shown(
        "James writes a 3-page letter to 2 different friends twice a week.  How many pages does "
        "he write a year?",
        "He writes each friend 3*2=6 pages a week\n"
        "So he writes 6*2=12 pages every week\n"
        "That means he writes 12*52=624 pages a year",
        "624",
    ),
)
"""The first, second, third and fifth problem of GSM8K's training split, without its calculator
notes (the fourth names two people for one)."""

MINERVA = (
    Shown(
        r"Find the domain of the expression $\frac{\sqrt{x-2}}{\sqrt{5-x}}$.",
        "The expressions inside each square root must be non-negative. Therefore, "
        r"$x-2 \ge 0$, so $x\ge2$, and $5 - x \ge 0$, so $x \le 5$. Also, the denominator "
        "cannot be equal to zero, so $5-x>0$, which gives $x<5$. Therefore, the domain of the "
        r"expression is $\boxed{[2,5)}$.",
        "$[2,5)$",
    ),
    Shown(
        r"If $\det \mathbf{A} = 2$ and $\det \mathbf{B} = 12,$ then find "
        r"$\det (\mathbf{A} \mathbf{B}).$",
        r"We have that $\det (\mathbf{A} \mathbf{B}) = (\det \mathbf{A})(\det \mathbf{B}) = "
        r"(2)(12) = \boxed{24}.$",
        "$24$",
    ),
    Shown(
        "Terrell usually lifts two 20-pound weights 12 times. If he uses two 15-pound weights "
        "instead, how many times must Terrell lift them in order to lift the same total weight?",
        r"If Terrell lifts two 20-pound weights 12 times, he lifts a total of $2\cdot 12\cdot20="
        "480$ pounds of weight. If he lifts two 15-pound weights instead for $n$ times, he will "
        r"lift a total of $2\cdot15\cdot n=30n$ pounds of weight. Equating this to 480 pounds, we "
        "can solve for $n$:\n\\begin{align*}\n30n&=480\\\\\n"
        "\\Rightarrow\\qquad n&=480/30=\\boxed{16}\n\\end{align*}",
        "$16$",
    ),
    Shown(
        "If the system of equations\n\n\\begin{align*}\n6x-4y&=a,\\\\\n6y-9x &=b.\n\\end{align*}"
        r"has a solution $(x, y)$ where $x$ and $y$ are both nonzero, find $\frac{a}{b},$ "
        "assuming $b$ is nonzero.",
        r"If we multiply the first equation by $-\frac{3}{2}$, we obtain "
        r"$$6y-9x=-\frac{3}{2}a.$$Since we also know that $6y-9x=b$, we have "
        r"$$-\frac{3}{2}a=b\Rightarrow\frac{a}{b}=\boxed{-\frac{2}{3}}.$$",
        r"$-\frac{2}{3}$",
    ),
)
"""The four problems of Minerva's prompt (arXiv:2206.14858, appendix D.2)."""
