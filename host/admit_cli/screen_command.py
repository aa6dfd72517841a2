"""`admit kiosk-screen`: the kiosk's own screen, on a PC beside the board."""

import asyncio
import signal
from urllib.parse import urlencode

import rich_click as click

from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.pages import page_option, page_setting
from admit_cli.visiting import run

PORT = 8644
_NO_CABLE = ("ble:", "udp:", "ws:", "wss:", "coap+ws:", "coaps+ws:")


@command("admit kiosk-screen /dev/ttyUSB0")
@click.argument("link")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any free one.")
@click.option("--name", metavar="NAME", help="What the kiosk is called on the screen. Default: its device's name.")
@page_option
@click.option("--lang", type=click.Choice(["en", "de"]), help="Default: the browser's language.")
@click.option("--open", "open_it", is_flag=True, help="Open it in this machine's browser.")
def kiosk_screen(call: Call, link, port, name, page, lang, open_it):
    """Show what happens at the kiosk whose cable is LINK, on a page of this machine, until Ctrl-C.

    For a Raspberry Pi or a PC beside the board: its QR code, who is logged in, the codes that it asks for. LINK is a
    serial port, or anything that pyserial opens; no other program can use it meanwhile. The board must know that a
    screen stands there: admit provision --screen.
    """
    from admit.screen.feed import try_once
    from admit.screen.server import ScreenServer
    from admit.screen.shown import Shown

    if link == "ble" or link.startswith(_NO_CABLE):
        raise click.UsageError(f"a screen stands at the kiosk's cable: name a serial port, not {link}")
    page = page_setting(call, page)
    run(try_once(link))
    shown = Shown(name)
    server = ScreenServer(port, shown)
    with server.beside():
        address = server.address + (f"?{urlencode({'lang': lang})}" if lang else "")
        call.out.lines("screen", {"address": address, "link": link}, [address])
        say("Open it full screen: chromium --kiosk, say. Ctrl-C ends this.")
        if open_it:
            click.launch(address)
        run(_until_stopped(link, shown, page))
        server.ended.set()


async def _until_stopped(link: str, shown, page: str | None) -> None:
    from admit.screen.feed import watch

    watching = asyncio.create_task(watch(link, shown, page))
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        pass
