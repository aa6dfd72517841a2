"""What stands between an invocation and its being done: presence to be shown, others' consent to be waited for.

Owns: how people are asked and told. What is shown counts in the session that is open.
"""

import sys

from admit import approving, presence
from admit.approving import Request
from admit.client import Session
from admit_cli.asking import ask_line
from admit_cli.hints import cause
from admit_cli.output import progress, say
from admit_protocol import aif
from admit_protocol.errors import Denied

_TRIES = 5


class Obstacles:
    """Those of one invocation of `routine` with `arguments` at `device`. `waits`: stay until others have consented."""

    def __init__(self, device: str, routine: str, arguments: dict, waits: bool):
        self._device, self._path, self._arguments = device, f"/r/{routine}", arguments
        self._waits = waits
        self._left = 4  # a rule may ask for both, and power may fail between

    async def overcome(self, session: Session, denied: Denied) -> bool:
        """Whether it is worth another try, since what `denied` it has been done meanwhile."""
        ways = {"rule-presence": self._show_presence, "rule-approvals": self._wait_for_consent}
        if denied.reason not in ways or not self._left:
            return False
        self._left -= 1
        return await ways[denied.reason](session)

    async def _show_presence(self, session: Session) -> bool:
        for left in reversed(range(_TRIES)):
            await presence.ask_code(session)
            line = await ask_line(f"The code that {self._device} shows; or press its button, then Enter")
            try:
                await (presence.tell_code(session, line) if line else presence.tell_button(session))
                return True
            except Denied as denied:
                if not left or not sys.stdin.isatty():
                    raise
                say(cause(denied))
        return False

    async def _wait_for_consent(self, session: Session) -> bool:
        identifier = await approving.ask(session, aif.POST, self._path, self._arguments)
        say(f"Others must consent: admit approve {identifier.hex()[:8]} --on {self._device}")
        if not self._waits:
            return False
        told: list[int] = []

        def tell(request: Request) -> None:
            if told[-1:] != [request.got]:
                told.append(request.got)
                progress(f"{request.got} of {request.needed} have approved it; {request.expires_s} s are left")

        await approving.wait(session, identifier, tell)
        return True
