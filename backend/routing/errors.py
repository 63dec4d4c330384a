"""Refusals about policies."""

from backend.db.errors import YipanError


class InvalidPolicy(YipanError):
    """The routing policy cannot be used; the message says which part."""

    code = "INVALID_POLICY"


class UnknownPolicy(YipanError):
    """There is no policy of this version; see the query routingPolicies."""

    code = "UNKNOWN_POLICY"


class PolicyNotDraft(YipanError):
    """Only a draft can be activated; propose the document anew to return to an earlier one."""

    code = "POLICY_NOT_DRAFT"


class PolicyChanged(YipanError):
    """Somebody has activated another policy since; look at it and propose yours on top of it."""

    code = "POLICY_CHANGED"

    def __init__(self, active_version: int) -> None:
        super().__init__(f"{type(self).__doc__} (Active is version {active_version}.)")
        self.active_version = active_version


class InvalidRollout(YipanError):
    """The rollout cannot be started; the message says why."""

    code = "INVALID_ROLLOUT"


class UnknownRollout(YipanError):
    """There is no rollout of this number that is running; see the query routingRollouts."""

    code = "UNKNOWN_ROLLOUT"


class RolloutRunning(YipanError):
    """A policy is being tried already; end that rollout first."""

    code = "ROLLOUT_RUNNING"
