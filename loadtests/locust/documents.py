"""What front ends ask: one GraphQL document an operation, under the name that the table shows."""

LOG_IN = """mutation logIn($input: LogInInput!) { logIn(input: $input) {
  __typename
  ... on LoggedIn { token brand kind }
  ... on UserError { code message } } }"""

SKUS = """query skus($first: Int!, $after: String) { skus(first: $first, after: $after) {
  edges { cursor node { id code name category weightG isActive } }
  pageInfo { hasNextPage endCursor } } }"""

STOCK = """query stockLevels($first: Int!, $after: String) {
  stockLevels(first: $first, after: $after) {
  edges { cursor node { id onHand reserved floor earmarkUnused free
    sku { id code } location { id code } warehouse { code } } }
  pageInfo { hasNextPage endCursor } } }"""

ORDERS = """query orders($first: Int!, $after: String) { orders(first: $first, after: $after) {
  edges { cursor node { id status externalId remark placedAt shop { code isDealers }
    total { amountMinor currency } } }
  pageInfo { hasNextPage endCursor } } }"""

ORDER = """query order($id: ID!) { order(id: $id) {
  id status remark shop { code isDealers }
  total { amountMinor currency } freight { amountMinor } fees { amountMinor }
  lines { lineNo quantity reserved backordered held cancelled amountMinor sku { code } }
  fulfilments { id fulfilmentNo status location { code } }
  events { id orderId sequence type recordedAt } } }"""

LOCATIONS = """query locations { locations(first: 20) {
  edges { cursor node { id code kind } }
  pageInfo { hasNextPage endCursor } } }"""

FULFILMENTS = """query fulfilments($first: Int!, $after: String) {
  fulfilments(first: $first, after: $after) {
  edges { cursor node { id fulfilmentNo status address buyerName location { code }
    reservations { lineNo quantity active } } }
  pageInfo { hasNextPage endCursor } } }"""

ORDER_PLACE = """mutation orderPlace($input: OrderPlaceInput!) { orderPlace(input: $input) {
  __typename
  ... on OrderPlaced { orderId status holds parcels
    lines { lineNo reserved backordered held cancelled } }
  ... on UserError { code message path }
  ... on InsufficientStock { lines { sku requested available } }
  ... on TooBusy { retryAfterSeconds } } }"""

ORDER_CANCEL = """mutation orderCancel($input: OrderCancelInput!) { orderCancel(input: $input) {
  __typename
  ... on OrderCancelled { status units order { id status } }
  ... on UserError { code message path } } }"""

DOCUMENTS = {
    "logIn": LOG_IN,
    "skus": SKUS,
    "stockLevels": STOCK,
    "orders": ORDERS,
    "order": ORDER,
    "locations": LOCATIONS,
    "fulfilments": FULFILMENTS,
    "orderPlace": ORDER_PLACE,
    "orderCancel": ORDER_CANCEL,
}
"""By the field that each asks for."""
