"""Documents by the cosine of mean-pooled hidden states, computed on this machine.

Any model folder that transformers loads with `AutoModel` will do, an encoder made for retrieval
best. Texts are read one batch at a time; padding takes no part in the mean.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.retrieval import DenseConfig

_FILE = "vectors.npy"
_BATCH = 32


class DenseMatcher:
    """Unit vectors of the documents, and the model that reads queries."""

    def __init__(self, vectors: Any, config: DenseConfig, encoder: "_Encoder | None" = None):
        self._vectors, self._config, self._encoder = vectors, config, encoder

    @classmethod
    def build(cls, texts: Sequence[str], config: DenseConfig) -> "DenseMatcher":
        """The vectors of these texts.

        Raises:
            ValueError: the model cannot be loaded.
        """
        encoder = _Encoder(config)
        prefixed = [config.document_prefix + text for text in texts]
        return cls(encoder.vectors(prefixed), config, encoder)

    @classmethod
    def load(cls, folder: Path, config: DenseConfig) -> "DenseMatcher":
        """The vectors that `save` wrote."""
        import numpy as np

        return cls(np.load(folder / _FILE, allow_pickle=False), config)

    def save(self, folder: Path) -> None:
        """Write the vectors into the folder."""
        import numpy as np

        np.save(folder / _FILE, self._vectors, allow_pickle=False)

    def scores(self, query: str) -> Sequence[float]:
        """[num_documents] cosines, in [-1, 1]."""
        if self._encoder is None:
            self._encoder = _Encoder(self._config)
        return self._vectors @ self._encoder.vectors([self._config.query_prefix + query])[0]


class _Encoder:
    """A model and its tokenizer."""

    def __init__(self, config: DenseConfig) -> None:
        from transformers import AutoModel, AutoTokenizer

        from tasks.models.folders import resolve_model

        try:
            model = resolve_model(config.model, config.revision)
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._model = AutoModel.from_pretrained(model).eval()
        except (OSError, ValueError) as error:
            raise ValueError(f"model {config.model}: expected a model folder: {error}") from error
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._max_tokens = config.max_tokens

    def vectors(self, texts: Sequence[str]) -> Any:
        """[num_texts, width] unit vectors in float32."""
        import numpy as np
        import torch

        found = []
        for start in range(0, len(texts), _BATCH):
            batch = self._tokenizer(
                list(texts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=self._max_tokens,
                return_tensors="pt",
            )
            mask = batch["attention_mask"]
            with torch.inference_mode():
                hidden = self._model(
                    input_ids=batch["input_ids"], attention_mask=mask
                ).last_hidden_state.float()
            weights = mask.unsqueeze(-1).float()
            mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
            found.append(torch.nn.functional.normalize(mean, dim=-1).numpy())
        return np.concatenate(found)
