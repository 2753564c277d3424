import json
import multiprocessing
import os
import re
import signal
from pathlib import Path

import pytest
import torch

from tasks.training.common import TrainingDiverged
from tasks.training.methods.sft import collate, completion_loss
from tasks.training.models import load_weights
from tasks.training.rows import NO_LOSS

ROWS = [
    {"input_ids": [1, 5, 6, 2], "labels": [NO_LOSS, NO_LOSS, 6, 2], "weight": 1.0},
    {"input_ids": [1, 7, 2], "labels": [NO_LOSS, 7, 2], "weight": 3.0},
]


@pytest.fixture
def mean_logprob():
    """Mean log probability of the completions' tokens under a saved model."""

    def measure(folder: str | Path, rows, name: str = "completion") -> float:
        from tasks.models.folders import load_tokenizer

        tokenizer, model = load_tokenizer(Path(folder)), load_weights(Path(folder))
        total, count = 0.0, 0
        for row in rows:
            prompt = tokenizer(row["prompt"])["input_ids"]
            ids = [*prompt, *tokenizer(row[name], add_special_tokens=False)["input_ids"], 2]
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids])).logits[0, len(prompt) - 1 : -1]
            targets = torch.tensor(ids[len(prompt) :])
            total += logits.log_softmax(-1).gather(1, targets[:, None]).sum().item()
            count += len(targets)
        return total / count

    return measure


def test_only_completions_carry_loss_and_rows_weigh_what_they_say():
    batch = collate(ROWS, pad_token_id=0)
    assert batch["labels"].tolist() == [[-100, -100, 6, 2], [-100, 7, 2, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))
    nll = -logits.log_softmax(-1)
    expected = nll[0, 1, 6] + nll[0, 2, 2] + 3 * (nll[1, 0, 7] + nll[1, 1, 2])
    loss = completion_loss(logits, batch["labels"], batch["token_weights"], None)
    assert loss.item() == pytest.approx(expected.item() / 4, rel=1e-6)
    # The values at the positions of the prompt and the padding change nothing.
    logits[0, 0], logits[0, 3], logits[1, 2:] = 7.0, 7.0, 7.0
    again = completion_loss(logits, batch["labels"], batch["token_weights"], None)
    assert again.item() == pytest.approx(loss.item(), rel=1e-6)


def test_another_loss_of_tokens_is_weighted_and_averaged_alike():
    batch = collate(ROWS, pad_token_id=0)
    loss = completion_loss(
        torch.zeros(2, 4, 9),
        batch["labels"],
        batch["token_weights"],
        None,
        token_losses=lambda logits, targets: targets.clamp(min=0).float(),
    )
    assert loss.item() == (6 + 2 + 3 * (7 + 2)) / 4


def test_rows_count_alike_if_the_average_is_over_rows():
    short = {"input_ids": [5, 6, 2], "labels": [-100, 6, 2], "weight": 3.0}
    long = {"input_ids": [5, 6, 7, 8, 2], "labels": [-100, 6, 7, 8, 2], "weight": 0.5}
    for packing in (False, True):
        batch = collate([short, long], pad_token_id=0, packing=packing, mean_tokens=3.0)
        loss = completion_loss(
            torch.zeros(*batch["input_ids"].shape, 9),
            batch["labels"],
            batch["token_weights"],
            None,
            token_losses=lambda logits, targets: targets.clamp(min=0).float(),
        )
        # Each row's mean over its tokens, times its weight; not divided by the weights.
        assert loss.item() == pytest.approx((3 * (6 + 2) / 2 + 0.5 * (6 + 7 + 8 + 2) / 4) / 2)


def test_packed_rows_have_the_loss_of_padded_ones():
    from tasks.models.folders import resolve_model

    model = load_weights(resolve_model("world-policy"))
    losses = []
    for packing in (False, True):
        batch = collate(ROWS, pad_token_id=0, packing=packing)
        labels, weights = batch.pop("labels"), batch.pop("token_weights")
        with torch.no_grad():
            logits = model(**batch, use_cache=False).logits
        losses.append(completion_loss(logits, labels, weights, None).item())
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_imitated_solutions_become_likelier(make_set, make_job, train, odd_rows, mean_logprob):
    from tasks.models.folders import load_tokenizer, resolve_model, tokenizer_fingerprint

    reports = []
    job = make_job(make_set(odd_rows), max_steps=12)
    trained = train(job, on_progress=reports.append)
    base = resolve_model("world-policy")
    assert mean_logprob(trained.path, odd_rows) > mean_logprob(base, odd_rows) + 0.1

    assert trained.counts == {
        "training_rows": 8,
        "too_long": 0,
        "steps": 12,
        "tokens": trained.counts["tokens"],
    }
    assert trained.counts["tokens"] > 12 * 4 * 30
    assert [point["step"] for point in trained.curve] == [1, 10]
    assert trained.curve[-1]["loss"] < trained.curve[0]["loss"]
    assert [report["step"] for report in reports] == [1, 10]
    folder = Path(trained.path)
    assert trained.model_id.startswith("policy-")
    assert folder.name == trained.model_id
    assert {file.suffix for file in folder.iterdir()} <= {".json", ".safetensors", ".md", ".jinja"}
    assert '"type": "sft"' in (folder / "README.md").read_text()
    assert tokenizer_fingerprint(load_tokenizer(folder)) == tokenizer_fingerprint(
        load_tokenizer(base)
    )
    settings = json.loads((folder / "config.json").read_text())
    assert settings["architectures"] == ["LlamaForCausalLM"]


