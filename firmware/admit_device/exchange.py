"""Exchanges: what lies between a CoAP message on a link and a whole request: OSCORE, EDHOC, blocks and observation.

One request goes in by `answer`; its response comes back at once, or later through `send` when a routine took its time.
Errors become responses here and nowhere else: under encryption if there is a session, else with no more than a code.
Long bodies are bodies.py's, standing requests observers.py's.
"""

import asyncio

from admit_device.bodies import Bodies
from admit_device.faults import note
from admit_device.ondemand import OnDemand, borrowed
from admit_device.request import Request
from admit_device.sessions import HandshakeFailed
from admit_protocol.coap import (
    ACCEPT,
    BLOCK1,
    BLOCK2,
    CHANGED,
    CONTENT,
    CONTENT_EDHOC,
    CONTENT_FORMAT,
    EDHOC,
    GET,
    NOT_ACCEPTABLE,
    OBSERVE,
    OSCORE,
    POST,
    URI_HOST,
    URI_PATH,
    URI_PORT,
    URI_QUERY,
    check_critical,
    response,
)
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, NotFound

# What OSCORE and CoAP add to a block: OSCORE option 14, tag 8, token 8, inner code and options 24, markers 2.
_OVERHEAD = const(56)

_OUR_FAULT = const(0xA0)  # 5.00

_HANDSHAKE = (".well-known", "edhoc")

# Critical options that we honour; an unknown one is refused (RFC 7252 section 5.4.1).
_KNOWN = (URI_HOST, URI_PORT, URI_PATH, URI_QUERY, ACCEPT, BLOCK1, BLOCK2)


