"""The flow on a real Prefect server: from a set in the store to a registered policy."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.policy_training import PolicyTrainingJob
from storage import Store, connect


@pytest.mark.slow
def test_a_policy_is_trained_once_and_another_config_makes_another(prefect_server, tmp_path: Path):
    from flows.policy_training import train_policy

    store = Store(tmp_path / "store")
    folder = store.root / "datasets" / "mine"
    folder.mkdir(parents=True)
    rows = [
        {
            "prompt": f"Monday: Dan has {20 + i} shells. How many shells does Dan have now?\n",
            "completion": f"Answer: {21 + i}",
            "weight": 1.0,
            "problem_id": f"p{i}",
        }
        for i in range(8)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000.parquet")
    (folder / "set.json").write_text(json.dumps({"form": "prompt_completion", "name": "mine"}))

    def job(role="policy", **method):
        return PolicyTrainingJob.from_partial(
            {
                "role": role,
                "policy": {"type": "vllm", "model": "world-policy"},
                "training_set": "mine",
                "method": {"type": "sft", "num_workers": 0, "max_steps": 2, **method},
            }
        )

    first = train_policy(job(), store.url, "run")
    assert train_policy(job(), store.url, "run") == first
    other = train_policy(job(seed=1), store.url, "run")
    assert other != first
    critic = train_policy(job("critic", seed=2), store.url, "run")
    catalog = connect(store.url)
    roles = catalog.sql(
        "select role from models where path like ?", params=[f"%{Path(critic).name}"]
    )
    assert roles.fetchall() == [("critic",)]
    assert "a critic trained by sft" in (Path(critic) / "README.md").read_text()
    models = catalog.sql("select path, role, base, training_set from models order by path")
    assert sorted(path for path, *_ in models.fetchall()) == sorted(
        Path(each).relative_to(store.root).as_posix() for each in (first, other, critic)
    )
    (states,) = catalog.sql(
        "select count(*) from run_state where flow = 'policy_training' and state = 'completed'"
    ).fetchall()
    assert states[0] >= 1
    with pytest.raises(ValueError, match="training_set 'theirs': expected a set of"):
        train_policy(job().with_fields(training_set="theirs"), store.url, "run")
