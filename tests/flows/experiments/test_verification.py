"""The study as a flow: what it stores, and that a second run makes nothing again."""

import pytest

from flows.experiments.verification import experiment_verification
from schemas.experiments.verification import VerificationExperimentConfig
from storage import Store, connect, query

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TINY = {
    "reference": 0.8,
    "horizon": 6,
    "holds": [{"hold": "gamma", "spreads": [0.15]}],
    "binary_holds": [],
    "nums": [8, 16],
    "horizons": [],
    "num_drawn": 6000,
    "num_seeds": 2,
    "num_questions": 16,
    "traces_per_question": 2,
    "best_of": 4,
    "base": {
        "num_steps": 150,
        "architecture": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "mlp_size": 64},
    },
    "imitation": {"rates": [0.002], "max_epochs": 1, "num_dev_questions": 8},
    "verifier": {"max_epochs": 1},
    "reinforce": {"num_steps": 2, "batch_questions": 4, "group_size": 4},
    "pool": {"num_actors": 1},
}


def test_a_study_stores_its_traces_and_figures_once(tmp_path):
    config = VerificationExperimentConfig.from_partial(TINY)
    root = str(tmp_path / "store")
    made = experiment_verification(config, root, "run")
    store = Store(root)
    relations = store.read(made)
    assert {row.relation for row in relations} == {
        "verifier_based_wins",
        "verifier_error_falls",
        "imitation_suffers",
        "verifier_does_not_suffer",
        "gap_grows_with_data",
    }
    assert all(row.verdict is not None for row in relations)
    found = query(
        connect(root), "select arm, count(*) from planted_samples group by all order by all"
    ).fetchall()
    # Two mixtures and two seeds; eight points and four with the truth.
    assert dict(found) == {
        "base": 4 * 64,
        "base_cold": 4 * 32,
        "pool": 4 * 6000,
        "read": 8 * 64,
        "teacher": 4 * 32,
        "truth_bon": 4 * 16,
        "truth_rl": 4 * 32,
        "vb_bon": 8 * 16,
        "vb_rl": 8 * 32,
        "vf": 8 * 32,
        "vf_likelihood": 8 * 32,
    }
    for name in ("gaps", "arms"):
        assert (store.root / "reports" / "run" / f"verification-{name}.png").stat().st_size > 10_000
    files = sorted(path for path in store.root.rglob("*.parquet") if "/runs/" not in str(path))
    assert experiment_verification(config, root, "run") == made
    assert files == sorted(p for p in store.root.rglob("*.parquet") if "/runs/" not in str(p))


def test_a_study_of_a_hopeless_mixture_is_refused_before_anything_is_stored(tmp_path):
    config = VerificationExperimentConfig.from_partial(TINY | {"num_drawn": 10})
    root = tmp_path / "store"
    with pytest.raises(ValueError, match="num_drawn 10: expected enough for 24 right traces"):
        experiment_verification(config, str(root), "run")
    assert not root.exists()