def test_micro_batches_and_packing_keep_the_loss_and_weights_change_it(
    make_set, make_job, train, odd_rows
):
    def first_step(**method):
        job = make_job(make_set(odd_rows), max_steps=1, batch_size=8, **method)
        point = train(job, work="-".join(["w", *map(str, method.values())])).curve[0]
        return point["loss"], point["grad_norm"]

    whole = first_step()
    assert first_step(micro_batch_size=2) == pytest.approx(whole, rel=1e-3)
    assert first_step(packing=True) == pytest.approx(whole, rel=1e-3)
    for row in odd_rows:
        row["weight"] = 0.5
    halved = first_step(seed=0)
    assert halved == pytest.approx((whole[0] / 2, whole[1] / 2), rel=1e-3)


def test_low_rank_additions_are_merged_into_whole_weights(
    make_set, make_job, train, odd_rows, mean_logprob
):
    from tasks.models.folders import check_model_folder, resolve_model

    job = make_job(
        make_set(odd_rows), max_steps=12, optimizer="adamw", hidden_lr=1e-2, lora={"rank": 4}
    )
    trained = train(job)
    check_model_folder(trained.path, "policy")
    base = resolve_model("world-policy")
    assert mean_logprob(trained.path, odd_rows) > mean_logprob(base, odd_rows) + 0.05
    before, after = load_weights(base), load_weights(Path(trained.path))
    assert torch.equal(
        before.get_parameter("model.embed_tokens.weight"),
        after.get_parameter("model.embed_tokens.weight"),
    )
    with pytest.raises(ValueError, match="expected adamw with lora, got muon"):
        make_job(make_set(odd_rows), lora={})


def test_a_training_killed_in_the_middle_ends_with_the_same_weights(
    make_set, make_job, train, right_rows, tmp_path
):
    job = make_job(make_set(right_rows), max_steps=30, save_every_steps=7, micro_batch_size=2)
    whole = train(job, work="whole")

    def die(report):
        if report["step"] == 21:
            os.kill(os.getpid(), signal.SIGKILL)

    # Forked: a new process would take longer to import than to train.
    process = multiprocessing.get_context("fork").Process(
        target=train, args=(job,), kwargs={"work": "killed", "on_progress": die}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    saved = tmp_path / "killed" / "checkpoints"
    assert sorted(path.name for path in saved.iterdir()) == ["checkpoint-14", "checkpoint-7"]
    # One that was being written when the process died.
    (saved / "checkpoint-21").mkdir()
    (saved / "checkpoint-21" / "model.safetensors").touch()

    steps = []
    again = train(job, work="killed", on_progress=lambda report: steps.append(report["step"]))
    assert steps == [21, 28]
    assert again.model_id == whole.model_id
    assert again.counts == whole.counts
    assert [point["loss"] for point in again.curve] == [point["loss"] for point in whole.curve]
    assert again.metrics["seconds"] > 0


def test_a_diverging_training_stops_and_keeps_its_last_good_checkpoint(
    make_set, make_job, train, right_rows, tmp_path
):
    right_rows[5]["weight"] = 3e38  # a loss beyond float32
    job = make_job(make_set(right_rows), batch_size=1, epochs=1, save_every_steps=1)
    with pytest.raises(TrainingDiverged) as raised:
        train(job)
    message = str(raised.value)
    words = r"diverged by step (\d+): loss .*good checkpoint, of step (\d+), is kept in (.*)$"
    found = re.search(words, message)
    assert found, message
    # The checkpoint before the bad step is not known to be good: no good step followed it.
    assert int(found[2]) == int(found[1]) - 2
    kept = Path(found[3])
    assert list((tmp_path / "work" / "checkpoints").iterdir()) == [kept]
    assert all(torch.isfinite(p).all() for p in load_weights(kept).parameters())
    assert not (tmp_path / "checkpoints").exists() or not any((tmp_path / "checkpoints").iterdir())


def test_a_policy_that_has_become_worse_than_guessing_is_not_saved(
    make_set, make_job, train, right_rows
):
    job = make_job(make_set(right_rows), optimizer="adamw", hidden_lr=1.0, epochs=20)
    with pytest.raises(TrainingDiverged, match=r"step 10: loss .* worse than guessing .* no good"):
        train(job)
