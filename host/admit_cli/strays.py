"""Devices that are no longer what the registry says: noticed on a visit, told by `admit status`.

Owns: the words, and when a device that could not prove itself is asked what it is then. That is hearsay: anybody can
take a device's name. But whoever resets a device by hand, or takes it to another site, cannot hide it from the next
visit.
"""

from admit import ownership
from admit.client import Description, describe
from admit.connection import Connection
from admit_cli.command import Call
from admit_cli.visiting import run, transport_to
from admit_cli.words import hours, utc
from admit_protocol.errors import AdmitError

_TELLING = ("device-unproven", "credential-other-site")


def notice(call: Call, device_id: str, link: str | None, error: AdmitError | None) -> None:
    """What became of a visit: `error`, or None if the device has proven itself."""
    registry = call.site.registry
    if error is None:
        if device_id in registry.strays():
            registry.forget_stray(device_id)
    elif error.reason in _TELLING:
        try:
            said = run(_ask(device_id, link))
        except AdmitError:
            return  # it has gone again
        if row := ownership.stray(device_id, said, call.site.anchor, call.now):
            registry.note_stray(row)


def remarks(call: Call) -> dict[str, str]:
    """What `admit status` adds to devices, by id: whom they are promised to, or what they said that proved nothing."""
    found, names = {}, {ownership.FACTORY: "nobody"}
    for row in call.site.registry.open_vouchers(call.now):
        names[row.to_site] = row.to_name
        found[row.device_id] = f"promised to {row.to_name}" + (f" until {utc(row.expires)}" if row.expires else "")
    for device_id, seen in call.site.registry.takeovers_seen().items():
        found[device_id] = f"to change hands in {hours(seen.left_s)}, {utc(seen.seen_at)}: admit takeover status"
    for device_id, stray in call.site.registry.strays().items():
        whose = names.get(stray.said, f"the site {stray.said}")
        found[device_id] = f"said that it belongs to {whose}, {utc(stray.seen_at)}"
    return found


async def _ask(device_id: str, link: str | None) -> Description:
    async with Connection(transport_to(link, device_id)) as connection:
        return await describe(connection)
