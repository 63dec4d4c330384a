"""Orders from a topic: the records of the NDJSON stream, one a message, answered on another topic.

A message names its brand in the header `brand`. Offsets are committed after the orders are durable
and their answers are kept, so what is read again was placed already, and gets the same answer.
"""

import asyncio
from collections.abc import Sequence

from backend.db.errors import DatabaseUnavailable
from backend.events.broker import Message, Publisher, ReceivedRecord, Source
from backend.orders.claim import refused
from backend.orders.intake_record import ShowId, answer_record, done, settled, submit_record
from backend.orders.model import Outcome
from backend.orders.place_orders import OrderIntake
from tenants.brands import BrandDirectory, UnknownBrand
from tenants.principal import system_principal

BRAND_HEADER = "brand"


class IntakeTopic:
    """Feeds the pipeline from a topic until it is told to stop."""

    def __init__(
        self,
        source: Source,
        answers: Publisher,
        intake: OrderIntake,
        brands: BrandDirectory,
        show_id: ShowId,
    ) -> None:
        self._source = source
        self._answers = answers
        self._intake = intake
        self._brands = brands
        self._show_id = show_id
        self._stopping = False

    def stop(self) -> None:
        """Let `run` end after the records in hand."""
        self._stopping = True

    async def run(self) -> None:
        """Place what comes until `stop`.

        Raises BrokerAway or DatabaseUnavailable; joined anew, the group reads the same again.
        """
        while not self._stopping:
            records = await self._source.read()
            if records:
                await self._place(records)
                await self._source.done(records)

    async def _place(self, records: Sequence[ReceivedRecord]) -> None:
        """Place the orders and publish their answers; raises DatabaseUnavailable, BrokerAway."""
        futures = [await self._submit(record) for record in records]
        await asyncio.wait(futures)
        for future in futures:
            if isinstance(future.exception(), DatabaseUnavailable):
                raise DatabaseUnavailable
        await self._answers.publish(
            [self._answer(record, future) for record, future in zip(records, futures, strict=True)]
        )

    async def _submit(self, record: ReceivedRecord) -> "asyncio.Future[Outcome]":
        code = record.headers.get(BRAND_HEADER, b"").decode(errors="replace")
        brand = await self._brands.find(code)
        if brand is None:
            unknown = UnknownBrand(f"There is no brand {code!r}; name it in the header `brand`.")
            return done(refused(unknown))
        principal = system_principal(brand.id, "topic")
        return await submit_record(self._intake, principal, record.value)

    def _answer(self, record: ReceivedRecord, future: "asyncio.Future[Outcome]") -> Message:
        answer = answer_record(record.offset, settled(future), self._show_id)
        headers = (
            (BRAND_HEADER, record.headers.get(BRAND_HEADER, b"")),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        )
        return Message(record.key, answer, headers)
