"""What a flow's record does around it."""

from prefect.settings import PREFECT_API_URL, get_current_settings

from flows.recording import recorded_flow
from schemas.loops import RestLoopConfig


def test_flows_called_by_a_flow_send_no_heartbeats_of_their_own(store):
    """Nothing else of Prefect's settings changes in the block, nor anything after it."""
    before = get_current_settings().flows.heartbeat_frequency, PREFECT_API_URL.value()
    with recorded_flow("rest", RestLoopConfig(), store.url, "run"):
        assert get_current_settings().flows.heartbeat_frequency is None
        assert PREFECT_API_URL.value() == before[1]
    assert (get_current_settings().flows.heartbeat_frequency, PREFECT_API_URL.value()) == before
    assert before[0] is not None
