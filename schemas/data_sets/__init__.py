"""The public data sets that configs name: `problems: {type: named, name: gsm8k}`.

To add one, add a record to the module of its kind.
"""

from schemas.data_sets.benchmarks import BENCHMARKS
from schemas.data_sets.choices import CHOICES
from schemas.data_sets.programs import PROGRAMS
from schemas.data_sets.record import DataSet
from schemas.data_sets.training import TRAINING

__all__ = ["DATA_SETS", "DataSet"]

DATA_SETS: dict[str, DataSet] = {**BENCHMARKS, **CHOICES, **PROGRAMS, **TRAINING}
"""Every data set by its name."""
