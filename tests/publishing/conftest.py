"""A database for the refusals, who leave it as it is; and a platform with a new shop."""

from tests.channels.conftest import http, platform_url, shop
from tests.refusals import still, still_admin, still_url

__all__ = ["http", "platform_url", "shop", "still", "still_admin", "still_url"]
