"""Which tokenizers mean the same by a token id."""

import hashlib
import json
from typing import Any


def identify_vocabulary(tokenizer: Any) -> str:
    """Name a tokenizer's vocabulary by its content: 16 hex digits.

    Token ids may pass between models whose vocabularies have the same name, whatever else differs
    between their tokenizers (a chat template, a maximum length, the merges).
    """
    items = sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0]))
    return hashlib.sha256(json.dumps(items).encode()).hexdigest()[:16]
