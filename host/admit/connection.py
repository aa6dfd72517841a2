"""A connection: CoAP requests and their responses over one open transport, whatever carries it.

Owns the two background tasks of a link (reading, and sending what is due) and the futures of those who wait. What is in
the messages, and whether they are protected, is client.py's to know.
"""

import asyncio
import contextlib
import os
import time

from admit_protocol import block_client
from admit_protocol.coap import OBSERVE, Message
from admit_protocol.errors import AdmitError, TimedOut

REQUEST_TIMEOUT_S = 30.0
TOKEN_LENGTH = 4  # bytes, unless the transport says that fewer will do: where nobody else can send
_HEADERS = 48  # bytes at most of an unprotected request beside its payload, block options included


class Connection:
    """CoAP over `transport` (admit.transport). Use as an async context manager."""

    def __init__(self, transport):
        self.transport = transport
        self._waiting: dict[bytes, asyncio.Queue] = {}
        self._tasks: list[asyncio.Task] = []
        self._due = asyncio.Event()
        self._sending = asyncio.Lock()
        self._broken: AdmitError | None = None
        self.flights = 0  # messages that crossed the link, in either direction, without empty acknowledgements
        self.moved = 0  # bytes of all values that crossed it, in either direction

    async def __aenter__(self) -> "Connection":
        await self.transport.open()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._send_when_due())]
        return self

    async def __aexit__(self, *exc) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.transport.close()

    @property
    def broken(self) -> AdmitError | None:
        """What ended the link; None while it lasts."""
        return self._broken

    @property
    def max_payload(self) -> int:
        """The longest value that this link carries whole, in bytes."""
        return self.transport.layer.max_payload

    async def exchange(self, request: Message, timeout_s: float = REQUEST_TIMEOUT_S) -> Message:
        """Send one request as it is and return its response. Raises TimedOut and whatever broke the link."""
        with self._listen(request) as answers:
            await self._put(request)
            return await self._next(answers, timeout_s)

    async def observe(self, request: Message):
        """Send an Observe request as it is and yield every response to it until the caller stops."""
        with self._listen(request) as answers:
            await self._put(request)
            while True:
                yield await self._next(answers, None)

    async def request(self, request: Message) -> Message:
        """Send a request whose bodies may need several blocks (RFC 7959), and return the whole response."""
        return await block_wise(request, self.max_payload - _HEADERS, self.exchange)

    @contextlib.contextmanager
    def _listen(self, request: Message):
        request.token = request.token or self._new_token()
        answers = self._waiting[request.token] = asyncio.Queue()
        try:
            yield answers
        finally:
            del self._waiting[request.token]
            if request.option(OBSERVE) is not None:
                self.transport.layer.forget(request.token)

    def _new_token(self) -> bytes:
        """One that nobody waits for an answer to."""
        length = getattr(self.transport, "token_length", TOKEN_LENGTH)
        while (token := os.urandom(length)) in self._waiting:
            pass
        return token

    async def _next(self, answers: asyncio.Queue, timeout_s: float | None) -> Message:
        if self._broken:
            raise self._broken
        try:
            async with asyncio.timeout(timeout_s):
                answer = await answers.get()
        except TimeoutError:
            raise TimedOut("request-timeout", f"the device did not answer in {timeout_s:g} s") from None
        if isinstance(answer, AdmitError):
            raise answer
        return answer

    async def _put(self, message: Message) -> None:
        self.transport.layer.send(message, _now_ms())
        self.flights += 1
        await self._flush()

    async def _flush(self) -> None:
        """Put on the wire what the layer has ready; one task at a time, or two could swap the order of its messages."""
        async with self._sending:
            while (data := self.transport.layer.outgoing(_now_ms())) is not None:
                await self.transport.send(data)
                self.moved += len(data)
        self._due.set()

    async def _read(self) -> None:
        try:
            while True:
                data = await self.transport.receive()
                self.moved += len(data)
                for message in self.transport.layer.receive(data, _now_ms()):
                    self._deliver(message)
                await self._flush()
        except AdmitError as error:
            self._break(error)

    async def _send_when_due(self) -> None:
        """Retransmissions and acknowledgements that are due without anything having arrived."""
        while True:
            due_ms = self.transport.layer.deadline()
            wait_s = None if due_ms is None else max(due_ms - _now_ms(), 0) / 1000
            self._due.clear()
            try:
                async with asyncio.timeout(wait_s):  # wait_for would swallow a cancellation (CPython 3.11)
                    await self._due.wait()
                continue
            except TimeoutError:
                pass
            try:
                await self._flush()
            except AdmitError as error:
                return self._break(error)
            for token in self.transport.layer.failed():
                if token in self._waiting:
                    self._waiting[token].put_nowait(TimedOut("request-unanswered", "the device does not acknowledge"))

    def _deliver(self, message: Message) -> None:
        self.flights += 1
        if not message.is_request and message.token in self._waiting:
            self._waiting[message.token].put_nowait(message)

    def _break(self, error: AdmitError) -> None:
        self._broken = error
        for answers in self._waiting.values():
            answers.put_nowait(error)


async def block_wise(request: Message, block_size: int, exchange) -> Message:
    """Run `exchange(part)` for each part of a request and of its response that blocks call for."""
    transfer = block_client.Transfer(request, block_size)
    while (part := transfer.next()) is not None:
        transfer.answer(await exchange(part))
    return transfer.response


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
