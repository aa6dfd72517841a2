"""Being there, told to a device: see test_approving.py for the code; here its refusals."""

import asyncio
import time

import pytest

from admit import presence, wallet
from admit.visit import visit
from admit_protocol.errors import Busy, Denied
from liars import Liar, kiosk
from memory_ports import WEDNESDAY
from rig import ALL
from visitors import SITE


def test_wrong_codes_are_told_apart_and_then_have_to_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: float(WEDNESDAY))
    rig, owner = kiosk(), wallet.create(tmp_path / "alice", SITE.anchor)
    owner.add_grant(SITE.grant(owner.publics[0], ALL, "alice"))

    async def story():
        async with visit(Liar(rig), owner, "kiosk-1") as session:
            with pytest.raises(Denied) as caught:
                await presence.tell_code(session, "000000")
            assert caught.value.reason == "presence-none"
            await presence.ask_code(session)
            for _ in range(5):
                with pytest.raises(Denied) as caught:
                    await presence.tell_code(session, "")
                assert caught.value.reason == "code-wrong"
            with pytest.raises(Busy) as caught:
                await presence.tell_code(session, rig.outputs.get("code"))
            assert caught.value.reason == "code-wait"
            rig.outputs.set("button", 0)
            await presence.tell_button(session)

    asyncio.run(story())
