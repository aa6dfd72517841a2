"""Values as JSON can say them, and somebody else's words as they may be shown."""

from admit_protocol.cbor import Tag


def one_line(text: str, most: int) -> str:
    """Words that a device said: in one line, so that they pass for nobody else's; at most `most` characters."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:most])


def plain(value):
    """A value as JSON can say it; bytes, as a routine may answer them, in hex."""
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, Tag):
        return {"tag": value.number, "value": plain(value.value)}
    return value.hex() if isinstance(value, bytes) else value
