"""`admit gateway`: the other way in, for browsers without Web Bluetooth."""

import asyncio
import ipaddress
import signal
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import rich_click as click

from admit.names import check_name
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.visiting import run
from admit_protocol.errors import LocalError

LISTEN = "127.0.0.1:8643"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_NO_TLS = """Without --cert only this machine reaches it. A page that came by https may open no ws:// but to localhost:
phones need wss://, so give --cert and --key, or let a web server on this machine that has a certificate pass it on."""
_TLS = """Browsers ask nobody about a WebSocket's certificate: each phone must trust it before. So take one of a public
authority, or install your own on each phone first."""
_ANY_PAGE = "Any web page may connect. To let in only those of a host of yours: --origin https://HOST"
_AFAR = """Whoever reaches this gateway can use a grant from afar. Where a person must stand before the kiosk, say so in
the rule: admit grant … --presence code."""


@command(f"admit gateway --listen {LISTEN} lobby-1=ble:lobby-1")
@click.argument("kiosks", nargs=-1, required=True, metavar="NAME=LINK...")
@click.option("--listen", metavar="HOST:PORT", default=LISTEN, show_default=True, help="Where; port 0: any free one.")
@click.option("--cert", type=_FILE, metavar="FILE", help="Its TLS certificate with the chain behind it, PEM.")
@click.option("--key", type=_FILE, metavar="FILE", help="The private key of --cert, PEM, without a passphrase.")
@click.option("--origin", "origins", multiple=True, metavar="URL", help="A page that may connect. Default: any.")
def gateway(call: Call, kiosks, listen, cert, key, origins):
    """Let browsers without Web Bluetooth reach kiosks, until Ctrl-C: CoAP over WebSockets here, LINKs to kiosks there.

    A LINK is ble:NAME, udp://HOST:PORT or a serial port, as for --via. The gateway only forwards what phone and kiosk
    say to each other under encryption: it has no key, can read and change nothing, and serves no page.
    """
    from admit.gateway.server import Gateway, kiosks_at

    links = _links(kiosks)
    host, port = _address(listen)
    pages = [_origin(each) for each in origins]
    tls = _tls(cert, key)
    if tls is None and not _is_local(host):
        raise click.UsageError(f"{host} is open to others: give --cert and --key, or listen on 127.0.0.1")
    server = Gateway(kiosks_at(links), pages, tls, say)
    run(_serve(call, server, host, port, bool(tls)))


async def _serve(call: Call, gateway, host: str, port: int, secure: bool) -> None:
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    await gateway.start(host, port)
    try:
        shown = f"[{host}]" if ":" in host else host
        url = f"{'wss' if secure else 'ws'}://{shown}:{gateway.port}"
        names = [kiosk.name for kiosk in gateway.kiosks.values()]
        call.out.fields("gateway", {"url": url, "kiosks": names, "origins": sorted(gateway.origins)})
        for text in (_TLS if secure else _NO_TLS, "" if gateway.origins else _ANY_PAGE, _AFAR):
            if text:
                say(text)
        await stopped.wait()
    finally:
        await gateway.stop()


def _links(words: tuple[str, ...]) -> dict[str, str]:
    """NAME=LINK by name. Like those of hosts, names that differ in case only are the same."""
    links: dict[str, str] = {}
    for word in words:
        name, equals, link = word.partition("=")
        if not equals or not link:
            raise click.UsageError(f"'{word}' is not NAME=LINK, like lobby-1=ble:lobby-1")
        check_name(name)
        if name.lower() in (each.lower() for each in links):
            raise click.UsageError(f"{name} is named twice")
        links[name] = link
    return links


def _address(text: str) -> tuple[str, int]:
    try:
        url = urlsplit(f"//{text}")
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not host or port is None or url.netloc != text or "@" in text:
        raise click.UsageError(f"--listen '{text}' is not HOST:PORT, like {LISTEN} or [::1]:8643")
    return host, port


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origin(text: str) -> str:
    """What a browser calls the pages of that host."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/") or url.query or url.fragment:
        raise click.UsageError(f"--origin '{text}' is not like https://page.example")
    return f"{url.scheme}://{url.netloc}".lower()


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What TLS is to be; None for none. Raises LocalError gateway-tls-file."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("--cert and --key go together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error) or "it cannot be read"
        raise LocalError("gateway-tls-file", f"{cert}, {key}: {why.replace('_', ' ').lower()}") from error
    return context


def _no_passphrase() -> str:
    raise ValueError("the key is under a passphrase")
