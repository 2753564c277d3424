"""A unit of figures of a set: measured once for the same inputs and settings."""

from collections.abc import Callable, Sequence

from schemas.rows import METRICS, Metric
from schemas.unit_names import DigestName
from schemas.units import Stage, Unit
from storage import Store


def measure_once(
    store: Store,
    run_id: str,
    name: str,
    inputs: Sequence[str],
    measure: Callable[[Unit], object],
    *,
    settings: str,
    more: Sequence[str] = (),
) -> list[Metric]:
    """The figures of a unit of the evaluation, measured unless they are there.

    Args:
        store: where the rows lie.
        run_id: the run.
        name: how the unit's name begins.
        inputs: the files that are read.
        measure: commits the unit.
        settings: the hash of the config of the figures.
        more: further settings, where any differ from the defaults.
    """
    unit = Unit(
        run_id=run_id,
        stage=Stage.EVALUATION,
        name=str(DigestName.derive(name, settings, *inputs, *more)),
        table=METRICS.name,
        inputs=tuple(inputs),
    )
    if not store.has(unit):
        measure(unit)
    return store.read(unit.path)
