"""Refusals of alerts and transfer proposals."""

from backend.db.errors import YipanError


class InvalidAlertRule(YipanError):
    """The rule cannot be kept; the message says which part."""

    code = "INVALID_ALERT_RULE"


class UnknownAlertRule(YipanError):
    """There is no alert rule with this code; see the query alertRules."""

    code = "UNKNOWN_ALERT_RULE"


class AlertRuleChanged(YipanError):
    """The rule was changed since: read it again and decide anew."""

    code = "ALERT_RULE_CHANGED"

    def __init__(self, version: int, path: tuple[str | int, ...]) -> None:
        super().__init__(path=path)
        self.version = version


class UnknownTransfer(YipanError):
    """No proposal with this id waits for a decision; see the query transferProposals."""

    code = "UNKNOWN_TRANSFER"
