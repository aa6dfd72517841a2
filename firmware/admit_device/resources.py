"""The device's resources: who may reach each, and what answers.

The one place where a request meets the rules. Order: is the resource there, is the peer proven, may it, then do it.
Decisions are journalled; the reason of a denial goes to the peer whose own grant it is about, under encryption.
This file knows nothing of links, blocks or encryption: see exchange.py.
"""

from admit_protocol import cbor
from admit_protocol.coap import CHANGED, CONTENT_CBOR, DELETE, DELETED, GET, POST, PUT, response
from admit_protocol.const import const
from admit_protocol.errors import Denied, MethodNotAllowed, NotFound, Unauthenticated

_ANYONE = const("anyone")
_KEY = const("key")  # any session: a newcomer's too
_PROVEN = const("proven")  # any other: the peer holds a grant of this site, whatever it allows
_GRANTED = const("granted")  # a grant that counts on this device now, and no lockdown or denial
_RULED = const("ruled")  # a rule of the grant must name it
_DIAGNOSIS = const("diagnosis")  # as _RULED, but neither a damaged policy nor a damaged journal is in its way
_CABLE = const("cable")  # as _RULED; in factory state whoever has the cable
_JOINING = const("joining")  # as _RULED; without a session whoever joined it to its site, and may say so again

_MAX_PATH = const(80)  # characters: what is longer names nothing here, and would only fill the journal

# The body of /login: see docs/SPEC.md, "Resources".
_LOGIN_IDLE_S = const(1)
_LOGIN_SUBJECT = const(2)

_ROUTINE = ("r", "*")
_METHODS = {GET: "GET ", POST: "POST ", PUT: "PUT ", DELETE: "DELETE "}


class Resources:
    """The table of resources. A factory device serves those for _ANYONE and _CABLE: `open_site` adds the rest.

    `edhoc(request)` answers handshakes; `seldom(request)` what is asked for seldom: see seldom.py. `routines()` is the
    RoutineResource, which is not there all the time either.
    """

    def __init__(self, edhoc, seldom):
        self._access = self._journal = self._login = self._sessions = None
        self._routines = None
        self._get, self._either, self._join = {GET: seldom}, {GET: seldom, POST: seldom}, {POST: seldom, PUT: seldom}
        self._all = {GET: seldom, POST: seldom, PUT: seldom}
        self._table = {
            (".well-known", "core"): (_ANYONE, self._get),
            (".well-known", "edhoc"): (_ANYONE, {POST: edhoc}),
            ("id",): (_ANYONE, self._get),
            ("identity",): (_ANYONE, self._join),
            ("release",): (_CABLE, self._all),
            ("reset",): (_CABLE, {POST: seldom}),
        }

    def open_site(self, access, journal, login, sessions, routines):
        """The device belongs to a site: serve its proven peers."""
        self._access, self._journal, self._login, self._sessions = access, journal, login, sessions
        self._routines = routines
        self._table[("login",)] = (_GRANTED, {POST: self._log_in, DELETE: self._log_out})
        self._table[("r",)] = (_GRANTED, {GET: lambda request: routines().list(request)})
        self._table[_ROUTINE] = (
            _RULED,
            {GET: lambda request: routines().describe(request), POST: lambda request: routines().invoke(request)},
        )
        for path in ("enrol", "grants"):
            self._table[(path,)] = (_KEY, self._either)
        self._table[("ownership",)] = (_KEY, self._all)
        self._table[("takeover",)] = (_KEY, {GET: self._get[GET], POST: self._get[GET], DELETE: self._get[GET]})
        for path in ("bundle", "time"):
            self._table[(path,)] = (_PROVEN, self._either)
        for path in ("presence", "approvals"):
            self._table[(path,)] = (_GRANTED, self._either)
        self._table[("identity",)] = (_JOINING, self._join)
        self._table[("journal",)] = (_RULED, self._get)
        self._table[("health",)] = (_DIAGNOSIS, self._get)

    def serve(self, request):
        """The response to a whole request, or a coroutine that returns it. Raises AdmitError."""
        if request.method not in _METHODS:
            raise MethodNotAllowed("coap-method")
        key = request.path
        if len(key) == 2 and key[0] == "r":
            key = _ROUTINE
        who, handlers = self._table.get(key, (_RULED, {}))
        if who != _ANYONE:
            self._authorize(request, who, key)
        if not handlers:
            raise NotFound("resource-unknown")
        if request.method not in handlers:
            raise MethodNotAllowed("coap-method")
        if (
            request.decision and not request.invocation and not request.again
        ):  # an invocation: once it is known to be new
            self._access.spend(request)
        return handlers[request.method](request)

    def _authorize(self, request, who, key):
        """Raise unless this peer may make this request; journal the decision."""
        if self._access is None:
            if who == _CABLE and request.link.kind == "serial":
                return
            raise Unauthenticated("session-needed")  # nobody has standing, not even who knows the sealed label
        if request.session is None:
            if who == _JOINING:
                return
            raise Unauthenticated("session-needed")
        if who == _KEY or who == _PROVEN and not request.session.newcomer:
            return
        what = "/" + "/".join(request.path)
        if len(what) > _MAX_PATH:
            raise NotFound("resource-unknown")
        decision = self._decide(request, who, what)
        is_worth_a_record = (who != _GRANTED and not request.again) or not decision.allowed
        if decision.allowed and key == ("journal",) and request.query("from", 0) >= self._journal.count:
            is_worth_a_record = False  # nothing new to read, which whoever waits for it asks often
        if decision.allowed and request.method == PUT and key == ("release",):
            is_worth_a_record = False  # a piece of what has a record of its own
        if decision.allowed and who == _DIAGNOSIS:
            is_worth_a_record = False  # health.py writes it down, once an hour: who watches asks often
        if is_worth_a_record and not (who == _DIAGNOSIS and self._journal.is_damaged):
            session = request.session
            self._journal.decision(session.subject.key, _METHODS[request.method] + what, decision, session.root)
        if not decision.allowed:
            raise Denied(decision.reason, decision.detail, decision.rule)
        if not request.again:
            self._login.touch(request.session)

    def _decide(self, request, who, what):
        """The decision on a request for the resource `what`; one that a rule made stays with the request."""
        method, session = request.method_bit, request.session
        if who in (_GRANTED, _PROVEN):
            return self._access.visit(session, method, what)
        how = {"diagnosing": who == _DIAGNOSIS, "again": request.again}
        if request.method == POST and len(request.path) == 2 and request.path[0] == "r":
            request.arguments, request.invocation, is_known = self._routines().invocation(request)
            how["again"] = is_known
        request.decision = self._access.decide(session, method, what, request.arguments, **how)
        return request.decision

    def _log_in(self, request):
        """POST /login: it is this user's turn at the kiosk."""
        self._login.open(request.session)
        body = {_LOGIN_IDLE_S: self._login.idle_ms // 1000, _LOGIN_SUBJECT: request.session.name}
        return response(CHANGED, cbor.encode(body), CONTENT_CBOR)

    def _log_out(self, request):
        """DELETE /login: end the turn, and the session with it."""
        self._sessions.close(request.session)
        return response(DELETED)
