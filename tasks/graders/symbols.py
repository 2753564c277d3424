"""Unicode signs and their LaTeX equivalents."""

SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙ", "0123456789+-n", strict=True))

_FRACTIONS = {
    "¼": (1, 4),
    "½": (1, 2),
    "¾": (3, 4),
    "⅐": (1, 7),
    "⅑": (1, 9),
    "⅒": (1, 10),
    "⅓": (1, 3),
    "⅔": (2, 3),
    "⅕": (1, 5),
    "⅖": (2, 5),
    "⅗": (3, 5),
    "⅘": (4, 5),
    "⅙": (1, 6),
    "⅚": (5, 6),
    "⅛": (1, 8),
    "⅜": (3, 8),
    "⅝": (5, 8),
    "⅞": (7, 8),
}
_LETTERS = {
    "α": "alpha",  # noqa: RUF001
    "β": "beta",
    "γ": "gamma",  # noqa: RUF001
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "π": "pi",
    "ρ": "rho",  # noqa: RUF001
    "σ": "sigma",  # noqa: RUF001
    "τ": "tau",
    "φ": "phi",
    "ω": "omega",
    "Δ": "Delta",
    "Ω": "Omega",
}
_COMMANDS = {
    "×": "times",  # noqa: RUF001
    "·": "cdot",
    "⋅": "cdot",
    "∞": "infty",
    "√": "sqrt",
    "±": "pm",
    "∓": "mp",
    "∪": "cup",  # noqa: RUF001
    "∩": "cap",
    "≤": "le",
    "⩽": "le",
    "≥": "ge",
    "⩾": "ge",
    "≠": "neq",
    "≈": "approx",
    "∈": "in",
    "∅": "emptyset",
    "∠": "angle",
    "⊥": "perp",
    "⌊": "lfloor",
    "⌋": "rfloor",
    "⌈": "lceil",
    "⌉": "rceil",
    "⟨": "langle",
    "⟩": "rangle",
}
_PLAIN = {
    "−": "-",  # noqa: RUF001 - the sign as models write it
    "÷": "/",
    "⁄": "/",  # noqa: RUF001
    "∕": "/",  # noqa: RUF001
    "°": "^\\circ",
    "℃": "^\\circ C",
    "℉": "^\\circ F",
    "∛": "\\sqrt[3]",
    "∜": "\\sqrt[4]",
    "ℝ": "\\mathbb{R}",  # noqa: RUF001
    "ℤ": "\\mathbb{Z}",  # noqa: RUF001
    "ℕ": "\\mathbb{N}",  # noqa: RUF001
    "ℚ": "\\mathbb{Q}",  # noqa: RUF001
    "ℂ": "\\mathbb{C}",  # noqa: RUF001
    "、": ",",
    "′": "'",  # noqa: RUF001
    "\u2019": "'",
}

SYMBOLS: dict[str, str] = {
    **{sign: f"\\frac{{{top}}}{{{bottom}}}" for sign, (top, bottom) in _FRACTIONS.items()},
    **{sign: f"\\{name} " for sign, name in {**_LETTERS, **_COMMANDS}.items()},
    **{chr(0x2460 + index): f"({index + 1})" for index in range(20)},
    **_PLAIN,
}
"""Maps a character to its replacement; circled numbers become `(1)`."""
