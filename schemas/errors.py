"""The errors a caller may want to tell apart. Everything else is a plain ValueError."""


class StepmillError(Exception):
    """Base of the errors below."""


class RequestRejected(StepmillError):
    """One request cannot be served (prompt too long, wrong steps): its row gets status `error`."""


class EngineFailed(StepmillError):
    """The engine itself is gone; the host that held it must end so that Ray replaces it."""


class ModelUnusable(StepmillError, ValueError):
    """A path or id that is not a model of the kind the role needs."""


class RunConflict(StepmillError, ValueError):
    """A run id that was started with another config, or is being used by another flow."""


class StoreUnusable(StepmillError, ValueError):
    """A root that is no store, cannot be written, or was written by a newer version."""
