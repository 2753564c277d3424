"""The program in the text of a solution: fenced, bare, or the continuation of a question."""

import re

_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_STARTS = re.compile(r"^(?:import |from \w|def |class |@|async def )", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_AFTER_BODY = re.compile(r"\n(?:class |def |#|if |print|@|```|assert )")


def find_program(text: str, entry: str, preamble: str) -> str | None:
    """The program of a text; None if there is none.

    The last fenced block that defines the asked function; else the last block, unless the text
    before the first fence defines it; else that text from its first definition; else the question
    with the text as the body of its function, up to the next line that begins a statement of its
    own.

    Args:
        text: the solution.
        entry: the function that is asked for; empty if none is named.
        preamble: the question; it can be continued if it defines that function.
    """
    defines = re.compile(rf"^\s*(?:async )?def {re.escape(entry)}\b|^{re.escape(entry)}\s*=", re.M)
    blocks = [block for block in _FENCED.findall(text) if block.strip()]
    asked = [block for block in blocks if entry and defines.search(block)]
    bare = _FENCE.split(text, maxsplit=1)[0]
    if asked:
        return asked[-1]
    if blocks and not (entry and defines.search(bare)):
        is_body = entry and blocks[-1][:1].isspace() and defines.search(preamble)
        return preamble.removesuffix("    pass\n") + blocks[-1] if is_body else blocks[-1]
    is_body = not defines.search(bare) and not _STARTS.match(bare.lstrip("\n"))
    if entry and is_body and defines.search(preamble):
        body = _AFTER_BODY.split(bare, maxsplit=1)[0]
        return preamble.removesuffix("    pass\n") + body if body.strip() else None
    start = _STARTS.search(bare)
    if entry:
        return bare[start.start() :] if start else None
    return bare if bare.strip() else None
