"""A device's keys, its end, and its way from one site to another."""

from admit_cli.reasons.phrases import IMPOSTOR, KEEP, STAY_AWAY

REASONS = {
    # a device goes from one site to another
    "adopt-reset": ("", "take it in as a new one: admit provision, or by its sealed label; and tell whose it was"),
    "ownership-body": ("", "bring admit and the device to the same version"),
    "ownership-no-key": ("the device has not made its key yet", "give the same command: it begins anew"),
    "ownership-other-owner": ("", "adopt it as an admin of the site that the voucher names: --as ADMIN"),
    "receipt-none": ("", "the device came here as a new one: nobody waits for a receipt"),
    "receipt-other-key": ("another device signed it, or one with another key", "ask for the receipt anew: admit adopt"),
    "receipt-other-voucher": ("", "the voucher that it came by is the one to name"),
    "receipt-structure": ("that is no receipt", "ask for the file that admit adopt wrote"),
    "transfer-rotating": ("", "finish that first: admit rotate, or admit sync; then transfer it"),
    "transfer-same-site": ("", "name the file that the other site's admit anchor -o wrote"),
    "voucher-chain": ("", "ask for the voucher's file anew"),
    "voucher-expired": ("the voucher has ended", "ask whoever gave it for another"),
    "voucher-file": ("that is no voucher", "ask for the file that admit transfer wrote"),
    "voucher-none": ("", "admit status shows which devices are promised to whom"),
    "voucher-order": ("", "ask for the whole of the voucher's file anew"),
    "voucher-other-device": ("", "go to the device that it names, or ask for a voucher for this one"),
    "voucher-other-key": ("", "ask whose the device is for a new voucher, if it is the right device"),
    "voucher-other-owner": ("", "only that site can take the device over, or pass it on: admit transfer --from"),
    "voucher-other-site": ("", "ask the site whose the device is now for a voucher"),
    "voucher-revoked": ("", "talk to whoever gave it"),
    "voucher-structure": ("that is no voucher", "ask for the file that admit transfer wrote"),
    "voucher-time-unknown": (
        "",
        "have the old site's admin set its clock (admit sync), or ask for a voucher that does not end",
    ),
    "voucher-unknown": ("", "give it to the site that gave the voucher; or put the registry back from a later backup"),
    "voucher-used": ("", "the device is where the voucher brought it: admit devices there lists it"),
    # keys of devices, and their end
    "device-older-key": (
        f"it shows a key that was replaced: {IMPOSTOR}, with a copy of the old one",
        STAY_AWAY,
    ),
    "identity-body": (
        "the device does not understand what was asked of it",
        "bring admit and the device to one version",
    ),
    "identity-dying": ("the device is being wiped", "admit decommission again: it goes on"),
    "identity-no-rotation": ("the device has no key that waits for that", "admit rotate again"),
    "identity-not-met": ("the device has another key by now", "admit rotate again"),
    "identity-older": ("", "set this computer's clock: admit doctor; then admit rotate again"),
    "identity-other-device": ("what was signed is for another device", "admit rotate again"),
    "journal-old-key": ("the journal goes on under a key that the device no longer has: somebody copied it", KEEP),
    "rotation-answer": (
        "the device does not answer as it should",
        "bring admit and the device to the same version",
    ),
    "rotation-halves": (f"its two keys do not say the same: {IMPOSTOR}", STAY_AWAY),
    "rotation-not-met": ("", "admit rotate again"),
    "rotation-other-key": (f"another key than the device's signed: {IMPOSTOR}", STAY_AWAY),
    "rotation-structure": (
        "what the device signed is no exchange of keys",
        "bring admit and the device to one version",
    ),
    "rotation-unknown-key": (
        "",
        "is this registry an old copy? Put back the newest one, or provision the device again",
    ),
    "wipe-answer": ("the device does not answer as it should", "bring admit and the device to the same version"),
    "wipe-file": ("that is no wipe certificate", "name the file that admit decommission wrote"),
    "wipe-other-key": ("another key than the device's signed that it was wiped", STAY_AWAY),
    "wipe-structure": ("that is no wipe certificate", "name the file that admit decommission wrote"),
}
