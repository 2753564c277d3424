"""The proof in a Lean 4 text, and the files that have it checked; what is refused unread.

A proof may be a term, `by` and tactics, tactics alone, or the asked theorem again with its proof,
after the lines of the header or without them. It is put in brackets, whose end it cannot reach, so
that no command can follow it. Lean runs programs while it reads macros, `run_tac` and the like, so
words that begin or hide them are refused anywhere, even in a string.
What is accepted here is still compiled, and its type and axioms are read by another process.
"""

import re
import textwrap

from tasks.graders.coq_text import FENCE, Refused, printable, short
from tasks.graders.proof_tasks import Theorem

AXIOMS = ("propext", "Classical.choice", "Quot.sound")
"""What every Lean proof may use: Lean's own logic."""
GIVEN, ASKED, PROOF, CHECK = "StepmillGiven", "StepmillAsked", "StepmillProof", "StepmillCheck"
"""The modules, in the order in which they are compiled."""

_ASSUMING = """
    sorry admit sorryAx native_decide native unsafe implemented_by extern axiom opaque
"""
"""What assumes that which is to be proved, or evaluates outside the kernel."""
_COMMANDS = """
    theorem lemma example def abbrev instance inductive structure class import namespace section
    universe variable attribute deriving export initialize builtin_initialize
"""
_RUNNING = """
    macro macro_rules syntax elab elab_rules notation infix infixl infixr prefix postfix set_option
    declare_syntax_cat simproc dsimproc by_elab include_str dbg_trace
"""
"""What runs programs (as do `run_tac` and the like), reads files, or changes what is read."""
_REFUSED_WORDS = frozenset(f"{_ASSUMING} {_COMMANDS} {_RUNNING}".split())
"""Unless they end a name, such as `Nat.lt.def`: the checker finds axioms."""
_COMMAND = re.compile(r"#(?:eval|exit|print|check|reduce|synth)\b|@\[")
_WORD = re.compile(r"(?<![\w.])[^\W\d][\w'!?]*")
_CHARACTER = re.compile(r"'(?:\\[^'\n]+|[^\\'\n])'")
_RAW_STRING = re.compile(r"r#*\"")
_THEOREM = re.compile(r"(?:theorem|lemma|example)\b")
_NAME = re.compile(r"^\s*[^\s({\[⦃:]+(?:\.?\{[^}]*\}(?=\s*:))?")
_TERM = re.compile(r"(?:by|fun)\b|[λ⟨@]")
_IMPORT = re.compile(r"\s*(?:public\s+)?(?:import|prelude|module)\b")
_CLOSING = {")": "(", "]": "[", "}": "{", "⟩": "⟨", "⦄": "⦃"}


def find_lean_proof(text: str) -> str:
    """As `find_proof`, but the lines keep their places below each other."""
    blocks = FENCE.findall(text)
    return textwrap.dedent(blocks[-1] if blocks else text).strip("\n").rstrip()


def read_lean_proof(text: str, theorem: Theorem) -> str:
    """The term that proves a theorem, its comments replaced by spaces.

    Raises:
        Refused: the text has a refused word, another statement, or brackets that do not match.
    """
    code, is_quoted = _without_comments(text)
    bare = "".join(" " if quoted else each for each, quoted in zip(code, is_quoted, strict=True))
    begin, is_term = _begin_of_proof(code, bare, theorem)
    _refuse(code[begin:], bare[begin:])
    first, _, _ = code[begin:].partition("\n")
    proof = code[begin:].lstrip() if first.strip() and is_term else textwrap.dedent(code[begin:])
    proof = proof.strip("\n").rstrip()
    if not proof:
        raise Refused("expected a proof, got none")
    if is_term or _TERM.match(proof.lstrip()):
        return proof
    return "by\n" + textwrap.indent(proof, "  ")


def lean_files(theorem: Theorem, proof: str | None) -> dict[str, str]:
    """The text of each module, in the order in which they are compiled; up to ASKED without proof.

    The module that says what was asked is compiled without the proof, and the last one compares.
    """
    lines = theorem.header.split("\n")
    imports = "\n".join(line for line in lines if _IMPORT.match(line))
    rest = "\n".join(line for line in lines if not _IMPORT.match(line))
    begin = f"{imports}\nimport {GIVEN}\n{rest}\n"
    binders, conclusion = read_signature(theorem.statement)
    whole = f"∀ {binders}, {conclusion}" if binders else conclusion
    files = {
        GIVEN: f"{imports}\n{rest}\n{theorem.definitions}\n",
        ASKED: f"{begin}def _root_.Stepmill.asked : Prop := (\n{whole}\n)\n",
    }
    if proof is not None:
        signature = f"{binders} : (\n{conclusion}\n)"
        files[PROOF] = f"{begin}theorem _root_.Stepmill.goal {signature} := (\n{proof}\n)\n"
        files[CHECK] = (
            f"import {ASKED}\nimport {PROOF}\n"
            "theorem Stepmill.checked : Stepmill.asked := @Stepmill.goal\n"
            "#print axioms Stepmill.checked\n"
        )
    return files


