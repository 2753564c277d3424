"""Outputs of programs carry no loss in training; a method that cannot leave them out says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import CalculatorConfig
from schemas.graders import MathGraderConfig
from schemas.policy_training import PolicyTrainingJob
from schemas.prompts import PlainPromptConfig
from schemas.tools import ToolsConfig
from tasks.engines.calculator_engine import CalculatorEngine, products
from tasks.sandbox import sandbox_fault
from tasks.training.rows import NO_LOSS, RowEncoder

OUTPUTS = ("```output\n3\n```\n", "```output\n4\n```\n")


def job_of(method: str, **fields: Any) -> PolicyTrainingJob:
    return PolicyTrainingJob.model_validate(
        {
            "policy": {"type": "vllm", "model": "world-policy"},
            "training_set": "set",
            "prompt": PlainPromptConfig(tools=ToolsConfig()),
            "method": {"type": method, "num_workers": 0, **fields},
        }
    )


def test_a_method_that_would_train_on_outputs_is_refused_by_name():
    with pytest.raises(ValueError, match=r"prompt\.tools: expected .* got rloo"):
        job_of("rloo")
    for method in ("sft", "dpo", "grpo", "ppo"):
        assert job_of(method).prompt.tools is not None


def test_pairs_are_compared_without_outputs(byte_tokenizer):
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    from tasks.training.methods.dpo import _OutputsMasked

    row = {"prompt": "3?\n", "chosen": f"x\n{OUTPUTS[0]}so", "rejected": f"{OUTPUTS[1]}no 4"}
    encode = RowEncoder(byte_tokenizer, has_chat_template=False, masks_outputs=True)
    encoded = encode.preference_row(row)
    assert byte_tokenizer.decode(
        [label for label in encoded["chosen_labels"] if label != NO_LOSS]
    ) == ("x\nso</s>")
    collate = _OutputsMasked(DataCollatorForPreference(pad_token_id=0))
    mask = collate([encoded])["completion_mask"].tolist()
    # The prompt's 3 tokens, 2 written, 16 printed, 2 written and an end of text; the other pair.
    assert mask[0] == [0] * 3 + [1] * 2 + [0] * 16 + [1] * 3
    assert mask[1] == [0] * 3 + [0] * 16 + [1] * 5
    plain = RowEncoder(byte_tokenizer, has_chat_template=False).preference_row(row)
    assert sorted(plain) == ["chosen_ids", "length", "prompt_ids", "rejected_ids"]
    assert sum(map(sum, collate([plain])["completion_mask"].tolist())) == 21 + 21


def test_a_pair_that_differs_in_its_outputs_alone_teaches_nothing(byte_tokenizer, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tasks.training.models import load_weights
    from tasks.training.train import train_model

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(byte_tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=byte_tokenizer.eos_token_id,
        pad_token_id=byte_tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    folder = tmp_path / "policy"
    LlamaForCausalLM(config).save_pretrained(folder)
    byte_tokenizer.save_pretrained(folder)
    rows = [
        {"prompt": f"{i}?\n", "chosen": OUTPUTS[0], "rejected": OUTPUTS[1], "source_ids": ["t"]}
        for i in range(4)
    ]
    written = tmp_path / "set"
    written.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), written / "train-00000.parquet")
    facts = {"kind": "test", "form": "preference", "policy": None, "ends_with_text": False}
    (written / "set.json").write_text(json.dumps(facts))
    (written / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - {split: train, path: train-*.parquet}\n---\n# A made-up set\n"
    )
    before = load_weights(folder).state_dict()
    for name, tools, moves in (("masked", ToolsConfig(), False), ("learned", None, True)):
        job = job_of("dpo", max_steps=2, batch_size=4, hidden_lr=0.05, warmup_steps=0)
        job = job.with_fields(
            policy={"type": "vllm", "model": str(folder)}, prompt=PlainPromptConfig(tools=tools)
        )
        trained = train_model(
            job, written, checkpoints_dir=tmp_path / "checkpoints", work_dir=tmp_path / name
        )
        assert trained.curve[0]["loss"] == pytest.approx(0.693147, abs=1e-4)
        after = load_weights(Path(trained.path)).state_dict()
        assert all(torch.equal(after[key], before[key]) for key in before) != moves


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
def test_solutions_drawn_in_training_say_which_tokens_programs_printed(
    byte_tokenizer, tmp_path, store, unit_of, monkeypatch
):
    from tasks.training import rollouts
    from tasks.training.drawn_rows import DrawnRows

    engine = CalculatorEngine(CalculatorConfig(p_right=0.6))

    async def opened(*_: Any, **__: Any) -> CalculatorEngine:
        return engine

    monkeypatch.setattr(rollouts, "open_vllm_engine", opened)
    job = job_of("grpo", max_new_tokens=1000, group_size=4, batch_size=4).with_fields(
        prompt=PlainPromptConfig(separator="\n\n", tools=ToolsConfig(timeout_s=20)),
        grader=MathGraderConfig(),
    )
    (problem,) = products(1, 4)
    state = {"prompt": f"{problem.question}\n", "answer": problem.answer, "row": 0}
    unit = unit_of("trajectories", stage="policy_training", name="policy")
    kept = DrawnRows(store.url, unit, job)
    drawing = rollouts.Rollouts(
        job,
        [state],
        None,
        byte_tokenizer,
        work_dir=tmp_path,
        rank=0,
        num_processes=1,
        drawn=kept,
    )
    drawn = drawing(["0"] * 4, 0)
    drawing.close()
    for ids, mask, logprobs, reward in zip(
        drawn["completion_ids"], drawn["env_mask"], drawn["logprobs"], drawn["reward"], strict=True
    ):
        printed = "".join(chr(i) for i, own in zip(ids, mask, strict=True) if not own)
        blocks = printed.split("```output\n")
        assert blocks[0] == ""
        assert [block.partition("\n")[2] for block in blocks[1:]] == ["```\n\n"] * 2
        assert len(logprobs) == len(ids)
        assert (reward == 1.0) == ("+" not in "".join(map(chr, ids)))
    for row, mask in zip(kept._rows, drawn["env_mask"], strict=True):
        assert row.segments == ("step", "output", "step", "output", "step")
        assert (row.generated_tokens, row.tool_tokens) == (sum(mask), len(mask) - sum(mask))
    assert drawing.generated_tokens == sum(map(sum, drawn["env_mask"]))
