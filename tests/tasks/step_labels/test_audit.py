from schemas.rows import StepLabel
from schemas.step_labels import MonteCarloConfig
from tasks.step_labels.audit import audit_labels

CONFIG = MonteCarloConfig(search="bisection")
PLAIN = CONFIG.without_shortcuts()


def labels_of(trajectory_id, config, verdicts):
    """One label per verdict; the last one is the answer's."""
    return [
        StepLabel(
            trajectory_id=trajectory_id,
            step_index=index,
            method=config.method,
            completer="policy-0",
            evidence="answer" if index == len(verdicts) - 1 else "inferred",
            num_rollouts=0,
            num_correct=0,
            soft=None,
            hard=verdict,
            ci_low=None,
            ci_high=None,
        )
        for index, verdict in enumerate(verdicts)
    ]


def test_disagreement_by_hand():
    labels = [
        *labels_of("agrees", CONFIG, [True, False, False]),
        *labels_of("agrees", PLAIN, [True, False, False]),
        *labels_of("repaired", CONFIG, [False, False, False, False]),
        *labels_of("repaired", PLAIN, [False, True, False, False]),
        *labels_of("lenient", CONFIG, [True, True, True]),
        *labels_of("lenient", PLAIN, [True, False, True]),
        *labels_of("gap", CONFIG, [True, None, False]),
        *labels_of("gap", PLAIN, [True, True, False]),
        *labels_of("not audited", CONFIG, [True, False]),
    ]
    audit = audit_labels(labels, CONFIG)
    assert audit.num_trajectories == 4
    assert audit.num_steps == 2 + 3 + 2 + 1
    assert (audit.num_wrongly_right, audit.num_wrongly_wrong) == (1, 1)
    assert audit.num_disagreeing_trajectories == 2
    assert audit.num_repaired_trajectories == 1
    assert audit.disagreement_rate == 2 / 8
    interval = audit.disagreement_interval()
    assert interval is not None
    assert interval[0] < 0.25 < interval[1]


def test_nothing_audited_is_no_rate():
    audit = audit_labels(labels_of("t0", CONFIG, [True, False]), CONFIG)
    assert audit.num_steps == 0
    assert audit.disagreement_rate is None
    assert audit.disagreement_interval() is None


def test_stopping_at_the_first_hit_needs_no_audit():
    assert not MonteCarloConfig(stopping="first_hit").needs_audit
    assert MonteCarloConfig(stopping="confidence").needs_audit
