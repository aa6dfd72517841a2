"""phone/protocol against admit_protocol: of the same hostile bytes both say the same, value by value, reason by reason.

Python makes a few thousand inputs with a fixed seed, half of them valid and gone wrong, and writes them down with its
own verdicts; agreement.mjs repeats each in JavaScript.
"""

import json
import random

import pytest

from admit import coap_ws
from admit.suite import HostSuite
from admit_protocol import block, block_client, cbor, coap, gatt, oscore, oscore_client, oscore_option, problem
from admit_protocol.cbor import Tag
from admit_protocol.errors import AdmitError, Unsupported
from imports import ROOT
from nodejs import node

SEED = 8613
SECRET, SALT, CLIENT, SERVER = bytes(range(16)), b"salt", b"\x17", b"\x2a"


# What both say of a thing, as text


def verdict(action, *arguments):
    try:
        return action(*arguments)
    except AdmitError as error:
        kind = Unsupported if isinstance(error, coap_ws.BadCsmOption) else type(error)
        return f"!{kind.__name__} {error.reason}"


def shown(value):
    """A CBOR value."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(shown, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{shown(key)}:{shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Tag):
        return f"{value.number}({shown(value.value)})"
    if isinstance(value, str):
        return f'"{value.encode().hex()}"'
    return f"h{value.hex()}" if isinstance(value, bytes) else str(value).lower().replace("none", "null")


def shown_options(options):
    return " ".join(f"{number}={value.hex()}" for number, value in options)


def shown_message(message):
    return f"{message.code:02x} {message.token.hex()} [{shown_options(message.options)}] {message.payload.hex()}"


# Hostile bytes


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def bytes(self, most):
        return self.random.randbytes(self.random.randint(0, most))

    def integer(self):
        edge = self.random.choice([0, 23, 24, 255, 256, 65535, 65536, 2**32, 2**53, 2**63, 2**64 - 1])
        return max(0, min(edge + self.random.randint(-2, 2), 2**64 - 1)) * self.random.choice([1, 1, -1])

    def key(self):
        return self.random.choice([self.random.randint(-30, 30), self.integer(), self.bytes(3), self.text()])

    def text(self):
        return "".join(
            self.random.choice("az09 \u00e4\u20ac\U0001f600\ufeff\x00") for _ in range(self.random.randint(0, 4))
        )

    def value(self, depth=4):
        kind = self.random.randint(0, 8 if depth else 4)
        if kind <= 4:
            return [self.integer(), self.bytes(30), self.text(), self.random.choice([True, False, None]), kind][kind]
        if kind == 5:
            return Tag(abs(self.integer()), self.value(depth - 1))
        if kind == 6:
            return {self.key(): self.value(depth - 1) for _ in range(self.random.randint(0, 4))}
        return [self.value(depth - 1) for _ in range(self.random.randint(0, 4))]

    def options(self, most=5):
        numbers = [self.random.choice([1, 3, 4, 6, 9, 11, 12, 23, 27, 60, 292, 2048, 65535]) for _ in range(most)]
        return [(number, self.bytes(20)) for number in sorted(numbers[: self.random.randint(0, most)])]

    def message(self):
        code = self.random.choice([0x01, 0x02, 0x44, 0x45, 0x84, 0xA3, self.random.randint(0, 255)])
        payload = self.random.choice([b"", self.bytes(30)])
        return coap.Message(code, self.bytes(9), self.options(), payload)

    def spoilt(self, data):
        """`data` with a few of its bytes changed, cut out, doubled or put in; or as it was."""
        data = bytearray(data)
        for _ in range(self.random.choice([0, 1, 1, 2])):
            at = self.random.randint(0, len(data))
            change = self.random.randint(0, 4)
            if change == 0 and at < len(data):
                data[at] ^= 1 << self.random.randint(0, 7)
            elif change == 1:
                del data[at : at + self.random.randint(1, 3)]
            elif change == 2:
                data[at:at] = self.random.randbytes(self.random.randint(1, 3))
            elif change == 3:
                data[at:at] = data[max(0, at - 8) : at]
            else:
                del data[at:]
        return bytes(data)


def any_option(maker):
    parts = (maker.random.choice([None, maker.bytes(6)]), maker.random.choice([None, maker.bytes(4)]))
    return oscore_option.encode_option(*parts, maker.random.choice([None, None, maker.bytes(4)]))


def gatt_value(maker):
    return gatt.encode_value(maker.random.randint(0, 7) << 4, maker.message())


def problem_details(maker):
    value = maker.random.choice([maker.value(), "reason", 1])
    entry = {maker.random.choice([-1, 1, 2, 3, 9, "1"]): maker.random.choice([maker.value(1), 25]) for _ in range(3)}
    parts = {-1: value, -2: maker.random.choice(["words", 5]), "admit:": maker.random.choice([entry, entry, 5]), 7: 1}
    kept = {key: part for key, part in parts.items() if maker.random.random() < 0.6}
    return cbor.encode({key: part for key, part in kept.items() if key != -1 or not isinstance(part, int)})


def show_body(data):
    options, payload = coap.decode_body(data)
    return f"[{shown_options(options)}] {payload.hex()}"


def show_value(data):
    bits, message = gatt.decode_value(data)
    return f"{bits:02x} {shown_message(message)}"


def show_block(data):
    number, more, szx = block.parse(data)
    return f"{number} {str(more).lower()} {szx}"


READERS = {
    "cbor": (3000, lambda maker: cbor.encode(maker.value()), lambda data: shown(cbor.decode(data))),
    "sequence": (
        500,
        lambda maker: cbor.encode_sequence([maker.value(2) for _ in range(3)]),
        lambda data: shown(cbor.decode_sequence(data)),
    ),
    "body": (2000, lambda maker: coap.encode_body(maker.options(), maker.bytes(20)), show_body),
    "gatt": (2000, gatt_value, show_value),
    "websocket": (
        1000,
        lambda maker: coap_ws.encode_message(maker.message()),
        lambda data: shown_message(coap_ws.decode_message(data)),
    ),
    "option": (2000, any_option, lambda data: shown(oscore_option.parse_option(data))),
    "block": (300, lambda maker: maker.bytes(4), show_block),
    "problem": (1000, problem_details, lambda data: shown(dict(sorted(problem.decode(data).items())))),
}


def agreed(tmp_path, kind, cases):
    """Have Node.js repeat them; what it says if it disagrees."""
    path = tmp_path / f"{kind}.json"
    path.write_text(json.dumps(cases))
    done = node(ROOT / "tests/phone/agreement.mjs", kind, path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{len(cases)} agreed\n"


@pytest.mark.parametrize("kind", READERS)
def test_both_read_the_same(kind, tmp_path):
    count, make, read = READERS[kind]
    maker = Maker(SEED)
    inputs = [maker.spoilt(make(maker)) if i % 8 else maker.bytes(12) for i in range(count)]
    cases = [{"input": data.hex(), "verdict": verdict(read, data)} for data in inputs]
    refused = sum(case["verdict"].startswith("!") for case in cases)
    assert 0.05 < refused / count < 0.95  # there is something of both
    agreed(tmp_path, kind, cases)


# Objects that go on: the same events, the same answers


def test_both_layers_over_gatt_do_the_same(tmp_path):
    maker = Maker(SEED)
    cases = []
    for _ in range(300):
        layer, now_ms, events = gatt.GattLayer(False, 515), 0, []
        for turn in range(maker.random.randint(3, 25)):
            what = maker.random.choice(["send", "outgoing", "outgoing", "receive", "receive", "failed", "wait"])
            data = maker.spoilt(gatt_value(maker)) if maker.random.random() < 0.7 else bytes([turn % 2 << 6 | 16])
            if what == "wait":
                now_ms += maker.random.choice([1, 2500, 5000])
            events.append(
                {"what": what, "now": now_ms, "data": data.hex(), "said": gatt_event(layer, what, data, now_ms)}
            )
        cases.append(events)
    agreed(tmp_path, "gatt-layer", cases)


def gatt_event(layer, what, data, now_ms):
    said = ""
    if what == "send":
        message = coap.request(coap.GET, "/r")
        message.token = data[:2]
        layer.send(message, now_ms)
    elif what == "receive":
        said = ";".join(map(shown_message, layer.receive(data, now_ms)))
    elif what == "outgoing":
        value = layer.outgoing(now_ms)
        said = "nothing" if value is None else value.hex()
    elif what == "failed":
        said = ",".join(token.hex() for token in layer.failed())
    return f"{said} {str(layer.deadline()).replace('None', 'null')} {layer.garbage}"


def test_both_layers_over_websockets_do_the_same(tmp_path):
    maker = Maker(SEED)
    cases = []
    for _ in range(300):
        layer, events = coap_ws.WebSocketLayer("lobby-1"), []
        for turn in range(maker.random.randint(3, 15)):
            what = maker.random.choice(["send", "outgoing", "outgoing", "receive", "receive"])
            data = websocket_message(maker) if turn or maker.random.random() < 0.2 else bytes.fromhex("00e1")
            events.append({"what": what, "data": data.hex(), "said": verdict(websocket_event, layer, what, data)})
        cases.append(events)
    agreed(tmp_path, "websocket-layer", cases)


def websocket_message(maker):
    message = maker.message()
    if maker.random.random() < 0.5:
        options = [(2, maker.random.choice([b"\x04\x80", b"\x20", b"\x80"]))] if maker.random.random() < 0.5 else []
        message = coap.Message(maker.random.randint(0xE0, 0xE6), maker.bytes(3), options, b"words")
    return (
        maker.spoilt(coap_ws.encode_message(message))
        if maker.random.random() < 0.2
        else coap_ws.encode_message(message)
    )


def websocket_event(layer, what, data):
    said = ""
    if what == "send":
        layer.send(coap.request(coap.GET, "/r", bytes(len(data) * 40)))
    elif what == "receive":
        said = ";".join(map(shown_message, layer.receive(data)))
    else:
        value = layer.outgoing()
        said = "nothing" if value is None else value[:2].hex() if value[1] == coap_ws.ABORT else value.hex()
    return f"{said} {str(layer.deadline()).replace('None', 'null')} {str(layer.released).lower()}"


def test_both_transfers_do_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(block_client, "_last_tag", [0])
    maker = Maker(SEED)
    agreed(tmp_path, "transfer", [transfer_case(maker) for _ in range(600)])


def transfer_case(maker):
    code = maker.random.choice([coap.GET, coap.POST])
    body, size, limit = bytes(maker.random.choice([0, 0, 40, 100])), maker.random.choice([16, 20, 64]), 64
    transfer = block_client.Transfer(coap.request(code, "/x", body, options=[(6, b"")]), size, limit)
    steps = [{"said": shown_message(transfer.next())}]
    while transfer.next() is not None and len(steps) < 30 and not steps[-1]["said"].startswith("!"):
        answer = transfer_answer(maker, transfer.next())
        steps.append({"answer": [answer.code, coap.encode_body(answer.options, answer.payload).hex()]})
        steps[-1]["said"] = verdict(transfer_step, transfer, answer)
    return {"code": code, "body": body.hex(), "size": size, "limit": limit, "steps": steps}


def transfer_step(transfer, answer):
    transfer.answer(answer)
    return shown_message(transfer.next() or transfer.response)


def transfer_answer(maker, part):
    """What a good server might say, or, now and then, something else."""
    bad = maker.random.random() < 0.2
    answer = coap.Message(coap.CONTENT, b"", (), bytes(16))
    block1 = part.option(coap.BLOCK1)
    if block1 is not None and block.parse(block1)[1]:
        number, _, szx = block.parse(block1)
        answer = coap.Message(coap.CONTINUE, b"", [(coap.BLOCK1, block.encode(number + bad, True, min(szx, 1)))])
    else:
        asked = part.option(coap.BLOCK2)
        number = 0 if asked is None else block.parse(asked)[0]
        more = maker.random.random() < 0.6
        answer.set_option(coap.BLOCK2, block.encode(number + bad, more, 0))
        answer.set_option(coap.ETAG, b"f" if bad else b"e")
    if maker.random.random() < 0.1:
        answer.code = maker.random.choice([coap.BAD_REQUEST, 0x88, 0x8D, coap.CONTINUE, coap.CONTENT])
        answer.set_option(coap.BLOCK1, maker.random.choice([None, b"", b"\x01", b"\x07"]))
        answer.payload = maker.bytes(20)
    return answer


def test_both_open_the_same_responses(tmp_path):
    maker = Maker(SEED)
    agreed(tmp_path, "oscore", [oscore_case(maker) for _ in range(200)])


def oscore_case(maker):
    """A request as Python protects it, and responses, good, changed, late and again, with what becomes of each."""
    suite = HostSuite()
    id_context = maker.random.choice([None, None, b"room 5"])
    client = oscore_client.ClientContext(suite, SECRET, SALT, CLIENT, SERVER, id_context)
    server = oscore.Context(suite, SECRET, SALT, SERVER, CLIENT, id_context)
    client.sequence = maker.random.choice([0, 1, 255, 256, 70000, (1 << 40) - 1])
    case = {"sequence": client.sequence, "context": id_context and id_context.hex()}
    request = coap.Message(maker.random.choice([1, 2, 3]), b"tk", maker_options(maker), maker.bytes(40))
    outer, asked = client.protect_request(request)
    _, ref = server.unprotect_request(outer)
    case["request"] = wire(request)
    case["outer"] = shown_message(outer)
    case["responses"] = []
    sent = [b""]
    for _ in range(8):
        answer = oscore_answer(maker, server, ref)
        again = maker.random.random() < 0.2 and sent[-1]
        data = again or wire(answer)
        sent.append(data)
        said = verdict(lambda data=data: shown_message(client.unprotect_response(unwire(data), asked)))
        case["responses"].append({"outer": data, "said": said})
    return case


def maker_options(maker):
    found = [item for item in maker.options() if item[0] != coap.OSCORE]
    return found + ([(coap.OBSERVE, b"")] if maker.random.random() < 0.6 else [])


def oscore_answer(maker, server, ref):
    inside = [item for item in maker.options(3) if item[0] not in (coap.OSCORE, coap.OBSERVE)]
    inside += [(coap.OBSERVE, b"\x05")] if maker.random.random() < 0.6 else []
    code = maker.random.choice([0x45, 0x45, 0x45, 0x84, 0x01, 0xE1])
    answer = server.protect_response(coap.Message(code, b"tk", inside, maker.bytes(30)), ref)
    if maker.random.random() < 0.3:
        changed = maker.spoilt(answer.option(coap.OSCORE)) if maker.random.random() < 0.5 else any_option(maker)
        answer.set_option(coap.OSCORE, changed)
    if maker.random.random() < 0.2:
        answer.payload = maker.spoilt(answer.payload)
    for number in (coap.OSCORE, coap.ETAG):
        if maker.random.random() < 0.05:
            answer.add_option(number, b"")
    return answer


def wire(message):
    """A message as text: code, token and body."""
    return f"{message.code:02x} {message.token.hex()} {coap.encode_body(message.options, message.payload).hex()}"


def unwire(text):
    code, token, body = text.split(" ")
    return coap.Message(int(code, 16), bytes.fromhex(token), *coap.decode_body(bytes.fromhex(body)))
