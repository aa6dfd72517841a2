"""The frames between a virtual kiosk's firmware and the radio that the PC plays for it (docs/SPEC.md, "Virtual radio").

Owns: their bytes, on the PC's side. A frame is type (1), link (1), length (2, big-endian), payload.
"""

import asyncio

HEADER = 4

# radio → firmware
OPENED, RECEIVED, CONFIRMED, CLOSED = b"O", b"R", b"C", b"X"
# firmware → radio
ADVERTISE, INDICATE, DISCONNECT, RESET = b"A", b"I", b"D", b"Z"


def encode(kind: bytes, link: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return kind + bytes((link,)) + len(payload).to_bytes(2, "big") + payload


async def read(reader: asyncio.StreamReader) -> tuple[bytes, int, bytes]:
    """The next frame: (type, link, payload). asyncio.IncompleteReadError when the firmware is gone."""
    header = await reader.readexactly(HEADER)
    payload = await reader.readexactly(int.from_bytes(header[2:], "big"))
    return header[:1], header[1], payload
