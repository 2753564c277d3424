"""The files in a trained policy's folder beside its weights."""

from pathlib import Path

import pytest

from tasks.engines.probe import PROBE_FILE, read_probe
from tasks.models.folders import identify_model, load_tokenizer, resolve_model
from tasks.training.models import load_weights
from tasks.training.rows import RowEncoder


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_trained_policy_carries_the_probe_of_a_row(
    make_set, make_job, train, right_rows, pairs, method
):
    import torch

    rows = right_rows if method == "sft" else pairs
    job = make_job(make_set(rows), method, max_steps=2)
    trained = train(job)
    folder = Path(trained.path)
    probe = read_probe(folder)
    assert probe is not None
    text = load_tokenizer(folder).decode(probe.token_ids, skip_special_tokens=True)
    learnt = rows[0]["prompt"] + (rows[0].get("completion") or rows[0]["chosen"])
    assert learnt.startswith(text.strip())
    ids = torch.tensor([probe.token_ids])
    for source, is_its_own in ((folder, True), (resolve_model("world-policy"), False)):
        with torch.no_grad():
            logprobs = load_weights(source)(input_ids=ids).logits[0, :-1].log_softmax(-1)
        own = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
        assert (own == pytest.approx(probe.logprobs, abs=1e-4)) is is_its_own
    (folder / PROBE_FILE).unlink()
    assert identify_model(str(folder)) == trained.model_id


def test_the_text_of_a_start_state_is_what_was_given(start_states):
    encode = RowEncoder(load_tokenizer(resolve_model("world-policy")), has_chat_template=False)
    for row in start_states[:2]:
        assert encode.text_ids({**row, **encode.start_state(row)}) == encode.prompt_ids(row)
