"""/approvals: what somebody may do only if others consent: asked for here, approved by signature, done once.

A request lives in RAM for ten minutes and names who asks, method, path and arguments; an approval is a signature under
exactly that, by somebody whose word the rule asks for. Others are those who share neither name nor key, in any grant
of theirs or behind it: nobody consents to their own request, nor twice. A new policy ends all requests, so the word of
somebody who was taken back meanwhile does not count. Loaded for that alone.
"""

from admit_protocol import approval, cbor
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, GET, response
from admit_protocol.const import const
from admit_protocol.errors import Busy, Conflict, Denied, Malformed, NotFound
from admit_protocol.rule import subject_of

_LIFETIME_MS = const(600 * 1000)
_MAX_PENDING = const(8)
_MAX_OF_ONE = const(2)
_MAX_OTHERS = const(8)
_MAX_PATH = const(80)  # characters, as in resources.py
_POST = const(2)  # in AIF's mask
_WHY = "why="  # query: a routine's name

# Bodies: see docs/SPEC.md, "Resources".
_ID = const(1)
_METHOD = const(1)
_PATH = const(2)
_ARGUMENTS = const(3)
_APPROVAL = const(4)

# Places in a request, a tuple in `access.pending`.
_UNTIL_MS = const(1)
_WHO = const(2)  # who asks: 8 bytes of their key
_DIGEST = const(3)  # what an approval of it signs
_TOLD = const(4)  # name, method, path, arguments
_NEEDED = const(5)  # how many others
_WHOSE = const(6)  # selectors of those whose word counts
_MARKS = const(7)  # names and keys of who asks
_OTHERS = const(8)  # a list of (marks, selectors) of who has approved


def answer(request, device):
    """GET: what waits for this peer, and what of theirs waits; with _WHY, only if a routine would be done with others'
    consent, else as `_needs` raises. POST: ask for consent, or give it. Raises AdmitError.
    """
    session, access = request.session, device.access
    _expire(access)
    if request.method == GET:
        for each in request.queries:
            if each.startswith(_WHY):  # nobody is asked for anything
                _needs(access, session, (_POST, "/r/" + each[len(_WHY) :], None))
        return response(CONTENT, cbor.encode(_list(session, access)), CONTENT_CBOR)
    body = cbor.expect(cbor.decode(request.payload), dict, "approval-body")
    if list(body) == [_APPROVAL]:
        _approve(body[_APPROVAL], session, device)
        return response(CHANGED)
    return response(CHANGED, cbor.encode({_ID: _ask(body, session, device)}), CONTENT_CBOR)


def approved(access, session, request, selectors):
    """How many others of those whom `selectors` name have approved this very request of the session's holder."""
    _expire(access)
    found = _find(access, session, request)
    if not found:
        return 0
    marks = _person(session, access)[0]  # by the grants that they have now: more, perhaps, than when they asked
    return len([1 for others, own in found[_OTHERS] if _meet(own, selectors) and not _meet(others, marks)])


def consume(access, session, request):
    """What was approved is about to be done: it is not approved any longer."""
    found = _find(access, session, request)
    if found:
        access.pending.remove(found)


def _find(access, session, request):
    digest = approval.digest(records.person(session.subject.key), *request)
    return next((each for each in access.pending if each[_DIGEST] == digest), None)


def _expire(access):
    now_ms = access.clock.monotonic_ms()
    access.pending = [each for each in access.pending if now_ms < each[_UNTIL_MS]]


# Who somebody is


def _person(session, access):
    """(names and keys, selectors) of the session's holder, out of all grants of theirs that count now."""
    marks, selectors = set(), set()
    for given in session.grants:
        if access.decide_standing(given).allowed:
            for each in (given,) + given.chain:
                marks.update((each.subject, records.person(each.key)))
            link = subject_of(given)[0]
            selectors.update(link.selectors[: link.trusted])
    return marks, selectors


def _meet(one, other):
    return any([each in one for each in other])


# To ask


