"""The device's resources: who may reach each, and what answers.

The one place where a request meets the rules. Order: is the resource there, is the peer proven, may it, then do it.
Decisions are journalled; the reason of a denial goes to the peer whose own grant it is about, under encryption.
This file knows nothing of links, blocks or encryption: see exchange.py.
"""

from admit_protocol import cbor
from admit_protocol.aif import method_bit
from admit_protocol.coap import (
    CHANGED,
    CONTENT,
    CONTENT_CBOR,
    CONTENT_LINK,
    DELETE,
    DELETED,
    GET,
    POST,
    PUT,
    response,
)
from admit_protocol.errors import Denied, Malformed, MethodNotAllowed, NotFound, Unauthenticated

ANYONE = "anyone"
PROVEN = "proven"  # any session: the peer holds a grant of this site, whatever it allows
GRANTED = "granted"  # a grant that counts on this device now
RULED = "ruled"  # a rule of the grant must name it

MAX_PATH = 80  # characters: what is longer names nothing here, and would only fill the journal
JOURNAL_PAGE = 3500  # bytes of records: with their lengths and the signed head below the 4 KiB of one CBOR message

# Bodies: see docs/SPEC.md, "Resources".
FIRST, HEAD_BEFORE, RECORDS, SIGNED_HEAD = 1, 2, 3, 4
LOGIN_IDLE_S, LOGIN_SUBJECT = 1, 2

_METHODS = {GET: "GET ", POST: "POST ", PUT: "PUT ", DELETE: "DELETE "}

_CORE = (
    b'</.well-known/core>;ct=40,</.well-known/edhoc>;rt="core.edhoc",</id>;ct=60;rt="admit.id",'
    b'</r>;ct=60;rt="admit.routines";osc,</login>;rt="admit.login";osc'
)


class Request:
    """A whole request as a handler sees it. `session` is None if nobody has proven anything."""

    def __init__(self, link, session, message):
        self.link = link
        self.session = session
        self.method = message.code
        self.path = message.path
        self.queries = message.queries
        self.payload = message.payload

    def watches(self, output_name):
        """Does the answer change with that output? A handler that knows better sets this."""
        return False

    @property
    def name(self):
        """The second segment of the path, or ""."""
        return self.path[1] if len(self.path) > 1 else ""

    def query(self, key, default):
        """The whole number behind `key=` in the query. Raises Malformed("request-query")."""
        for each in self.queries:
            if each.startswith(key + "="):
                number = each[len(key) + 1 :]
                if not number or number.strip("0123456789") or len(number) > 9:
                    raise Malformed("request-query", key)
                return int(number)
        return default


class Resources:
    """The table of resources. A factory device serves those for ANYONE alone: `open_site` adds the rest."""

    def __init__(self, commissioning, edhoc):
        self._journal = self._access = self._login = None
        self._arguments = {}
        self._table = {
            (".well-known", "core"): (ANYONE, {GET: _core}),
            (".well-known", "edhoc"): (ANYONE, {POST: edhoc}),
            ("id",): (ANYONE, {GET: commissioning.describe}),
            ("identity",): (ANYONE, {POST: commissioning.join, PUT: commissioning.join}),
        }

    def open_site(self, access, journal, login, routines, site):
        """The device belongs to a site: serve its proven peers."""
        self._access, self._journal, self._login = access, journal, login
        self._arguments = {("r", "*"): routines.arguments}
        self._table[("login",)] = (GRANTED, {POST: site.login, DELETE: site.logout})
        self._table[("r",)] = (GRANTED, {GET: routines.list})
        self._table[("r", "*")] = (RULED, {GET: routines.describe, POST: routines.invoke})
        self._table[("bundle",)] = (PROVEN, {POST: site.take_bundle})
        self._table[("journal",)] = (RULED, {GET: site.read_journal})
        self._table[("health",)] = (RULED, {GET: site.health})

    def serve(self, request):
        """The response to a whole request, or a coroutine that returns it. Raises AdmitError."""
        if request.method not in _METHODS:
            raise MethodNotAllowed("coap-method")
        key = request.path
        if len(key) == 2 and key[0] == "r":
            key = ("r", "*")
        who, handlers = self._table.get(key, (RULED, {}))
        if who != ANYONE:
            self._authorize(request, who, key)
        if not handlers:
            raise NotFound("resource-unknown")
        if request.method not in handlers:
            raise MethodNotAllowed("coap-method")
        return handlers[request.method](request)

    def _authorize(self, request, who, key):
        """Raise unless this peer may make this request; journal the decision."""
        if request.session is None:
            raise Unauthenticated("session-needed")
        self._login.touch(request.session)
        if who == PROVEN:
            return
        what = "/" + "/".join(request.path)
        if len(what) > MAX_PATH:
            raise NotFound("resource-unknown")
        subject, method = request.session.subject, method_bit(request.method)
        if who == GRANTED:
            decision = self._access.decide_standing(subject)
        else:
            parse = self._arguments.get(key) if request.method == POST else None
            decision = self._access.decide(subject, method, what, parse(request) if parse else None)
        if who == RULED or not decision.allowed:
            self._journal.decision(subject.kid, _METHODS[request.method] + what, decision)
        if not decision.allowed:
            raise Denied(decision.reason, decision.detail, decision.rule)


def _core(request):
    return response(CONTENT, _CORE, CONTENT_LINK)


class SiteResources:
    """The small handlers of a commissioned device: login, policy, journal, health."""

    def __init__(self, device_identity, access, login, journal, sessions, health):
        self._identity = device_identity
        self._access = access
        self._login = login
        self._journal = journal
        self._sessions = sessions
        self._health = health

    def login(self, request):
        """POST /login: it is this user's turn at the kiosk."""
        self._login.open(request.session)
        body = {LOGIN_IDLE_S: self._login.idle_ms // 1000, LOGIN_SUBJECT: request.session.subject.subject}
        return response(CHANGED, cbor.encode(body), CONTENT_CBOR)

    def logout(self, request):
        """DELETE /login: end the turn, and the session with it."""
        self._sessions.close(request.session)
        return response(DELETED)

    def take_bundle(self, request):
        """POST /bundle: a policy bundle, from whoever carried it."""
        if self._access.apply_bundle(request.payload):
            self._journal.policy(request.session.subject.kid, self._access.epoch)
        return response(CHANGED)

    def read_journal(self, request):
        """GET /journal?from=N: a page of records, and the signed head over all of them."""
        first, head_before, records = self._journal.page(request.query("from", 0), JOURNAL_PAGE)
        signed = self._journal.signed_head(self._identity)
        body = {FIRST: first, HEAD_BEFORE: head_before, RECORDS: records, SIGNED_HEAD: signed}
        return response(CONTENT, cbor.encode(body), CONTENT_CBOR)

    def health(self, request):
        """GET /health: how the device is."""
        return response(CONTENT, cbor.encode(self._health()), CONTENT_CBOR)
