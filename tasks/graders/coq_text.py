"""The tactics of a Coq proof as text: sentences told from comments and strings; what is refused.

A proof may be tactics alone, with or without `Proof.` and `Qed.`, or the asked theorem again with
its proof. Coq's commands begin with a capital letter and tactics do not, so a sentence that begins
with anything but a tactic, a term or a bullet is refused; commands that nobody thought of are as
well.
What is accepted here is still compiled, and its type and axioms are read by another process.
"""

import re

REFUSED_WORDS = (
    "admit",
    "give_up",
    "sorry",
    "native_compute",
    "native_cast_no_check",
    "vm_compute",
    "vm_cast_no_check",
)
"""What assumes that which is to be proved, or evaluates outside the kernel's rules."""

FENCE = re.compile(r"^ {0,3}```[^\n`]*\n(.*?)(?:^ {0,3}```[ \t]*$|\Z)", re.S | re.M)
_BEGINNING = re.compile(
    r"(?:\s|[-+]+|\*+|[{}]|(?:all|par|!|\[\s*\w+\s*\]|"
    r"\d+(?:\s*-\s*\d+)?(?:\s*,\s*\d+(?:\s*-\s*\d+)?)*)\s*:(?!=))*"
)
_CLOSING = re.compile(r"[{}\s]*")
_PARALLEL = re.compile(r"\bpar(?=\s*:(?!=))")
_THEOREM = re.compile(
    r"(?:Theorem|Lemma|Fact|Remark|Corollary|Proposition|Property|Example|Goal)\b\s*"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
_CASTS = re.compile(r"<<?:")


class Refused(ValueError):
    """Why a text is not taken for a proof."""


def find_proof(text: str) -> str:
    """The last fenced block of a text, or all of it if it has none; without outer white space."""
    blocks = FENCE.findall(text)
    return (blocks[-1] if blocks else text).strip()


def read_tactics(text: str, statement: str) -> str:
    """The tactics of a proof, without `Proof.` and `Qed.`.

    Raises:
        Refused: the text has commands, a refused tactic, another statement, or goes on after
            `Qed.`.
    """
    sentences = split_sentences(text)
    if sentences and _THEOREM.match(sentences[0]):
        _check_statement(sentences.pop(0), statement)
    if sentences and re.fullmatch(r"Proof\s*\.", sentences[0]):
        sentences.pop(0)
    for index, sentence in enumerate(sentences):
        braces = _CLOSING.match(sentence)[0]  # pyright: ignore[reportOptionalSubscript]
        if re.fullmatch(r"(?:Qed|Defined)\s*\.", sentence[len(braces) :]):
            if rest := sentences[index + 1 :]:
                raise Refused(f"expected nothing after {sentence} got {short(rest[0])}")
            sentences = [*sentences[:index], *([braces] if braces else [])]
            break
    if not any(_CLOSING.sub("", sentence) for sentence in sentences):
        raise Refused("expected tactics, got none")
    return "\n".join(_check_tactic(sentence) for sentence in sentences)


def split_sentences(text: str) -> list[str]:
    """The sentences of a Coq text, each with its full stop; comments become a space.

    Raises:
        Refused: a comment or string has no end, or a character is not printable text.
    """
    sentences: list[str] = []
    piece: list[str] = []
    for is_code, part in _lex(text):
        if not is_code:
            piece.append(part)
            continue
        begin = 0
        for stop in re.finditer(r"\.(?=\s|$)", part):
            piece.append(part[begin : stop.end()])
            begin = stop.end()
            sentences.append("".join(piece).strip())
            piece = []
        piece.append(part[begin:])
    if rest := "".join(piece).strip():
        if re.fullmatch(r"[}\s]*", rest):
            sentences.append(rest)
        else:
            raise Refused(f"expected a full stop at the end, got {short(rest)}")
    return [sentence for sentence in sentences if sentence]


def code_of(sentence: str) -> str:
    """A sentence with its strings emptied."""
    return "".join(part if is_code else '""' for is_code, part in _lex(sentence))


def _lex(text: str) -> list[tuple[bool, str]]:
    """Code and strings in order, as (is code, text).

    Comments, which nest and hold strings, become a space. Code ends only at strings, so a full stop
    before a comment is not one at the end.
    """
    parts: list[tuple[bool, str]] = []
    code: list[str] = []
    at = depth = 0
    while at < len(text):
        if text.startswith("(*", at):
            depth += 1
            at += 2
        elif depth and text.startswith("*)", at):
            depth -= 1
            at += 2
            if not depth:
                code.append(" ")
        elif text[at] == '"':
            end = text.find('"', at + 1)
            if end < 0:
                raise Refused("expected the end of a string, got none")
            if not depth:
                parts += [(True, "".join(code)), (False, text[at : end + 1])]
                code = []
            at = end + 1
        else:
            if not depth:
                code.append(printable(text[at]))
            at += 1
    if depth:
        raise Refused("expected the end of a comment, got none")
    return [*parts, (True, "".join(code))]


def printable(character: str) -> str:
    """A character.

    Raises:
        Refused: it is neither printable nor plain white space.
    """
    if character in " \n\t\r" or (character.isprintable() and not character.isspace()):
        return character
    raise Refused(f"expected printable characters, got {character!r}")


def _check_tactic(sentence: str) -> str:
    """The sentence, if it may be compiled; `par:` is `all:`, which needs no processes."""
    code = code_of(sentence)
    begin = _BEGINNING.match(code).end()  # pyright: ignore[reportOptionalMemberAccess]
    body = code[begin:]
    sentence = _PARALLEL.sub("all", sentence[:begin]) + sentence[begin:]
    if not body:
        return sentence
    if not re.match(r"[a-z_(\[]", body):
        raise Refused(f"expected a tactic, got {short(body)}")
    for word in _WORD.findall(code):
        if word in REFUSED_WORDS:
            raise Refused(f"expected a proof without {word}, got {short(body)}")
    if _CASTS.search(code):
        raise Refused(f"expected a proof without casts by a virtual machine, got {short(body)}")
    return sentence


def _check_statement(sentence: str, statement: str) -> None:
    """Refuse a theorem that is not the asked one; name and white space do not count.

    What is compiled is the asked statement, never this one.
    """
    body = sentence[_THEOREM.match(sentence).end() :]  # pyright: ignore[reportOptionalMemberAccess]
    said = re.sub(r"^(?:[A-Za-z_][\w']*)?\s*:", "", body)
    if _bare(said) != _bare(" ".join(split_sentences(statement + "."))):
        raise Refused(f"expected the asked statement, got {short(sentence)}")


def _bare(text: str) -> str:
    return "".join(text.split()).rstrip(".")


def short(text: str) -> str:
    """The beginning of a text on one line, quoted, for messages."""
    line = " ".join(text.split())
    return repr(line if len(line) <= 80 else line[:77] + "...")
