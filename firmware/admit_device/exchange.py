"""Exchanges: what lies between a CoAP message on a link and a whole request: OSCORE, EDHOC, blocks and observation.

One request goes in by `answer`; its response comes back at once, or later through `send` when a routine took its time.
Errors become responses here and nowhere else: under encryption if there is a session, else with no more than a code.
"""

import asyncio

from admit_device.faults import print_exception
from admit_device.resources import Request
from admit_device.sessions import CIPHER_SUITES, HandshakeFailed
from admit_protocol import edhoc, problem
from admit_protocol.block import Assembler, Slicer
from admit_protocol.coap import (
    ACCEPT,
    BAD_REQUEST,
    BLOCK1,
    BLOCK2,
    CHANGED,
    CONTENT,
    CONTENT_EDHOC,
    CONTENT_FORMAT,
    GET,
    NOT_ACCEPTABLE,
    OBSERVE,
    OSCORE,
    URI_HOST,
    URI_PATH,
    URI_PORT,
    URI_QUERY,
    check_critical,
    response,
)
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, NotFound

MAX_BODY = const(4096)
MAX_OBSERVED = const(2)  # by one session, so that nobody takes the places of others
# What OSCORE and CoAP add to a block: OSCORE option 14, tag 8, token 8, inner code and options 24, markers 2.
_OVERHEAD = const(56)

# Critical options that we honour; an unknown one is refused (RFC 7252 section 5.4.1).
_KNOWN = (URI_HOST, URI_PORT, URI_PATH, URI_QUERY, ACCEPT, BLOCK1, BLOCK2)


class Exchange:
    """Turns messages into requests for resources, and their results into messages.

    `send(link, message)` sends what does not answer at once. `sessions` is None in factory state.
    """

    def __init__(self, clock, send):
        self.sessions = None
        self._resources = None
        self._clock = clock
        self._send = send
        # Strangers have places of their own, or they could keep a revocation from arriving.
        self._blocks = {
            True: (Assembler(MAX_BODY, 3), Slicer(MAX_BODY, 3)),  # of sessions
            False: (Assembler(MAX_BODY, 3), Slicer(1024, 5)),  # of links: a grant on its way in, message_2 out
        }
        self._observers = []

    def serve(self, resources):
        """Requests go to these from now on."""
        self._resources = resources

    def answer(self, link, message):
        """The response to a request that came over `link`; None if it comes later, or if it is no request."""
        if not message.is_request:
            return None
        try:
            if message.option(OSCORE) is None or self.sessions is None:
                return self._reply(_Call(link, None, message, None, message.token))
            session, inner, reference = self.sessions.unprotect(link, message)
        except HandshakeFailed as failed:
            return _with_token(edhoc_failure(failed.cause), message.token)
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
            return edhoc_failure(failed.cause)
        return response(CHANGED, message_2, CONTENT_EDHOC if message_2 else None)

    def output_changed(self, name):
        """Tell those who watch a routine that moves this output."""
        for observer in self._observers[:]:
            if observer.call.request.watches(name):
                self._tell(observer)

    def forget(self, gone):
        """A link or a session is gone, and what was kept for it."""
        self._observers = [each for each in self._observers if gone not in (each.call.link, each.call.session)]
        for assembler, slicer in self._blocks.values():
            assembler.forget(gone)
            slicer.forget(gone)

    def not_taken(self, link, token):
        """The peer at `link` refuses what answers `token`: it no longer observes (RFC 7641 section 3.6)."""
        self._observers = [each for each in self._observers if each.call.link is not link or each.call.token != token]

    def _reply(self, call):
        """Serve a request of which the encryption is off; the response with it on again, or None if it comes later."""
        assembler, slicer = self._blocks[call.session is not None]
        whole = assembler.accept(call.message, call.key, self._clock.monotonic_ms())
        if not whole.is_request:
            return call.protect(whole)
        later_block = slicer.next(call.key, whole)
        if later_block is not None:
            return call.protect(later_block)
        result = self._serve(call, whole)
        if hasattr(result, "send"):
            asyncio.create_task(self._later(call, whole, result))
            return None
        return self._finish(call, whole, result)

    def _serve(self, call, whole, again=False):
        try:
            check_critical(whole.options, _KNOWN)
            call.request = Request(call.link, call.session, whole, again)
            return self._resources.serve(call.request)
        except AdmitError as error:
            return _problem(error)

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
            self._forget_observer(call)
            if whole.uint(OBSERVE) == 0 and result.code == CONTENT and call.session is not None:
                self._observe(call, whole)
                result.set_option(OBSERVE, 0)
        return self._sliced(call, whole, result)

    def _observe(self, call, whole):
        """Remember a standing GET; one too many of the same session takes the place of its oldest."""
        of_session = [each for each in self._observers if each.call.session is call.session]
        if len(of_session) >= MAX_OBSERVED:
            self._observers.remove(of_session[0])
        self._observers.append(_Observer(call, whole))

    def _sliced(self, call, whole, result):
        slicer = self._blocks[call.session is not None][1]
        return call.protect(slicer.slice(call.key, whole, result, call.block_size()))

    def _tell(self, observer):
        """Notify one observer. Whatever is wrong with its link must not fail the routine that moves the output."""
        try:
            self._notify(observer)
        except Exception as error:
            print_exception(error)
            self._forget_observer(observer.call)

    def _notify(self, observer):
        """Serve the standing GET again. An observer who may no longer read is told so, and forgotten."""
        call = observer.call
        result = self._serve(call, observer.whole, again=True)
        if result.code == CONTENT:
            observer.count += 1
            result.set_option(OBSERVE, observer.count)
        else:
            self._forget_observer(call)
        self._send(call.link, self._sliced(call, observer.whole, result))

    def _forget_observer(self, call):
        """A token is its peer's own: one on the same link, or without the session, ends nobody else's observation."""
        self._observers = [each for each in self._observers if not each.call.is_like(call)]


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


class _Observer:
    """A standing GET: notified when an output changes. Observe's own numbers are replaced by OSCORE's."""

    def __init__(self, call, whole):
        self.call = call
        self.whole = whole
        self.count = 0


def _is_acceptable(request, result):
    """Is it in the format that the request insists on, if it does? RFC 7252 section 5.10.4."""
    return request.option(ACCEPT) is None or request.uint(ACCEPT) == result.uint(CONTENT_FORMAT)


def edhoc_failure(error):
    """The response that carries an EDHOC error message (RFC 9528 appendix A.2.3)."""
    return response(BAD_REQUEST, edhoc.error_message(error, CIPHER_SUITES), CONTENT_EDHOC)


def _refusal(error):
    """What somebody without a session learns of an error: the code, and no more (RFC 8613 section 8.2)."""
    return error.response if hasattr(error, "response") else response(error.coap)


def _problem(error):
    rule = getattr(error, "rule", None)
    return problem.error_response(error, None if rule is None else {problem.RULE: rule})


def _with_token(message, token):
    message.token = token
    return message
