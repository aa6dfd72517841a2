"""The device's limits as docs/SPEC.md and docs/DESIGN.md state them, for tests on both runtimes. The code's own are
private to it: on a board, a name that other modules may read takes heap.
"""

MAX_GRANTS = 32  # kept by a device
MAX_PEERS = 4  # whose products with the next ephemeral key are computed ahead
MAX_OBSERVED = 2  # observations of one session
MAX_BODY = 4096  # bytes of a request or response put together from blocks
SEGMENT_RECORDS = 256  # of the journal
TAIL = 20  # records of a list that are in small files of their own
REMEMBERED = 64  # invocations, at least
MAX_RESULT = 256  # bytes of CBOR of a routine's result

BLOCK_LIFETIME_MS = 120_000  # of an upload that has fallen silent
BLOCK_PATIENCE_MS = 5_000  # with one, while its place is needed
MAX_EXCHANGES = 32  # message ids that a datagram layer remembers
EXCHANGE_LIFETIME_MS = 247_000  # for which it remembers each: RFC 7252 section 4.8.2
