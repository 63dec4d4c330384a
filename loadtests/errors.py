"""Why a replay or a benchmark cannot begin."""

from backend.db.errors import YipanError


class NotTheData(YipanError):
    """The folder does not hold the files of this replay; see docs/how-to/replay.md."""

    code = "NOT_THE_DATA"


class OtherPreset(YipanError):
    """The brand is routed by another preset: go on with that one, or name another brand."""

    code = "OTHER_PRESET"


class TooManyRuns(YipanError):
    """No free brand code was found for this run."""

    code = "TOO_MANY_RUNS"


class BenchPackagesMissing(YipanError):
    """Benchmarks need more packages than a server; `make bench` installs them."""

    code = "BENCH_PACKAGES_MISSING"
