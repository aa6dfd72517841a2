"""One WebSocket of a gateway: its requests go to kiosks, and what those answer comes back, both as they are.

Owns: the tokens of both sides, what is outstanding, and how the connection ends. Of a message it reads what RFC 8323
and RFC 7252 write outside of any encryption: code, token, Uri-Host, Observe, and whether a session protects it.
Rules: a message is never sent a second time; nothing of it is kept, changed (but Uri-Host and token) or told to anyone.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from admit.coap_ws import WebSocketLayer
from admit.gateway import answers
from admit.gateway.kiosks import Kiosk, new_token
from admit.gateway.limits import Limits, Pace
from admit_protocol import coap
from admit_protocol.errors import AdmitError, Malformed, TimedOut, TooLarge

_NORMAL, _LEAVING, _WRONG = 1000, 1001, 1002  # close codes of RFC 6455 section 7.4.1
_MAX_WORDS = 123  # bytes of a close reason, RFC 6455 section 5.5
_RELEASE_S = 5.0  # how long a visitor who released us gets answers still


class Visitor:
    """Somebody at the gateway. `say(words)` is told what they do, without what they say."""

    def __init__(
        self, socket: ServerConnection, kiosks: Mapping[str, Kiosk], limits: Limits, own_name: str, say: Callable
    ):
        self.layer = WebSocketLayer()
        self.received = self.sent = 0  # bytes
        self._socket = socket
        self._kiosks = kiosks
        self._limits = limits
        self._own_name = own_name.lower()
        self._say = say
        self._pace = Pace(limits.rate, limits.burst, time.monotonic)
        self._exchanges: dict[bytes, _Exchange] = {}
        self._at: set[str] = set()  # names of the kiosks that they have been to
        self._sending = asyncio.Lock()
        self._heard_at = self._spoke_at = time.monotonic()
        self._pinged = False
        self._farewell: tuple[int, str] | None = None

    async def serve(self) -> None:
        """Until the connection ends, by whomever."""
        code, words = _NORMAL, ""
        try:
            await self._read()
        except ConnectionClosed:
            pass
        except AdmitError as error:
            code, words = _WRONG, str(error)
            self._say(f"is shown out: {error}")
        finally:
            await self._end(*(self._farewell or (code, words)))

    async def sweep(self) -> None:
        """Ping who is silent, let go of who does not answer that, release who asks for nothing."""
        now = time.monotonic()
        if now - self._spoke_at >= self._limits.idle_s and not self._exchanges:
            await self.release("nothing was asked for long")
        elif now - self._heard_at >= self._limits.silent_s + self._limits.pong_s:
            self._socket.transport.abort()
        elif now - self._heard_at >= self._limits.silent_s and not self._pinged:
            self._pinged = True
            self.layer.ping()
            with contextlib.suppress(ConnectionClosed):
                await self._flush()

    async def release(self, words: str) -> None:
        """End the connection in good order. RFC 8323 section 5.5."""
        self._farewell = (_LEAVING, words)
        self.layer.release(words)
        with contextlib.suppress(ConnectionClosed):
            await self._flush()
            await self._socket.close(_LEAVING, words)

    async def _read(self) -> None:
        """Take message after message, no faster than the pace allows: what comes faster waits in the network."""
        await self._flush()  # our CSM
        async with self._limited_to(self._limits.opening_s):
            while not self.layer.greeted:
                await self._take_next()
        while not self.layer.released:
            await self._take_next()
            if delay := self._pace.take():
                await asyncio.sleep(delay)
        tasks = [each.task for each in self._exchanges.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_RELEASE_S)

    @contextlib.asynccontextmanager
    async def _limited_to(self, limit_s: float):
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError:
            error = TimedOut("ws-no-csm", f"no CSM came for {limit_s:g} s")
            self.layer.abort(error)
            raise error from None

    async def _take_next(self) -> None:
        data = await self._socket.recv()
        self.received += len(data)
        self._heard_at, self._pinged = time.monotonic(), False
        for message in self.layer.receive(data):
            if message.is_request:
                await self._take(message)
        await self._flush()

    async def _take(self, request: coap.Message) -> None:
        """Begin to answer a request."""
        self._spoke_at = self._heard_at
        token = await self._token_for(request)
        if len(self._exchanges) >= self._limits.outstanding:
            return await self._tell(answers.refusal(answers.Crowded("too many requests at once", 1)), request.token)
        exchange = self._exchanges[request.token] = _Exchange(token)
        exchange.task = asyncio.create_task(self._answer(request, exchange))

    async def _token_for(self, request: coap.Message) -> bytes:
        """Our token for a request: new, but the same as before for what renews or ends an observation (RFC 7641
        section 3.6). Raises Malformed("ws-token") for a token that is in use otherwise.
        """
        known = self._exchanges.get(request.token)
        if known is None:
            return new_token()
        if not known.stands or request.option(coap.OBSERVE) is None:
            error = Malformed("ws-token", "a request has the token of one that is outstanding")
            self.layer.abort(error)
            raise error
        await known.stop()
        return known.token

    async def _answer(self, request: coap.Message, exchange: "_Exchange") -> None:
        try:
            await self._serve(request, exchange)
        except AdmitError as error:
            with contextlib.suppress(ConnectionClosed):
                await self._tell(answers.refusal(error), request.token)
        except ConnectionClosed:
            pass
        except Exception as error:  # of a port or a radio: whoever asked shall not wait for nothing
            self._say(f"met a fault of the gateway: {type(error).__name__}")
            with contextlib.suppress(ConnectionClosed):
                await self._tell(answers.refusal(answers.fault()), request.token)
        finally:
            if self._exchanges.get(request.token) is exchange:
                del self._exchanges[request.token]

    async def _serve(self, request: coap.Message, exchange: "_Exchange") -> None:
        """Answer a request ourselves, or let its kiosk do so."""
        answers.check_own_options(request)
        name = _host_of(request)
        if name in ("", self._own_name) and name not in self._kiosks:
            own = answers.own(request, [each.name for each in self._kiosks.values()])
            return await self._tell(own, request.token)
        if name not in self._kiosks:
            raise answers.no_kiosk()
        await self._forward(self._kiosks[name], request, exchange)

    async def _forward(self, kiosk: Kiosk, request: coap.Message, exchange: "_Exchange") -> None:
        outer = request.with_option(coap.URI_HOST, None)
        outer.token = exchange.token

        async def tell(response: coap.Message) -> None:
            exchange.stands = True
            await self._tell(response, request.token)

        if kiosk.name not in self._at:
            self._at.add(kiosk.name)
            self._say(f"goes to {kiosk.name}")
        try:
            await kiosk.forward(self, outer, tell)
        except answers.Unreachable as error:
            self._say(f"does not reach {kiosk.name}: {error.__cause__ or error}")
            raise

    async def _tell(self, response: coap.Message, token: bytes) -> None:
        """Send a response, as it is but for its token."""
        told = _with_token(response, token)
        try:
            self.layer.send(told)
        except TooLarge:
            self.layer.send(_with_token(answers.refusal(answers.answer_too_large()), token))
        self._spoke_at = time.monotonic()
        await self._flush()

    async def _flush(self) -> None:
        """Put on the wire what is ready. Who does not read for too long is dropped."""
        async with self._sending:
            while (data := self.layer.outgoing()) is not None:
                try:
                    async with asyncio.timeout(self._limits.sending_s):
                        await self._socket.send(data)
                except TimeoutError:
                    self._say("does not read, and is dropped")
                    self._socket.transport.abort()
                self.sent += len(data)

    async def _end(self, code: int, words: str) -> None:
        """Leave nothing behind: what is outstanding ends, links are closed."""
        for exchange in list(self._exchanges.values()):
            await exchange.stop()
        for name in self._at:
            await self._kiosks[name.lower()].leave(self)
        with contextlib.suppress(ConnectionClosed):
            await self._flush()
        await self._socket.close(code, words.encode()[:_MAX_WORDS].decode(errors="ignore"))


class _Exchange:
    """A request that is being answered: our token for it, and whether it has been answered once and still stands."""

    task: asyncio.Task

    def __init__(self, token: bytes):
        self.token = token
        self.stands = False

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


def _with_token(response: coap.Message, token: bytes) -> coap.Message:
    twin = response.copy()
    twin.token = token
    return twin


def _host_of(request: coap.Message) -> str:
    """The name in Uri-Host, in lower case (RFC 7252 section 6.4); "" for none. Raises Malformed("coap-utf8")."""
    try:
        return str(request.option(coap.URI_HOST) or b"", "utf-8").lower()
    except UnicodeError:
        raise Malformed("coap-utf8", "Uri-Host") from None
