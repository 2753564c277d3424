r"""One spelling for the many ways of writing the same formula; no value is read here.

Unicode signs become LaTeX commands and full-width characters ordinary ones, commands that differ
only on paper become one, arguments get their braces (`\frac ab`, `\sqrt 10`, `√10`), and
meaningless delimiters and spaces are removed. `\sqrt12` is the root of 12: TeX would print √1·2,
which is never meant. `\frac123` is left unchanged, and so is not mathematics: it may be 1/23 or
12/3.
"""

import re
import unicodedata

from tasks.graders.symbols import SUBSCRIPTS, SUPERSCRIPTS, SYMBOLS

_COMMANDS = {
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "\\left": "",
    "\\right": "",
    "\\middle": "",
    "\\displaystyle": "",
    "\\textstyle": "",
    "\\limits": "",
    "\\bigl": "",
    "\\bigr": "",
    "\\big": "",
    "\\Bigl": "",
    "\\Bigr": "",
    "\\Big": "",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\lbrack": "[",
    "\\rbrack": "]",
    "\\mid": "|",
    "\\vert": "|",
    "\\lvert": "|",
    "\\rvert": "|",
    "\\colon": ":",
    "\\lt": "<",
    "\\gt": ">",
    "\\leq": "\\le ",
    "\\leqslant": "\\le ",
    "\\geq": "\\ge ",
    "\\geqslant": "\\ge ",
    "\\ne": "\\neq ",
    "\\not=": "\\neq ",
    "\\degree": "^\\circ",
    "\\degrees": "^\\circ",
    "\\varnothing": "\\emptyset ",
    "\\oslash": "\\emptyset ",
    "\\bigcup": "\\cup ",
    "\\lor": "\\text{ or }",
    "\\vee": "\\text{ or }",
    "\\textdollar": "\\$",
    "\\textpercent": "\\%",
    "\\textdegree": "^\\circ",
    "^{\\circ}": "^\\circ",
    "\\bullet": "\\cdot ",
    "@": " at ",
    "{,}": ",",
    "**": "^",
}
_COMMAND = re.compile(
    "|".join(
        # A command ends where its letters end: \left is not the beginning of \leftarrow.
        re.escape(text) + ("(?![A-Za-z])" if text[-1].isalpha() and text[0] == "\\" else "")
        for text in _COMMANDS
        if text != "\\bigcup"
    )
    + r"|\\bigcup(?![A-Za-z])(?!\s*[_^])"
)
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_INNER_DELIMITER = re.compile(r"(?<!\\)\\[()]")
# A line break of a matrix is matched first, so that its second half is not read as a command.
_SPACING = re.compile(
    r"(?P<line_break>\\\\)|(?P<nothing>\\!\s*|(?<=\d)\\,(?=\d{3}(?!\d)))"
    r"|\\[,;:> ]|\\q?quad(?![A-Za-z])|~"
)
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_SHORT_SCRIPT = re.compile(r"([_^])\{([A-Za-z0-9])\}")
_UPRIGHT = re.compile(r"\\(?:text(?:rm|bf|it|sf|tt|up|normal|md)?|mbox|hbox|mathrm)\s*\{")
_OLD_UPRIGHT = re.compile(r"\{\s*\\(?:rm|bf|it|sf)(?![A-Za-z])\s*([^{}]*)\}")
_DECORATION = re.compile(
    r"\\(?:mathbf|mathit|mathsf|mathtt|mathcal|mathnormal|boldsymbol|bm|bold|underline|emph"
    r"|ensuremath)\s*\{([^{}]*)\}"
)
_COLOR = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}")
_OPERATOR = re.compile(r"\\(?:operatorname\*?|text|mathrm)\s*\{\s*([A-Za-z]+)\s*\}")
_NAMED_OPERATORS = frozenset(
    (
        "arccos",
        "arcsin",
        "arctan",
        "cos",
        "cosh",
        "cot",
        "csc",
        "det",
        "exp",
        "gcd",
        "lim",
        "ln",
        "log",
        "sin",
        "sinh",
        "tan",
        "tanh",
    )
)
_UNITS_TOO = frozenset(("deg", "max", "min", "sec"))
_CONSTANT = re.compile(r"\\text\{\s*([ie])\s*\}(?!\s*_)")
_CURRENCY = re.compile(r"\\text\{\s*(\\?\$|[£€¥₹]|Rs\.?|USD|US\\?\$)\s*\}(?=\s*[\d.])")
_DOTS = re.compile(r"\\[lc]?dots(?![A-Za-z])")
_BESIDE = re.compile(r"(?<![\\=+*/(,<>-])\$\s+\$")
_IMAGINARY = re.compile(r"(?:(?<=\d)|(?<=(?<![A-Za-z\\])[ab]))i(?![A-Za-z])")
_MATRIX = re.compile(
    r"([(\[])\s*\\begin\{(?:array|matrix)\}(?:\s*\{[lcr| ]*\})?(.*?)\\end\{(?:array|matrix)\}\s*"
    r"[)\]]",
    re.DOTALL,
)
_PLUS_INFINITY = re.compile(r"(?<=[,(;=])\s*\+\s*(?=\\infty)")
_DASH = re.compile(r"(?:(?<=[\s(\[{,=+*/^])|^)[–—](?=\s*[\d\\.(A-Za-z])")  # noqa: RUF001
_NUMERAL = re.compile(r"\((\d+)\)(?=_)")
_METRES = re.compile(r"(?<=\d )m(?=[²³])")
_SCRIPTS = re.compile(f"[{''.join(SUPERSCRIPTS)}]+|[{''.join(SUBSCRIPTS)}]+")
_SPOKEN_ROOT = re.compile(r"(?<![A-Za-z\\])sqrt(?=\s*[({\d])")
_AMBIGUOUS_FRACTION = re.compile(r"\\frac\s*\d\s*\d{2}")
_COMMAND_NAME = re.compile(r"\\[A-Za-z]+|\\.")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_TAKES_ARGUMENTS = {"\\frac": 2, "\\binom": 2, "\\sqrt": 1, "\\overline": 1, "\\text": 1}
_COMPLETED = re.compile(r"\\(?:frac|binom|sqrt)(?![A-Za-z])|\^(?=\s*\()")
_CLOSING = {"{": "}", "(": ")", "[": "]"}


