"""The device's resources: who may reach each, and what answers.

The one place where a request meets the rules. Order: is the resource there, is the peer proven, may it, then do it.
Decisions are journalled; the reason of a denial goes to the peer whose own grant it is about, under encryption.
This file knows nothing of links, blocks or encryption: see exchange.py.
"""

from admit_device.ondemand import borrowed
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
from admit_protocol.const import const
from admit_protocol.errors import Denied, Malformed, MethodNotAllowed, NotFound, Unauthenticated

_ANYONE = const("anyone")
_PROVEN = const("proven")  # any session: the peer holds a grant of this site, whatever it allows
_GRANTED = const("granted")  # a grant that counts on this device now
_RULED = const("ruled")  # a rule of the grant must name it

_MAX_PATH = const(80)  # characters: what is longer names nothing here, and would only fill the journal
_JOURNAL_PAGE = const(3500)  # bytes of records: with their lengths and the signed head below the 4 KiB of a message

# Bodies: see docs/SPEC.md, "Resources".
_STATE = const(1)
_CREDENTIAL = const(2)
_VERSIONS = const(3)
_MAX_VALUE = const(4)
_FIRST = const(1)
_HEAD_BEFORE = const(2)
_RECORDS = const(3)
_SIGNED_HEAD = const(4)
_LOGIN_IDLE_S = const(1)
_LOGIN_SUBJECT = const(2)

_METHODS = {GET: "GET ", POST: "POST ", PUT: "PUT ", DELETE: "DELETE "}

_CORE = const(
    b'</.well-known/core>;ct=40,</.well-known/edhoc>;rt="core.edhoc",</id>;ct=60;rt="admit.id",'
    b'</r>;ct=60;rt="admit.routines";osc,</login>;rt="admit.login";osc'
)


class Request:
    """A whole request as a handler sees it. `session` is None if nobody has proven anything; `again`: nobody has sent
    it now, it stands and its answer may have changed.
    """

    def __init__(self, link, session, message, again=False):
        self.link = link
        self.session = session
        self.again = again
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
    """The table of resources. A factory device serves those for _ANYONE alone: `open_site` adds the rest."""

    def __init__(self, public, edhoc):
        self._journal = self._access = self._login = None
        self._arguments = {}
        self._table = {
            (".well-known", "core"): (_ANYONE, {GET: public.discover}),
            (".well-known", "edhoc"): (_ANYONE, {POST: edhoc}),
            ("id",): (_ANYONE, {GET: public.describe}),
            ("identity",): (_ANYONE, {POST: public.join, PUT: public.join}),
        }

    def open_site(self, access, journal, login, routines, site):
        """The device belongs to a site: serve its proven peers."""
        self._access, self._journal, self._login = access, journal, login
        self._arguments = {("r", "*"): routines.arguments}
        self._table[("login",)] = (_GRANTED, {POST: site.login, DELETE: site.logout})
        self._table[("r",)] = (_GRANTED, {GET: routines.list})
        self._table[("r", "*")] = (_RULED, {GET: routines.describe, POST: routines.invoke})
        self._table[("bundle",)] = (_PROVEN, {POST: site.take_bundle})
        self._table[("journal",)] = (_RULED, {GET: site.read_journal})
        self._table[("health",)] = (_RULED, {GET: site.health})

    def serve(self, request):
        """The response to a whole request, or a coroutine that returns it. Raises AdmitError."""
        if request.method not in _METHODS:
            raise MethodNotAllowed("coap-method")
        key = request.path
        if len(key) == 2 and key[0] == "r":
            key = ("r", "*")
        who, handlers = self._table.get(key, (_RULED, {}))
        if who != _ANYONE:
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
        if who == _PROVEN:
            return
        what = "/" + "/".join(request.path)
        if len(what) > _MAX_PATH:
            raise NotFound("resource-unknown")
        subject, method = request.session.subject, method_bit(request.method)
        if who == _GRANTED:
            decision = self._access.decide_standing(subject)
        else:
            parse = self._arguments.get(key) if request.method == POST else None
            decision = self._access.decide(subject, method, what, parse(request) if parse else None)
        if (who == _RULED and not request.again) or not decision.allowed:
            self._journal.decision(subject.kid, _METHODS[request.method] + what, decision)
        if not decision.allowed:
            raise Denied(decision.reason, decision.detail, decision.rule)
        if not request.again:
            self._login.touch(request.session)


class PublicResources:
    """The small handlers for anyone: discovery, /id, and /identity. `joined()` is called after a commissioning."""

    def __init__(self, identity, clock_port, versions, joined):
        self._identity = identity
        self._clock_port = clock_port
        self._versions = versions
        self._joined = joined

    def discover(self, request):
        """GET /.well-known/core: what there is. RFC 6690."""
        return response(CONTENT, _CORE, CONTENT_LINK)

    def describe(self, request):
        """GET /id: state, credential, versions, and the longest value that this link carries."""
        body = {_STATE: self._identity.state, _VERSIONS: self._versions, _MAX_VALUE: request.link.layer.max_payload}
        if self._identity.credential:
            body[_CREDENTIAL] = self._identity.credential.data
        return response(CONTENT, cbor.encode(body), CONTENT_CBOR)

    def join(self, request):
        """POST and PUT /identity: see commissioning.py."""
        with borrowed():
            from admit_device.commissioning import join

            answer = join(request, self._identity, self._clock_port)
        if request.method == PUT:
            self._joined()
        return answer


class SiteResources:
    """The small handlers of a commissioned device: login, policy, journal, health."""

    def __init__(self, identity, access, login, journal, sessions, health):
        self._identity = identity
        self._access = access
        self._login = login
        self._journal = journal
        self._sessions = sessions
        self._health = health

    def login(self, request):
        """POST /login: it is this user's turn at the kiosk."""
        self._login.open(request.session)
        body = {_LOGIN_IDLE_S: self._login.idle_ms // 1000, _LOGIN_SUBJECT: request.session.subject.subject}
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
        first, head_before, records = self._journal.page(request.query("from", 0), _JOURNAL_PAGE)
        signed = self._journal.signed_head(self._identity)
        body = {_FIRST: first, _HEAD_BEFORE: head_before, _RECORDS: records, _SIGNED_HEAD: signed}
        return response(CONTENT, cbor.encode(body), CONTENT_CBOR)

    def health(self, request):
        """GET /health: how the device is."""
        return response(CONTENT, cbor.encode(self._health()), CONTENT_CBOR)
