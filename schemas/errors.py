"""The errors that a caller may want to distinguish. Everything else is a plain ValueError."""


class StepmillError(Exception):
    """Base of the errors below."""


class RequestRejected(StepmillError):
    """One request cannot be served (prompt too long, wrong steps): its row gets status `error`."""


class AnswerRejected(RequestRejected):
    """An engine answered, with what cannot be true or nobody can read."""


class EngineFailed(StepmillError):
    """An engine, its actor or all of Ray is gone, through no fault of the unit that was running."""


class EngineUnreachable(EngineFailed):
    """An engine's server, or all of Ray, does not answer; no other actor could reach it either."""


class UnitKilledItsActor(StepmillError):
    """Every actor that ran this unit died: it needs too much memory, or crashes an engine."""


class ModelUnusable(StepmillError, ValueError):
    """A path or id is not a model of the kind that its role needs."""


class NothingToLearn(StepmillError, ValueError):
    """A model cannot be trained on what there is: no rows, none short enough, or all labels alike.

    What needs no such model can still be done.
    """


class RewardNotFinite(StepmillError, ValueError):
    """A reward, or what it is made of, is infinite or not a number."""


class RunConflict(StepmillError, ValueError):
    """A run id was started with another config, or is in use by another flow."""


class StoreUnusable(StepmillError, ValueError):
    """A root is not a store, cannot be written, or was written by a newer version."""


class StoreUnreachable(StepmillError, OSError):
    """An object store did not answer, or not in time, after all retries."""
