"""`admit phone`: the page that is a user's key, on this machine or written for another host."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import rich_click as click

from admit import qr
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.words import many

PORT = 8642


@command("admit phone --port 8642", prints_data=True)
@click.option("--port", type=click.IntRange(0, 65535), help=f"Where it listens. Default: {PORT}; 0: any free one.")
@click.option("--gateway", metavar="WSS://HOST", help="The gateway for phones that have no Web Bluetooth.")
@click.option("--export", "target", metavar="DIR", type=click.Path(path_type=Path), help="Write it, serve nothing.")
@click.option("--open", "open_it", is_flag=True, help="Open it in this machine's browser.")
def phone(call: Call, port, gateway, target, open_it):
    """Serve the phone's page on this machine until Ctrl-C, and show a QR code of its address.

    It is served to this machine only. A phone on a USB cable reaches it by adb reverse, at the same address. For
    everybody else, --export DIR writes it as a site of static files, to be put on a host of your own with HTTPS: use
    one that serves nothing else, for whoever can change the page can use the keys that it made.
    """
    from admit import phone_site

    if target and (port is not None or open_it):
        raise click.UsageError("--export serves nothing: leave out --port and --open")
    gateway = phone_site.gateway_origin(gateway) if gateway else None
    if target:
        _export(call, target, gateway)
    else:
        _serve(call, PORT if port is None else port, gateway, open_it)


def _export(call: Call, target: Path, gateway: str | None) -> None:
    from admit import phone_site

    names = phone_site.export(target, gateway)
    call.out.fields("phone", {"folder": str(target), "files": len(names), "gateway": gateway})
    say(f"{many(len(names), 'file')}. Serve them over HTTPS, at the root of a host name that serves nothing else,")
    say("with the headers in _headers (some hosts read that file by themselves).")


def _serve(call: Call, port: int, gateway: str | None, open_it: bool) -> None:
    from admit.phone_server import PhoneServer

    server = PhoneServer(port, gateway)
    wait_for_stop = _stopping()
    with server.beside():
        _tell(call, server.address, server.server_port, gateway)
        if open_it:
            click.launch(server.address)
        wait_for_stop()


def _tell(call: Call, address: str, port: int, gateway: str | None) -> None:
    code = qr.lines(address) if sys.stdout.isatty() else []
    call.out.lines("phone", {"address": address, "gateway": gateway}, [*code, address])
    say(f"A phone on a USB cable: adb reverse tcp:{port} tcp:{port}, then scan the code, or open that address there.")
    say("Without a cable: admit phone --export DIR, on a host of yours with HTTPS. Ctrl-C ends this.")


def _stopping() -> Callable[[], object]:
    """What waits for Ctrl-C, which counts from now on: before anybody has been told that it ends this.

    A pipe, for a handler may strike anywhere in the thread that waits: an Event's own lock would be in its way.
    """
    told, tells = os.pipe()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: os.write(tells, b"."))
    return lambda: os.read(told, 1)
