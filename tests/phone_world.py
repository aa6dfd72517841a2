"""A site, its kiosk under real MicroPython, and what a phone's test asks of whoever stands beside: grants, revocations,
power cuts, codes that are shown.

A Node.js script does the visiting (tests/phone/visit_*.mjs). It writes one line of JSON for each thing that it wants
done, and reads one with the answer; `World` has a method for each.
"""

import asyncio
import contextlib
import json
import time
from unittest import mock

from admit import invitation, invites, keyfiles, links
from admit.codes import DeviceCode
from admit.collect import deliver_bundle
from admit.gateway.server import Gateway, kiosks_at
from admit.suite import HostSuite
from admit.transport import open_transport
from admit.virtual import board as boards
from admit.visit import visit
from admit_protocol import bundle, cose_encrypt, credential, invite
from cli_kiosk import Beside
from imports import ROOT
from kiosks import join
from phone_bridge import Bridge, serve
from rig import Rig, Site
from sites import new_site, passphrase

LIMIT_S = 60
ROUTINES = """
from admit_device.routines import Integer
import asyncio

ticks = 0

@routine("Count.")
def tick(kiosk):
    global ticks
    ticks += 1
    return ticks

@routine("Take one's time.", seconds=Integer(0, 9, default=1))
async def dawdle(kiosk, seconds):
    await asyncio.sleep(seconds)
    return seconds
"""


class World:
    """One site and its kiosk-1. `lines` is what the kiosk has said."""

    def __init__(self, site, board):
        self.site, self.board = site, board
        self.signer = site.authority(passphrase)
        self.states = [bundle.NOTHING]
        self.lines = []
        self.others = contextlib.AsyncExitStack()

    # What is told to a script, and asked by it

    def about(self):
        """What a script knows from the start."""
        device = self._credential()
        label = DeviceCode(self.site.anchor.site_id, bytes.fromhex(keyfiles.fingerprint(device.public)), "kiosk-1")
        return {"port": self.board.radio.port, "label": label.text(), "siteId": self.site.anchor.site_id.hex()}

    async def set_mtu(self, mtu):
        self.board.radio.mtu = mtu

    async def grant(self, key, rules, audience=("kiosk-1",), subject=None, **life):
        """An invitation link with a grant for the keys of a key link."""
        who = links.parse_key(key)
        now = int(time.time())
        life = {name: now + value if name in ("not_before", "expires") else value for name, value in life.items()}
        issued_at = min(now, life.get("expires", now) - 1)
        rules = [
            (path, methods, {int(number): value for number, value in more.items()}) for path, methods, more in rules
        ]
        data = self.signer.issue_grant(subject or who.name, audience, rules, who.login, issued_at, who.sign, **life)
        return links.Invitation(invitation.encode(self.site.anchor, data)).text()

    async def invite(self, rules, uses=1, valid_s=3600):
        """An invite link for kiosk-1."""
        secret, now = HostSuite().random(16), int(time.time())
        public = invite.key(secret, HostSuite()).public
        life = {"expires": now + valid_s, "delegate": 1, "enrol": uses}
        issued_at = min(now, now + valid_s - 1)
        data = self.signer.issue_grant("invite to kiosk-1", ["kiosk-1"], rules, public, issued_at, **life)
        return invites.encode(invites.Link(secret, self.site.anchor.site_id, data))

    async def policy(self, revoked=(), notice=None):
        """Bring the kiosk a bundle: these grants (hex) are taken back, no others; `notice`: [number, fingerprints]."""
        epoch, now = self.states[-1][0] + 1, int(time.time())
        told = self.signer.issue_notice(notice[0], [bytes.fromhex(each) for each in notice[1]], now) if notice else None
        ids = b"".join(sorted(bytes.fromhex(each) for each in revoked))
        self.states.append((epoch, now, ids, (), (), told))
        data = self.signer.issue_bundle("kiosk-1", self.states[-2:])
        sealed = cose_encrypt.seal(HostSuite(), self._credential().seal_public, data)
        async with self._admin() as session:
            await deliver_bundle(session, sealed)

    async def restart(self):
        """Cut the kiosk's power, and give it back."""
        await self.board.restart()
        await self.board.expect("status ready")

    async def code(self):
        """The digits that the kiosk shows now."""
        return [line for line in self.lines if line.startswith("code ")][-1].removeprefix("code ")

    async def press(self):
        self.board.press()

    async def count(self, line):
        """How often the kiosk has said so."""
        return self.lines.count(line)

    async def fingerprint(self):
        """That of the kiosk's key, as notices have it."""
        return keyfiles.fingerprint(self._credential().public)

    async def stranger(self, kind, device_id="kiosk-1", age_s=0):
        """The port of another device. `other-site`: of another site; `impostor`: with its credential and without
        its key; `other-anchor`: with that, and the anchor of another site; `other-key`: vouched for by the authority
        under that name, `age_s` before now; `factory`: of no site.
        """
        other = Site("other", b"other")
        site = other if kind == "other-site" else _Vouching(self, int(time.time()) - age_s)
        rig = await asyncio.to_thread(
            Rig, None, None if kind == "factory" else site, device_id
        )  # it runs a loop of its own
        if kind in ("impostor", "other-anchor"):
            rig.device.identity.credential = self._credential()
        if kind == "other-anchor":
            rig.device.identity.kept = lambda field: other.anchor.encode()
        return await self.others.enter_async_context(serve(rig))

    async def gateway(self):
        """The address of a gateway that leads to the kiosk, by its name and by one that is not its own."""
        way = f"udp://127.0.0.1:{self.board.udp_port}"
        self.running = Gateway(kiosks_at({"kiosk-1": way, "kiosk-9": way}))
        await self.others.enter_async_context(self.running)
        return f"ws://127.0.0.1:{self.running.port}"

    async def gateway_ends(self):
        await self.running.stop()

    def _credential(self):
        return credential.parse(self.site.wallet("admin").device("kiosk-1").data)

    def _admin(self):
        way = open_transport(f"udp://127.0.0.1:{self.board.udp_port}")
        return visit(way, self.site.wallet("admin"), "kiosk-1")

    async def answer(self, asked):
        """What a script is told."""
        name, *given = asked["do"]
        return await getattr(self, name)(*given, **asked.get("with", {}))


