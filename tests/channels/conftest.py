"""A database for the refusals, who leave it as it is."""

from tests.refusals import still, still_admin, still_url

__all__ = ["still", "still_admin", "still_url"]