def tidy(answer: str) -> str:
    """The text with one spelling for commands, and no math delimiters or meaningless spaces."""
    latex = answer.strip()
    if not latex.isascii():
        latex = plain_characters(latex)
    latex = _strip_delimiters(latex)
    latex = _COMMAND.sub(lambda match: _COMMANDS[match.group()], latex)
    latex = _OPERATOR.sub(_named_operator, latex)
    latex = _OLD_UPRIGHT.sub(r"\\text{\1}", latex)
    latex = _UPRIGHT.sub(r"\\text{", latex)
    latex = _CURRENCY.sub(r"\1 ", latex)
    latex = _DECORATION.sub(_undecorated, _COLOR.sub("", latex))
    latex = _DOTS.sub(r" \\xi_{dots} ", latex)
    latex = _SPACING.sub(_plain_space, latex)
    if latex.replace("\\$", "").count("$") > 1:  # `$5$ dollars`; a single sign is a currency
        latex = re.sub(r"(?<!\\)\$", " ", latex)
    latex = _MATRIX.sub(_matrix, latex)
    latex = _PLUS_INFINITY.sub("", latex)
    latex = _SPOKEN_ROOT.sub(r"\\sqrt", latex)
    latex = _complete(latex)
    if _CONSTANT.fullmatch(latex) is None:
        latex = _CONSTANT.sub(r" \1 ", latex)
    latex = _IMAGINARY.sub(" i", latex)  # so that `3i` is read as `3 i`
    latex = " ".join(latex.split()).rstrip(".,;:\\ 。")
    latex = _LOOSE_SPACE.sub("", _SHORT_SCRIPT.sub(r"\1\2", latex))
    return _NUMERAL.sub(r"\1", latex)


def plain_characters(text: str) -> str:
    """Signs as LaTeX commands, raised digits as powers, full-width characters as ordinary ones."""
    text = _SCRIPTS.sub(_script, _METRES.sub(r"\\text{m}", text))
    text = "".join(SYMBOLS.get(character, character) for character in text)
    return _DASH.sub("-", unicodedata.normalize("NFKC", text))