class _Vouching:
    """The world's authority as tests/rig.py wants one, at a moment of its own."""

    def __init__(self, world, now):
        self._world, self._now = world, now
        self.anchor = world.site.anchor

    def vouch(self, device_id, public, seal_public=None):
        return self._world.signer.issue_credential(device_id, public, seal_public, self._now)


@contextlib.contextmanager
def a_world(folder):
    """A World, and a way to let it do things: `do(coroutine)`."""
    with Beside() as beside, mock.patch.object(boards, "Peripheral", Bridge):
        routines = folder / "routines.py"
        routines.write_text((ROOT / "boards/virtual/routines.py").read_text() + ROUTINES)
        world = World(new_site(folder / "site"), None)
        settings = {"ROUTINES": str(routines)}
        world.board = boards.VirtualBoard(folder / "board", air="bridge", settings=settings, on_line=world.lines.append)
        beside.do(_begin(world))
        try:
            yield world, beside.do
        finally:
            beside.do(world.others.aclose())
            beside.do(world.board.stop())
            world.site.registry.close()


async def _begin(world):
    await world.board.start()
    await world.board.expect("status factory")
    await join(world.site, world.board)


async def run(world, script, scenario):
    """What a script (visit_*.mjs) prints of one scenario; it fails as the script does."""
    program = await asyncio.create_subprocess_exec(
        "node",
        ROOT / "tests/phone" / f"{script}.mjs",
        scenario,
        json.dumps(world.about()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said = asyncio.create_task(program.stderr.read())
    async for line in program.stdout:
        if not line.startswith(b"{"):
            print(line.decode(), end="")
            continue
        try:
            told = {"told": await world.answer(json.loads(line))}
        except Exception as error:
            told = {"error": repr(error)}
        program.stdin.write(json.dumps(told).encode() + b"\n")
    assert await program.wait() == 0, (await said).decode()
