"""What a visitor of a gateway says to its keeper, and tries to leave behind."""

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from admit.coap_ws import ABORT
from admit_protocol import coap
from gateways import Desk, gateway_to, knock, story, until


def lines():
    """What a gateway says, and the list of it."""
    told = []
    return told, told.append


@pytest.mark.parametrize(
    "words",
    ["\u58c1" * 66, "\x1b]0;owned\x07\n2026 visitor 1 leaves", "\u202e" * 60, ""],
    ids=["wide", "steering", "turning", "none"],
)
def test_last_words_of_any_length_and_alphabet_end_as_any_other_do(words):
    @story
    async def told():
        said, say = lines()
        async with gateway_to(Desk().kiosk(), say=say) as gateway:
            async with knock(gateway) as visitor:
                await visitor.ask("desk")
                await visitor.say(coap.Message(ABORT, b"", [], words.encode()))
                with pytest.raises(ConnectionClosed) as caught:
                    await visitor.hear()
            await until(lambda: not gateway.visitors)
            assert caught.value.rcvd.code == 1002
        assert "shown out: ws-aborted" in "".join(said)
        assert all(line.isprintable() for line in said), said

    told()


@story
async def test_a_page_of_any_name_says_nothing_that_steers_the_terminal():
    said, say = lines()
    async with gateway_to(Desk().kiosk(), say=say, origins=["https://page.example"]) as gateway:
        for origin in ("https://\x9b31mevil", "https://evil\t\tvisitor 1", "https://" + "x" * 5000):
            with pytest.raises(InvalidStatus) as caught:
                async with knock(gateway, additional_headers={"Origin": origin}):
                    pass
            assert caught.value.response.status_code == 403
    async with gateway_to(Desk().kiosk(), say=say) as gateway:
        async with knock(gateway, additional_headers={"Origin": "https://\x9b31mevil\tvisitor 9"}):
            pass
        await until(lambda: not gateway.visitors)
    assert len(said) == 5
    assert all(line.isprintable() and len(line) < 300 for line in said), said


@story
async def test_of_two_names_in_one_request_only_the_first_counts_and_neither_goes_on():
    desk, other = Desk(), Desk()
    async with gateway_to(desk.kiosk("desk"), other.kiosk("other")) as gateway:
        async with knock(gateway) as visitor:
            twice = [(coap.URI_HOST, b"desk"), (coap.URI_HOST, b"other"), (coap.URI_PATH, b"id")]
            await visitor.say(coap.Message(coap.GET, b"\x01", twice))
            assert (await visitor.hear()).payload == b"yes"
    assert [len(each.asked) for each in (desk, other)] == [1, 0]
    assert desk.asked[0].option(coap.URI_HOST) is None


@story
async def test_what_a_visitor_left_unanswered_is_told_to_nobody_who_comes_with_the_same_token():
    desk = Desk(lambda request, link: None)
    async with gateway_to(desk.kiosk(shared=True)) as gateway:
        async with knock(gateway) as early:
            await early.get("desk", token=b"same")
            await desk.until(1)
            async with knock(gateway) as late:
                await early.socket.close()
                await until(lambda: len(gateway.visitors) == 1)
                await late.say(coap.Message(coap.POST, b"same", [(coap.OSCORE, b"\x09\x01")], b"x"), "desk")
                await desk.until(2)
                first, second = desk.asked
                assert first.token != second.token
                desk.open_links[0].tell(coap.response(coap.CONTENT, b"for the early one"), first.token)
                desk.open_links[0].tell(coap.response(coap.CONTENT, b"for the late one"), second.token)
                assert (await late.hear()).payload == b"for the late one"
