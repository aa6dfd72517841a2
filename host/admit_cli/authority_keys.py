"""`admit rotate --authority`: what is asked and told while the site's authority gets other keys."""

import dataclasses

from admit import keyfiles, recovery, succeeding
from admit_cli.command import Call
from admit_cli.output import confirm, progress, say, warn
from admit_cli.words import many, utc


def rotate(call: Call, overlap_s: int, finish: bool, yes: bool, dry_run: bool) -> None:
    """All of it. What an earlier run was cut short in is done first, and no other keys are made then."""
    if finish:
        _finish(call, yes, dry_run)
        return
    found = succeeding.reach(call.site, call.now)
    if dry_run:
        call.out.fields("would_rotate", dataclasses.asdict(found) | {"overlap_ends": utc(call.now + overlap_s)})
        return
    call.signer.unlock()
    if succeeding.settle(call.site, call.signer, call.now):
        say("The keys of an earlier run are in force: what follows of them is done now. No other keys were made.")
    else:
        confirm(_question(found, overlap_s), yes)
        progress("making new keys of the authority")
        succeeding.succeed(call.site, call.signer, call.now, overlap_s)
    _tell(call, found)


def _question(found: succeeding.Reach, overlap_s: int) -> str:
    end = f"go on for {overlap_s // 3600} hours" if overlap_s else "end wherever a device hears of it"
    return (
        f"Give the authority other keys? {many(found.grants, 'grant')} are signed anew; those of the old key {end}, and"
        f" with them {many(found.invites, 'invite')} and whatever was passed on. {many(found.devices, 'device')} must"
        " follow."
    )


def _tell(call: Call, found: succeeding.Reach) -> None:
    anchor = call.site.anchor
    say("Devices follow when they are visited: admit sync. admit status shows which have not yet.")
    if found.invites or found.passed_on:
        warn("invites, and what holders passed on, end with the old key: make them anew until then")
    warn("the backups that you have, vouchers and releases that were signed before, are of the old key: make them anew")
    if (call.site.folder / recovery.FILE).exists():
        warn("the shares open the old key, which counts no more: admit recovery create makes new ones")
    if call.site.registry.recovery_policy():
        warn("new devices take no recovery keys that the old key has signed: admit recovery keys names them again")
    fields = {"number": len(anchor.successions), "fingerprint": keyfiles.fingerprint(anchor.sign_public)}
    call.out.fields("authority", fields | {"overlap_ends": utc(anchor.ends), "devices": found.devices})


def _finish(call: Call, yes: bool, dry_run: bool) -> None:
    count = len(call.signer.older_keys())
    if not dry_run and count:
        confirm(
            "Forget the keys before? Journals sealed to them, which couriers still carry, stay closed for good.", yes
        )
        succeeding.forget(call.signer)
    call.out.fields("would_forget" if dry_run else "forgotten", {"keys": count})