def split_group(text: str, start: int) -> int | None:
    """Index after the group that opens at `start`, or None if it is never closed."""
    opening = text[start]
    closing = _CLOSING[opening]
    depth = 0
    index = start
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 2
            continue
        depth += (character == opening) - (character == closing)
        index += 1
        if depth == 0:
            return index
    return None


def _strip_delimiters(latex: str) -> str:
    latex = _BESIDE.sub("$,$", latex)  # two formulas, not one that was broken at an operator
    for opening, closing in _DELIMITERS:
        if latex.startswith(opening) and latex.endswith(closing) and len(latex) > 2 * len(opening):
            latex = latex[len(opening) : -len(closing)]
            break
    return _INNER_DELIMITER.sub(" ", latex) if "\\(" in latex or "\\)" in latex else latex


def _script(match: re.Match[str]) -> str:
    run = match.group()
    table, sign = (SUPERSCRIPTS, "^") if run[0] in SUPERSCRIPTS else (SUBSCRIPTS, "_")
    return f"{sign}{{{''.join(table[character] for character in run)}}}"


def _named_operator(match: re.Match[str]) -> str:
    name = match.group(1)
    is_operator = match.group().startswith("\\operatorname")
    if name in _NAMED_OPERATORS or (is_operator and name in _UNITS_TOO):
        return f"\\{name} "
    return f" {name} " if is_operator else match.group()


def _undecorated(match: re.Match[str]) -> str:
    """Bold letters are letters; with an index they are not the constant of that name."""
    has_index = match.string[match.end() :].lstrip().startswith("_")
    return f"\\text{{{match.group(1)}}}" if has_index else f" {match.group(1)}"


def _matrix(match: re.Match[str]) -> str:
    kind = "pmatrix" if match.group(1) == "(" else "bmatrix"
    return f"\\begin{{{kind}}}{match.group(2)}\\end{{{kind}}}"


def _plain_space(match: re.Match[str]) -> str:
    if match["line_break"] is not None:
        return match["line_break"]
    return "" if match["nothing"] is not None else " "


def _complete(latex: str) -> str:
    """Give the arguments of fractions, roots and powers their braces, from the inside out."""
    if _AMBIGUOUS_FRACTION.search(latex):
        return latex
    # Right to left, so that the arguments of an outer command are complete when it is read.
    for match in reversed(list(_COMPLETED.finditer(latex))):
        latex = latex[: match.start()] + _complete_one(latex, match)
    return latex


def _complete_one(latex: str, match: re.Match[str]) -> str:
    command, index = match.group(), match.end()
    completed = command
    if command == "\\sqrt":
        while latex[index : index + 1] == " ":
            index += 1
        if latex[index : index + 1] == "[":
            end = split_group(latex, index)
            if end is None:
                return latex[match.start() :]
            completed, index = completed + latex[index:end], end
    for _ in range(_TAKES_ARGUMENTS.get(command, 1)):
        end = _argument_end(latex, index, is_long=command == "\\sqrt")
        if end is None:
            return latex[match.start() :]
        argument = latex[index:end].strip()
        if argument[0] == "{" or (argument[0] == "(" and command in ("^", "\\sqrt")):
            argument = argument[1:-1]
        completed, index = f"{completed}{{{argument}}}", end
    return completed + latex[index:]


def _argument_end(latex: str, start: int, *, is_long: bool) -> int | None:
    """Index after one argument; all digits of a number if it `is_long`, else the first."""
    index = start
    while latex[index : index + 1] == " ":
        index += 1
    if index == len(latex) or latex[index] in "}])+-*/=<>,;&|^_$":
        return None
    if latex[index] == "{" or (latex[index] == "(" and (is_long or latex[start - 1] == "^")):
        return split_group(latex, index)
    digits = _DIGITS.match(latex, index) if is_long else None
    if digits is not None:
        return digits.end()
    command = _COMMAND_NAME.match(latex, index)
    if command is None:
        return index + 1
    end: int | None = command.end()
    for _ in range(_TAKES_ARGUMENTS.get(command.group(), 0)):
        if command.group() == "\\sqrt" and latex[end : end + 1] == "[":
            end = split_group(latex, end)
        if end is None or latex[end : end + 1] != "{":
            return None
        end = split_group(latex, end)
        if end is None:
            return None
    return end
