"""How much the simulated platform takes at once, and how much it remembers."""

PUSH_ITEMS_MAX = 50
"""Listings in one push: what marketplaces usually take."""
READ_LISTINGS_MAX = 200
"""Listings named in one read, and rows of a page: an answer of some 20 kB."""
LISTING_ITEMS_MAX = 200
"""Listings created in one call; a body of some 50 kB."""
PAGE_ROWS = 100
"""Rows of a page where the call names no limit."""
PURCHASE_LINES_MAX = 50
"""A shopping basket; nobody fills more."""
BODY_BYTES_MAX = 1_000_000
"""Ten times the largest body that the other limits leave room for."""
CODE_CHARS_MAX = 100
TEXT_CHARS_MAX = 500
"""A title, an address; a line or two on a screen."""
QUANTITY_MAX = 2**31 - 1
"""What a field for a quantity holds; more is no quantity but a mistake."""
SHOWN_MAX = 999_999
"""The most that a listing shows. A push of more is refused, as marketplaces do."""
SEQUENCE_MAX = 2**63 - 1
PRICE_MINOR_MAX = 10**12
"""No article costs more, in any currency's minor units."""
SHOPS_MAX = 100
LISTINGS_MAX = 100_000
"""Listings of one shop; some 30 MB."""
ORDERS_MAX = 200_000
"""Orders of one shop; some 200 MB. Then the shop takes no more purchases."""
RETURNS_MAX = 100_000
"""Requests of one shop."""
PUSHES_MAX = 200_000
"""Accepted pushes remembered of one shop; older ones are forgotten first, and counted."""
FAULTS_MAX = 100
CALLS_PER_SECOND = 20
"""Of one shop, where the command line and the shop name no other rate."""
CALLS_PER_SECOND_MAX = 100_000
"""More than a process answers: as good as no limit."""
HOLD_SECONDS_MAX = 60.0
"""How long a call is held for a client that does not give up."""
SLOW_MILLISECONDS_MAX = 60_000
"""As long as a call is held."""
FAULT_SECONDS_MAX = 86_400.0
"""A fault lasts a day, or until it is removed."""
OTHER_NUMBER_MAX = 9
"""How far off a number is that the platform got wrong: enough to see, and not absurd."""
BASIS_POINTS = 10_000
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays: longer than clients keep it, so that they end it."""
SHUTDOWN_SECONDS = 1
"""How long calls in flight get when the process ends; held calls end with it."""