def _ask(body, session, device):
    access, asked = device.access, _parse(body, device.routines)
    needed, whose = _needs(access, session, asked)
    found = _find(access, session, asked)
    if found is None:
        who = records.person(session.subject.key)
        _make_room(access, who)
        until_ms = access.clock.monotonic_ms() + _LIFETIME_MS
        digest, marks = approval.digest(who, *asked), _person(session, access)[0]
        identifier = access.suite.random(approval.ID_LENGTH)
        found = (identifier, until_ms, who, digest, (session.name,) + asked, needed, whose, marks, [])
        access.pending.append(found)
    return found[0]


def _parse(body, routines):
    """(method bit, path, arguments) that consent is asked for, the arguments as they are when that is done."""
    method = cbor.expect(body.pop(_METHOD, None), int, "approval-body")
    path = cbor.expect(body.pop(_PATH, None), str, "approval-body")
    arguments = cbor.expect(body.pop(_ARGUMENTS, {}), dict, "approval-body")
    if body or len(path) > _MAX_PATH:
        raise Malformed("approval-body")
    if method != _POST or not path.startswith("/r/"):  # nothing else has any
        return method, path, None
    routine = routines.get(path[3:])
    if routine is None:
        raise NotFound("routine-unknown", "this device has no routine of that name")
    from admit_device.routine_forms import arguments as checked

    return method, path, checked(routine, arguments)  # what waits is as short as what can be done


class _Consent:
    """The state of things if so many had approved and everybody had shown their presence."""

    presence = 3

    def __init__(self, state, count, whose):
        self.used, self.recent, self.policy_age = state.used, state.recent, state.policy_age
        self._count, self._whose = count, whose

    def approved(self, selectors):
        self._whose.update(selectors)
        return self._count


def _needs(access, session, asked):
    """(how many others must consent, the selectors of those who can). Raises Denied, Conflict("approval-needless")."""
    whose = set()
    for count in range(_MAX_OTHERS + 1):
        decision = access.decide(session, *asked, wrap=lambda state, count=count: _Consent(state, count, whose))
        if decision.allowed and count:
            return count, whose
        if decision.allowed:
            raise Conflict("approval-needless")
    raise Denied(decision.reason, decision.detail, decision.rule)


def _make_room(access, who):
    own = [each for each in access.pending if each[_WHO] == who]
    if len(own) >= _MAX_OF_ONE:
        access.pending.remove(own[0])
    elif len(access.pending) >= _MAX_PENDING:
        raise Busy("approval-full")


# To consent


def _approve(data, session, device):
    access, identity = device.access, device.identity
    paper = approval.parse(cbor.expect(data, bytes, "approval-body"))
    found = next((each for each in access.pending if each[0] == paper.request_id), None)
    if found is None:
        raise NotFound("approval-unknown")
    marks, selectors = _person(session, access)
    if _meet(marks, found[_MARKS]):
        raise Denied("approval-own")
    if not _meet(selectors, found[_WHOSE]):
        raise Denied("approval-not-asked")
    sig_key = session.subject.sig_key
    if sig_key is None:
        raise Denied("approval-no-key")
    place = identity.anchor.site_id, identity.device_id
    approval.verify(paper, sig_key, *place, found[0], found[_DIGEST], access.suite)
    if any([_meet(marks, other) for other, _ in found[_OTHERS]]) or len(found[_OTHERS]) >= _MAX_OTHERS:
        return
    who = {records.KEY: found[_WHO]}
    device.journal.record(records.APPROVED, session.subject.key, found[_TOLD][2], records.DONE, who)
    found[_OTHERS].append((marks, selectors))


def _list(session, access):
    who, now_ms = records.person(session.subject.key), access.clock.monotonic_ms()
    marks, selectors = _person(session, access)
    listed = []
    for each in access.pending:
        if each[_WHO] == who or (_meet(selectors, each[_WHOSE]) and not _meet(marks, each[_MARKS])):
            left_s = (each[_UNTIL_MS] - now_ms) // 1000
            listed.append([each[0]] + list(each[_TOLD]) + [each[_NEEDED], len(each[_OTHERS]), left_s, each[_WHO]])
    return [{number: value for number, value in enumerate(each, 1)} for each in listed]
