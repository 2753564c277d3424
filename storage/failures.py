"""Units that failed because of their own content, kept with their error."""

import traceback
from importlib.metadata import version

from schemas.rows import FAILURES, Failure, now
from schemas.units import Unit, derive_id
from storage.store import Store

_MAX_CHARACTERS = 20_000


def record_failure(store: Store, unit: Unit, error: BaseException) -> None:
    """Add a row to `failures`; the view `quarantined` shows it until the unit is committed."""
    happened_at = now()
    failure = Failure(
        unit=unit.path,
        error_type=type(error).__name__,
        message=str(error)[:_MAX_CHARACTERS],
        traceback="".join(traceback.format_exception(error))[-_MAX_CHARACTERS:],
        code_version=version("stepmill"),
        happened_at=happened_at,
    )
    name = f"{happened_at:%Y%m%d-%H%M%S-%f}-{derive_id(unit.path)}"
    store.commit(
        Unit(run_id=unit.run_id, stage=unit.stage, name=name, table=FAILURES.name), [failure]
    )
