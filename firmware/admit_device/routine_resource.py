"""/r: list the routines, read one's signature and state, invoke it.

The order is the same for every invocation: parse, decide, look whether this id was used, note it, count what that uses
up, run, note the outcome. So an id is used up before a use is, and neither is ever had twice. Loaded with the first
request for a routine, and forgotten when all is quiet again.
"""

from admit_device.faults import print_exception
from admit_device.invocations import DONE, FAILED, Invocations, parse_invocation
from admit_device.ondemand import borrowed
from admit_device.routine_forms import arguments, signature, with_defaults
from admit_protocol import cbor, kdf
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, response
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, NotFound

_POST = const(2)  # in AIF's mask
_STILL_TO_DO = ("rule-argument", "rule-presence", "rule-approvals")


class RoutineResource:
    """Serves the routines and outputs that a routines file declared."""

    def __init__(self, device):
        self._routines = device.routines
        self._kiosk = device.kiosk
        self._doing = device.ports.doing
        self._access = device.access
        self._journal = device.journal
        self._invocations = Invocations(device.ports.storage)

    def busy(self):
        """Is a routine running?"""
        return self._invocations.running()

    def list(self, request):
        """GET /r: the signatures of those routines that may be invoked in this session now, given what is still to be
        done for that: the right arguments, presence, approvals.
        """
        with borrowed():  # once for all of them
            from admit_device import decisions as decisions

            names = [name for name in self._routines if self._may(request.session, name)]
        signatures = {name: signature(self._routines[name]) for name in names}
        return response(CONTENT, cbor.encode(signatures), CONTENT_CBOR)

    def _may(self, session, name):
        decision = self._access.decide(session, _POST, "/r/" + name)
        return decision.allowed or decision.reason in _STILL_TO_DO

    def describe(self, request):
        """GET /r/<name>: its signature, and the state of the outputs that it moves."""
        routine = self._routine(request)
        request.watches = lambda output_name: any(each.name == output_name for each in routine.outputs)
        body = signature(routine)
        body["outputs"] = {
            each.name: {"value": self._kiosk.get(each.name), "at_power_loss": each.at_power_loss}
            for each in routine.outputs
        }
        return response(CONTENT, cbor.encode(body), CONTENT_CBOR)

    def invocation(self, request):
        """(arguments for the decision, not checked yet; (who, id); whether that is known) of an invocation.

        Raises Malformed, and Busy("routine-running").
        """
        identifier, given = parse_invocation(request.payload)
        routine, who = self._routines.get(request.name), _who(request)
        arguments = with_defaults(routine, given) if routine else given
        return arguments, (who, identifier), self._invocations.outcome(who, identifier) is not None

    def invoke(self, request):
        """POST /r/<name>: run it, at most once for its id. Returns a response, or a coroutine that returns one."""
        routine = self._routine(request)
        identifier, given = parse_invocation(request.payload)
        checked = arguments(routine, given)
        who = _who(request)
        known = self._invocations.outcome(who, identifier)
        if known is not None:
            return _outcome(known)
        self._invocations.start(who, identifier)
        try:
            self._access.spend(request)
        except AdmitError as error:  # what cannot be counted is not done
            self._invocations.finish(who, identifier, FAILED, error.reason)
            raise
        self._kiosk.user = request.session.name
        self._doing("/r/" + request.name)
        return self._run(routine, checked, lambda state, result: self._end(request, identifier, state, result))

    def _run(self, routine, arguments, end):
        try:
            result = routine.function(self._kiosk, **arguments)
        except (Exception, SystemExit) as error:  # a site's code may raise anything; the device must not fall with it
            return end(FAILED, _fault(error))
        return self._await(result, end) if hasattr(result, "send") else end(DONE, result)

    async def _await(self, coroutine, end):
        try:
            result = await coroutine
        except (Exception, SystemExit) as error:
            return end(FAILED, _fault(error))
        return end(DONE, result)

    def _end(self, request, identifier, state, result):
        told = _outcome(self._invocations.finish(_who(request), identifier, state, result))
        outcome = records.DONE if state == DONE else records.FAILED
        self._journal.record(records.INVOCATION, request.session.subject.key, "/r/" + request.name, outcome)
        return told

    def _routine(self, request):
        routine = self._routines.get(request.name)
        if routine is None:
            raise NotFound("routine-unknown", "this device has no routine of that name")
        return routine


def _who(request):
    """Whose invocation it is: the key, since a grant may be renewed between a drop and the repetition."""
    return kdf.sha256(request.session.subject.key)[:8]


def _outcome(encoded):
    return response(CHANGED, encoded, CONTENT_CBOR)


def _fault(error):
    """Where it happened goes to the console; the visitor learns only what kind of fault it was."""
    print_exception(error)
    return type(error).__name__
