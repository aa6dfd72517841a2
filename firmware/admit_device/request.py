"""A whole request, as a handler sees it."""

from admit_protocol.errors import Malformed


class Request:
    """`session` is None if nobody has proven anything; `again`: nobody has sent
    it now, it stands and its answer may have changed.
    """

    def __init__(self, link, session, message, again=False):
        self.link = link
        self.session = session
        self.again = again
        self.method = message.code
        self.path = message.path
        self.queries = message.queries
        self.payload = message.payload
        self.decision = None  # the rule.Decision that allows it, if it took a rule
        self.arguments = self.invocation = None  # of an invocation: what its rule is asked about; (who, id)

    def watches(self, output_name):
        """Does the answer change with that output? A handler that knows better sets this."""
        return False

    @property
    def method_bit(self):
        """The method in AIF's mask, which is what rules know: RFC 9237 section 3."""
        return 1 << self.method - 1

    @property
    def name(self):
        """The second segment of the path, or ""."""
        return self.path[1] if len(self.path) > 1 else ""

    def query(self, key, default):
        """The whole number behind `key=` in the query. Raises Malformed("request-query")."""
        for each in self.queries:
            if each.startswith(key + "="):
                number = each[len(key) + 1 :]
                if not number or number.strip("0123456789") or len(number) > 9:
                    raise Malformed("request-query", key)
                return int(number)
        return default
