"""Why a replay cannot begin."""

from backend.db.errors import YipanError


class NotTheData(YipanError):
    """The folder does not hold the files of this replay; see docs/how-to/replay.md."""

    code = "NOT_THE_DATA"


class TooManyReplays(YipanError):
    """No free brand code was found for this replay."""

    code = "TOO_MANY_REPLAYS"