def read_signature(statement: str) -> tuple[str, str]:
    """The binders before a colon, as in `(n : Nat) (h : 0 < n) : n ≠ 0`, and the conclusion.

    There are none unless the statement begins with one.
    """
    statement = statement.strip()
    if statement[:1] in ("(", "{", "[", "⦃"):
        depth = 0
        for at, each in enumerate(statement):
            depth += (each in _CLOSING.values()) - (each in _CLOSING)
            if each == ":" and not depth:
                return statement[:at].strip(), statement[at + 1 :].strip()
    return "", statement


def _refuse(proof: str, bare: str) -> None:
    if found := _COMMAND.search(bare):
        raise Refused(f"expected a proof without {found[0]}")
    for word in _WORD.findall(proof):
        if word in _REFUSED_WORDS or word.startswith("run_"):
            raise Refused(f"expected a proof without {word}")
    opened: list[str] = []
    for each in bare:
        if each in _CLOSING.values():
            opened.append(each)
        elif each in _CLOSING and (not opened or opened.pop() != _CLOSING[each]):
            raise Refused(f"expected an opening bracket before {each}")
    if opened:
        raise Refused(f"expected a closing bracket after {opened[-1]}")


def _begin_of_proof(code: str, bare: str, theorem: Theorem) -> tuple[int, bool]:
    """Where the proof begins, and whether `:=` says that it is a term."""
    begin = _end_of_header(code, theorem.header)
    first = len(code) - len(code[begin:].lstrip())
    if found := _THEOREM.match(code, first):
        return _end_of_statement(code, bare, found.end(), theorem.statement), True
    return (first + 2, True) if code.startswith(":=", first) else (begin, False)


def _end_of_header(code: str, header: str) -> int:
    """Where a text goes on after the lines of a header; 0 if it does not begin with them."""
    words = _without_comments(header)[0].split()
    pattern = r"\s*" + r"\s+".join(map(re.escape, words)) + r"[ \t]*\n"
    found = re.match(pattern, code) if words else None
    return 0 if found is None else found.end()


def _end_of_statement(code: str, bare: str, begin: int, statement: str) -> int:
    """Where the proof of a repeated theorem begins; what is compiled is the asked statement."""
    depth, at = 0, begin
    while at < len(bare) and (depth or not bare.startswith(":=", at)):
        depth += (bare[at] in _CLOSING.values()) - (bare[at] in _CLOSING)
        at += 1
    if at == len(bare):
        raise Refused("expected := after the theorem, got none")
    said = _NAME.sub("", code[begin:at])
    asked = ":".join(read_signature(_without_comments(statement)[0]))
    if _packed(said) != _packed(asked):
        raise Refused(f"expected the asked statement, got {short(code[begin:at])}")
    return at + 2


def _without_comments(text: str) -> tuple[str, list[bool]]:
    """A text with spaces in place of its comments, and of each character whether it is quoted."""
    code: list[str] = []
    quoted: list[bool] = []
    at = 0
    while at < len(text):
        if text.startswith(("--", "/-"), at):
            end = _end_of_comment(text, at)
            code += [each if each == "\n" else " " for each in text[at:end]]
            quoted += [False] * (end - at)
            at = end
            continue
        end = _end_of_quoted(text, at)
        code += [printable(each) if end == at + 1 else each for each in text[at:end]]
        quoted += [end > at + 1] * (end - at)
        at = end
    return "".join(code), quoted


def _end_of_comment(text: str, at: int) -> int:
    if text.startswith("--", at):
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    depth = 0
    for each in re.finditer(r"/-|-/", text[at:]):
        depth += 1 if each[0] == "/-" else -1
        if not depth:
            return at + each.end()
    raise Refused("expected the end of a comment, got none")


def _end_of_quoted(text: str, at: int) -> int:
    """Where a string, a character or a quoted name ends; the next place if none begins here."""
    is_in_word = at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_'!?")
    if text[at] == '"':
        found = re.compile(r'"(?:\\.|[^"\\])*"', re.S).match(text, at)
    elif text[at] == "«":
        found = re.compile(r"«[^»\n]*»").match(text, at)
    elif text[at] == "'" and not is_in_word:
        return at + 1 if (found := _CHARACTER.match(text, at)) is None else found.end()
    elif not is_in_word and _RAW_STRING.match(text, at):
        raise Refused("expected a proof without raw strings")
    else:
        return at + 1
    if found is None:
        raise Refused("expected the end of a string, got none")
    return found.end()


def _packed(text: str) -> str:
    return "".join(text.split())
