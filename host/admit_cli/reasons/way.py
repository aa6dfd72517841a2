"""On the way to a device, and whether it is the right one."""

from admit_cli.reasons.phrases import IMPOSTOR, STAY_AWAY

REASONS = {
    # on the way to a device
    "ble-connect-failed": (
        "no Bluetooth link came about",
        "go nearer; it holds four links, so wait until others leave",
    ),
    "ble-no-service": ("", "another Bluetooth device may have that name: check --via"),
    "ble-not-found": ("", "see that it has power and is near; or reach it by --via udp://HOST or a serial port"),
    "ble-several": ("", "name the one that you mean: --via ble:NAME"),
    "ble-unavailable": (
        "this computer's Bluetooth cannot be used",
        "turn it on; for a virtual kiosk set ADMIT_BLE as admit virtual says; or go by --via udp://HOST",
    ),
    "gatt-mtu": ("the Bluetooth link carries too little at once", "use another adapter, or --via udp://HOST"),
    "gateway-address": ("", "close other tabs and programs that use it"),
    "gateway-busy": ("the gateway has no place at that kiosk now", "wait a few seconds, then try again"),
    "gateway-certificate": (
        "the gateway's certificate is not trusted here",
        "check its address; if it is your own gateway, set SSL_CERT_FILE to its certificate",
    ),
    "gateway-fault": ("the gateway met an error of its own", "try again; who runs it sees more with --debug"),
    "gateway-full": ("", "try again in a minute"),
    "gateway-link-lost": ("the gateway lost its link to the kiosk", "try again; if it stays so, go nearer with it"),
    "gateway-listen": ("it cannot listen there", "give --listen an address of this machine, or another port"),
    "gateway-method": ("", "read /.well-known/core with GET"),
    "gateway-no-answer": ("the kiosk behind the gateway does not answer", "see that it has power, then try again"),
    "gateway-no-kiosk": (
        "the gateway has no such kiosk",
        "check the name after # in --via; who runs admit gateway names its kiosks",
    ),
    "gateway-no-link": ("the gateway does not reach the kiosk", "see that it has power and is near the gateway"),
    "gateway-port": ("", "end that program, or give another port by --listen"),
    "gateway-proxy": ("the gateway is no proxy for others", "name one of its kiosks"),
    "gateway-refused": ("the gateway does not let you in", "do what it says, or ask who runs it"),
    "gateway-tls-file": (
        "that certificate and key are of no use",
        "give PEM files that belong together, by --cert and --key",
    ),
    "gateway-too-large": (
        "it does not fit the gateway's link to the kiosk",
        "upgrade this side: pip install --upgrade admit",
    ),
    "gateway-unreachable": ("nobody answers at that gateway", "check its address, and that admit gateway runs there"),
    "link-dropped": ("the link broke off", "see that it has power and is in reach, then try again"),
    "radio-unavailable": ("", "check ADMIT_BLE; is the admit virtual whose air it names still running?"),
    "request-timeout": ("", "see that it has power, and that it is this device that --via leads to; then try again"),
    "request-unanswered": ("", "see that it has power, and that it is this device that --via leads to; then try again"),
    "serial-in-use": ("", "close the other program: a terminal, an IDE, another admit"),
    "serial-no-access": ("", "run groups after that: the port's group must be in its list"),
    "serial-not-found": ("there is no such port", "see that the cable is in; ls /dev/serial/by-id shows what is there"),
    "sensor-form": ("", "sensors = {name: function}: at most 8, names of a-z, 0-9 and _; docs/SPEC.md section 17.9"),
    "session-lost": ("the device has forgotten the session: it may have restarted", "try again"),
    "transport-name": (
        "that is no way to a device",
        "use ble, ble:NAME, udp://HOST[:PORT], wss://GATEWAY#NAME or a serial port",
    ),
    "link-timeout": ("the way to the device did not open in time", "see that it has power and is near"),
    **dict.fromkeys(
        ("coap-token-length", "coap-truncated", "coap-utf8", "ws-length", "ws-no-csm", "ws-option", "ws-signal")
        + ("ws-text", "ws-token", "ws-too-large"),
        ("the other end does not speak CoAP over WebSockets as we know it", "check that a gateway of ours is there"),
    ),
    "ws-aborted": ("the gateway ended the connection", "try again; if it stays so, bring both sides to one version"),
    "udp-no-host": ("that host has no address", "check its name and the network"),
    # is it the right device?
    "ccm-tag": (f"an answer was changed on its way: {IMPOSTOR}", STAY_AWAY),
    "cose-signature": (f"a signature does not hold, so it was forged or damaged: {IMPOSTOR}", STAY_AWAY),
    "credential-other-site": (f"{IMPOSTOR}: it has the name, but belongs to another site", STAY_AWAY),
    "device-other": (f"{IMPOSTOR}, or not the device that --via should lead to", STAY_AWAY),
    "device-unproven": (
        IMPOSTOR,
        "do not use it, and tell an admin; a board that is new here joins by admit provision",
    ),
    "edhoc-mac-2": (f"{IMPOSTOR}: it does not have the key that it claims", STAY_AWAY),
    "edhoc-reflected": (f"{IMPOSTOR}: it sent back what we sent", STAY_AWAY),
    "edhoc-signature-2": (f"{IMPOSTOR}: it does not have the key that it claims", STAY_AWAY),
    # the virtual board
    "board-dead": ("", "check the micropython that ADMIT_MICROPYTHON or PATH leads to"),
    "board-ended": (
        "the kiosk's firmware ended by itself",
        "see what it said last; --storage FOLDER gives it a new flash",
    ),
    "board-running": ("that kiosk is running already", "use it, or stop it first"),
    "board-silent": ("the kiosk does not do what it should", "try again; this machine may be busy"),
    "demo-failed": ("", "try again; if it stays so, please report it with the whole output"),
    "micropython-missing": ("", "install it, or set ADMIT_MICROPYTHON to its path"),
}
