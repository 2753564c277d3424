"""The program in the text of a solution: fenced, bare, or the continuation of a question."""

import re

_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_STARTS = re.compile(r"^(?:import |from \w|def |class |@|async def )", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_AFTER_BODY = re.compile(r"\n(?:class |def |#|if |print|@|```|assert )")


def find_program(text: str, entry: str, preamble: str) -> str | None:
    """The program of a text; None if there is none.

    The last fenced block that defines the asked function; else the last block; else the text from
    its first definition; else the question with the text as the body of its function, up to the
    next line that begins a statement of its own.

    Args:
        text: the solution.
        entry: the function that is asked for; empty if none is named.
        preamble: the question; it can be continued if it defines that function.
    """
    defines = re.compile(rf"^\s*(?:async )?def {re.escape(entry)}\b|^{re.escape(entry)}\s*=", re.M)
    blocks = [block for block in _FENCED.findall(text) if block.strip()]
    if blocks:
        asked = [block for block in blocks if entry and defines.search(block)]
        chosen = asked[-1] if asked else blocks[-1]
        is_body = not asked and entry and chosen[:1].isspace() and defines.search(preamble)
        return preamble.removesuffix("    pass\n") + chosen if is_body else chosen
    is_body = not defines.search(text) and not _STARTS.match(text.lstrip("\n"))
    if entry and is_body and defines.search(preamble):
        body = _AFTER_BODY.split(text, maxsplit=1)[0]
        return preamble.removesuffix("    pass\n") + body if body.strip() else None
    text = _FENCE.split(text, maxsplit=1)[0]
    start = _STARTS.search(text)
    if entry:
        return text[start.start() :] if start else None
    return text if text.strip() else None