class Exchange:
    """Turns messages into requests for resources, and their results into messages.

    `front.resources()` serve; a handshake does not need them, but their room. `send(link, message)` sends what does
    not answer at once. `sessions` is None in factory state: then `unseal(link, message)` opens the requests of a host
    that knows the sealed label.
    """

    def __init__(self, clock, front, send, unseal):
        self.sessions = None
        self._front = front
        self._send = send
        self._unseal = unseal
        self._bodies = Bodies(clock)
        self._code = OnDemand(_load)
        self._observers = None

    def answer(self, link, message):
        """The response to a request that came over `link`; None if it comes later, or if it is no request."""
        if not message.is_request:
            return None
        try:
            if message.option(OSCORE) is None:
                return self._reply(_Call(link, None, message, None, message.token))
            if message.option(EDHOC) is not None:
                self._make_room()
            unprotect = self.sessions.unprotect if self.sessions else self._unseal
            session, inner, reference = unprotect(link, message)
        except HandshakeFailed as failed:
            return _with_token(_failure(failed), message.token)
        except AdmitError as error:
            return _with_token(_refusal(error), message.token)
        return self._reply(_Call(link, session, inner, reference, message.token))

    def begin_handshake(self, request):
        """POST /.well-known/edhoc: message_1 is answered with message_2, message_3 with nothing."""
        if self.sessions is None:
            raise NotFound("resource-unknown", "a factory device has no identity to prove")
        try:
            message_2 = self.sessions.edhoc(request.link, request.payload)
        except HandshakeFailed as failed:
            return _failure(failed)
        return response(CHANGED, message_2, CONTENT_EDHOC if message_2 else None)

    def output_changed(self, name):
        """Tell those who watch a routine that moves this output."""
        if self._observers:
            self._observers.output_changed(name)

    def forget(self, gone):
        """A link or a session is gone, and what was kept for it."""
        self._bodies.forget(gone)
        if self._observers:
            self._observers.forget(gone)

    def rest(self, is_alone):
        """Nothing is going on: let go of what nobody needs now; of everything if there is no link."""
        self._bodies.rest(is_alone)
        if is_alone or not (self._observers and self._observers.is_busy()):
            self._observers = None
            self._code.forget()

    def not_taken(self, link, token):
        """The peer at `link` refuses what answers `token`: it no longer observes (RFC 7641 section 3.6)."""
        if self._observers:
            self._observers.not_taken(link, token)

    def _reply(self, call):
        """Serve a request of which the encryption is off; the response with it on again, or None if it comes later."""
        whole = self._bodies.whole(call)
        if not whole.is_request:
            return call.protect(whole)
        result = self._serve(call, whole)
        if hasattr(result, "send"):
            asyncio.create_task(self._later(call, whole, result))
            return None
        return self._finish(call, whole, result)

    def _serve(self, call, whole, again=False):
        try:
            check_critical(whole.options, _KNOWN)
            call.request = Request(call.link, call.session, whole, again)
            if whole.code == POST and call.request.path == _HANDSHAKE:
                self._make_room()
                return self.begin_handshake(call.request)
            result = self._front.resources().serve(call.request)
            if self.sessions and call.session is None:  # a handshake comes next
                self._make_room()
            return result
        except AdmitError as error:
            return _problem(error)

    def _make_room(self):
        """For elliptic curves."""
        self._front.step_aside()
        self._bodies.rest(False)

    async def _later(self, call, whole, coroutine):
        try:
            result = await coroutine
        except AdmitError as error:
            result = _problem(error)
        self._send(call.link, self._finish(call, whole, result))

    def _finish(self, call, whole, result):
        """Register or end an observation, cut the response into blocks, protect it."""
        if whole.code == GET and result.code == CONTENT and not _is_acceptable(whole, result):
            result = response(NOT_ACCEPTABLE)
        if whole.code == GET and whole.option(OBSERVE) is not None:
            self._observe(call, whole, result)
        return self._protected(call, whole, result)

    def _observe(self, call, whole, result):
        """A GET with Observe stands from now on, or no longer; `result` says so if it does."""
        stands = whole.uint(OBSERVE) == 0 and result.code == CONTENT and call.session is not None
        if self._observers is None:
            if not stands:
                return
            self._observers = self._code()(self._notify)
        self._observers.remove(call)
        if stands:
            self._observers.add(call, whole)
            result.set_option(OBSERVE, 0)

    def _notify(self, call, whole, count):
        """Serve the standing GET again; does it stand any longer? An observer who may no longer read is told so."""
        result = self._serve(call, whole, again=True)
        stands = result.code == CONTENT
        if stands:
            result.set_option(OBSERVE, count)
        self._send(call.link, self._protected(call, whole, result))
        return stands

    def _protected(self, call, whole, result):
        """As it goes on the wire: the block that was asked for, encrypted if the request was."""
        return call.protect(self._bodies.cut(call, whole, result))


class _Call:
    """One request on its way: whence it came, and how its response must be protected."""

    def __init__(self, link, session, message, reference, token):
        self.link = link
        self.session = session
        self.key = session or link
        self.message = message
        self.token = token
        self.request = None
        self._reference = reference

    def is_like(self, other):
        return self.link is other.link and self.session is other.session and self.token == other.token

    def protect(self, result):
        if self.session is not None:
            result = self.session.context.protect_response(result, self._reference)
        return _with_token(result, self.token)

    def block_size(self):
        return self.link.layer.max_payload - _OVERHEAD


def _is_acceptable(request, result):
    """Is it in the format that the request insists on, if it does? RFC 7252 section 5.10.4."""
    return request.option(ACCEPT) is None or request.uint(ACCEPT) == result.uint(CONTENT_FORMAT)


def _load():
    from admit_device.observers import Observers

    return Observers


def _failure(failed):
    """The response that carries an EDHOC error message (RFC 9528 appendix A.2.3)."""
    from admit_device.handshakes import failure

    return failure(failed.cause)


def _refusal(error):
    """What somebody without a session learns of an error: the code, and no more (RFC 8613 section 8.2)."""
    return error.response if hasattr(error, "response") else response(error.coap)


def _problem(error):
    rule = getattr(error, "rule", None)
    if error.coap == _OUR_FAULT:
        note("refused: " + error.reason)
    with borrowed():
        from admit_protocol import problem

        return problem.error_response(error, None if rule is None else {problem.RULE: rule})


def _with_token(message, token):
    message.token = token
    return message
