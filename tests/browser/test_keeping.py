"""What a phone keeps and loads: without a network, in two tabs, with its storage cleared or refused; and that nobody
but the page's own server is ever asked for anything.
"""

import re
import time

from playwright.async_api import expect

from admit import phone_site
from browser.harness import other_hosts
from browser.person import Person, guest, visitor

MOST_REQUESTS = 80
DAY_S = 24 * 3600
WEEK_S = 7 * DAY_S


async def test_it_starts_without_a_network_and_opens_the_door(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.phone(kiosk, worker=True) as phone:
        alice = Person(phone)
        await alice.is_let_in(place, "/r/calibrate")
        await phone.run("navigator.serviceWorker.ready.then(() => true)")
        await phone.context.set_offline(True)
        await phone.reload()
        await alice.sees("home")
        await alice.connects()
        await alice.runs("Calibrate")
        await alice.reads("run-done")


async def test_what_a_visit_loads_and_from_whom(browser, place):
    """A start in one language and a repeat visit, until the result is on the screen: all that a phone waits for."""
    responses = []
    async with visitor(browser, place, "/r/count", last="count", own=True) as (alice, _):
        alice.phone.asked.clear()
        alice.phone.context.on("response", lambda response: responses.append(response))
        await alice.phone.reload()
        await alice.presses_text("Count")
        await alice.reads("run-done")
        loaded = sum([len(await each.body()) for each in responses])
        print(f"a visit loads {len(alice.phone.asked)} files with {loaded} bytes; all that there is: {weight()} bytes")
        assert other_hosts(alice.phone) == []
        assert len(alice.phone.asked) <= MOST_REQUESTS
        assert loaded <= 150_000


def weight() -> int:
    """Bytes of all files of the page."""
    return sum(len(each) for each in phone_site.content().values())


async def test_no_script_of_somebody_elses_runs(browser):
    """The policy that the server sends is at work: no inline script, no eval, no foreign host, no frame, no markup."""
    async with browser.phone() as phone:
        await phone.open()
        tries = [
            "fetch('https://elsewhere.example/').then(() => 'sent', () => 'stopped')",
            "(() => { const script = document.createElement('script');"
            " try { script.text = 'window.ran = 1'; } catch {} script.append('window.ran = 1');"
            " document.body.append(script); return window.ran ? 'sent' : 'stopped'; })()",
            "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'sent'; } catch { return 'stopped'; } })()",
            "new Promise((done) => { const image = new Image(); image.onerror = () => done('stopped');"
            " image.onload = () => done('sent'); image.src = 'https://elsewhere.example/x.png'; })",
        ]
        for each in tries:
            assert await phone.run(each) == "stopped", each
        assert len(phone.troubles) >= 3
        phone.troubles.clear()


async def test_two_tabs_are_one_wallet(browser, place):
    async with visitor(browser, place, "/r/calibrate", met=False) as (alice, _):
        other = await alice.phone.other_tab()
        await other.open()
        second = Person(other)
        await second.goes_to("cards")
        await expect(second.named(second.words("card-valid"))).to_be_visible()
        await alice.page.bring_to_front()
        await alice.goes_to("cards")
        await alice.presses_text(alice.words("card-valid"))
        await alice.presses("forget")
        await second.reads("cards-empty")
        await other.page.close()
        await alice.reads("cards-empty")


async def test_a_key_that_the_browser_has_lost_is_told_with_the_way_back(browser, place):
    async with visitor(browser, place, "/r/calibrate") as (alice, _):
        await alice.phone.run(CLEAR)
        await alice.phone.reload()
        await alice.sees("lost")
        await alice.reads("key-gone", site="Test site")
        await alice.presses("new-key")
        await alice.sees("key")
        assert await alice.page.locator("svg.qr").count() == 1


UNSEEN = "document.addEventListener('visibilitychange', (event) => event.stopImmediatePropagation(), true)"
CLEAR = """new Promise((done, failed) => {
  const request = indexedDB.open("admit");
  request.onerror = failed;
  request.onsuccess = () => {
    const change = request.result.transaction("keys", "readwrite");
    change.objectStore("keys").clear();
    change.oncomplete = () => { request.result.close(); done(true); };
  };
})"""


async def test_all_storage_was_cleared(browser, place):
    async with guest(browser) as alice:
        await alice.is_let_in(place, "/r/calibrate")
        wipe = {"origin": browser.address.rstrip("/"), "storageTypes": "all"}
        await alice.phone.tell_browser("Storage.clearDataForOrigin", **wipe)
        await alice.phone.reload()
        await alice.sees("welcome")


async def test_a_look_that_nobody_asked_for_fails_in_silence(browser, place):
    """Storage that fails as the page is looked at again: what is drawn stays, and no error goes uncaught."""
    async with visitor(browser, place, "/r/count", met=False, own=True) as (alice, _):
        await alice.goes_to("cards")
        await alice.phone.run(
            "IDBDatabase.prototype.transaction = () => { throw new DOMException('gone', 'UnknownError'); };"
            " document.dispatchEvent(new Event('visibilitychange'))"
        )
        await alice.phone.run("new Promise((done) => setTimeout(done, 100))")
        await expect(alice.named(alice.words("card-valid"))).to_be_visible()


async def test_storage_is_cleared_during_a_visit(browser, place):
    """What is under way goes on; what needs the key is told that it is gone, with the way back."""
    async with visitor(browser, place, "/r/count") as (alice, kiosk):
        await alice.connects()
        await expect(alice.named("Count")).to_be_visible()
        await alice.phone.run(CLEAR)
        await alice.does("Count")
        await place.restart()  # which forgets the session: another one takes the key
        await alice.presses("try-again")
        await alice.reads("e-wallet-key-lost")
        await alice.presses("lost")
        await alice.reads("key-gone", site="Test site")
        await alice.presses("new-key")
        await alice.sees("key")


async def test_storage_is_cleared_while_the_page_is_open(browser, place):
    """Also if nobody has told the page: the next tap does."""
    async with visitor(browser, place, "/r/count", own=True) as (alice, kiosk):
        await alice.phone.run(UNSEEN)
        await alice.phone.run(CLEAR)
        await alice.presses_text("kiosk-1")
        await alice.sees("failed")
        await alice.reads("e-wallet-key-lost")
        await alice.presses("go-back")
        await alice.sees("lost")
        await alice.reads("key-gone", site="Test site")


async def test_a_page_that_was_open_for_a_week(browser, place):
    """Link and session are long gone, the clock has moved on, and one of two grants has ended meanwhile."""
    await place.add_board("week-1")
    now = int(time.time())
    async with visitor(browser, place, device="week-1", own=True) as (alice, kiosk):
        publics = await alice.makes_keys()
        await alice.takes(place, place.issue("alice", publics, ["/r/count"], "week-1", expires=now + DAY_S))
        await alice.knows(place, "week-1")
        await alice.page.clock.install()
        await alice.connects("week-1")
        await alice.does("Count")
        await kiosk.gone()
        await place.tells_time("week-1", now + WEEK_S)
        await alice.waits(WEEK_S)
        await alice.reads("e-connect-failed")
        await tries_again(alice, "e-connect-failed", "e-grant-expired")  # the same kiosk, proven again
        await expect(alice.button("show-key")).to_be_visible()
        await alice.takes(place, place.issue("alice", publics, ["/r/count"], "week-1", expires=now + 2 * WEEK_S))
        await alice.leaves(kiosk)
        await alice.goes_to("cards")
        await alice.reads("card-expired")
        await alice.goes_to("home")
        await alice.connects("week-1")
        await alice.runs("Count")
        await alice.reads("run-done")


async def tries_again(person, was, key, times=3):
    """Press the button until the page says `key`: a kiosk hangs up on whoever is slow, and this page's clock jumps."""
    main = person.page.locator("main")
    for _ in range(times):
        await person.presses("try-again")
        await expect(main).to_contain_text(re.compile("|".join(map(re.escape, map(person.words, (was, key))))))
        if person.words(key) in await person.text():
            return
    await person.reads(key)


async def test_a_private_window_that_refuses_to_store(browser):
    async with browser.phone() as phone:
        await phone.context.add_init_script(
            "indexedDB.open = () => { throw new DOMException('The operation is insecure.', 'SecurityError'); };"
        )
        alice = Person(phone)
        await phone.open()
        await alice.reads("e-store-refused")
        await expect(alice.button("reload")).to_be_visible()


async def test_no_private_key_can_be_taken_out(browser, place):
    async with guest(browser) as alice:
        await alice.is_let_in(place, "/r/calibrate")
        taken = await alice.phone.run(TAKE_OUT)
        assert taken == {"found": 2, "exported": 0}


TAKE_OUT = """(async () => {
  const database = await new Promise((done) => {
    const request = indexedDB.open("admit");
    request.onsuccess = () => done(request.result);
  });
  const records = await new Promise((done) => {
    const request = database.transaction("keys").objectStore("keys").getAll();
    request.onsuccess = () => done(request.result);
  });
  let found = 0, exported = 0;
  const look = async (value) => {
    if (value instanceof CryptoKey) {
      if (value.type !== "private") return;
      found += 1;
      for (const form of ["jwk", "pkcs8", "raw"]) {
        await crypto.subtle.exportKey(form, value).then(() => (exported += 1), () => {});
      }
    } else if (value && typeof value === "object") {
      await Promise.all(Object.values(value).map(look));
    }
  };
  await look(records);
  database.close();
  return { found, exported };
})()"""


async def test_a_browser_without_bluetooth_says_so_and_what_helps(browser):
    async with browser.phone() as phone:
        await phone.context.add_init_script("delete Navigator.prototype.bluetooth;")
        alice = Person(phone)
        await alice.begins()
        await alice.reads("no-way")
        await expect(alice.button("copy-address")).to_be_visible()
