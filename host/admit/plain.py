"""Values as JSON can say them."""


def plain(value):
    """A value as JSON can say it; bytes, as a routine may answer them, in hex."""
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value
