"""What each reason means to a person: the one table of causes and of next things to try.

Owns: the words, and nothing else; hints.py joins them with an error's own detail.
Rules: a cause says what is wrong and never blames; a hint is one thing to do. Where a device may be an impostor, the
cause says so. An entry without a cause is one whose errors bring a full sentence as their detail.
"""

from admit_cli.reasons import boards, desk, owners, releases, visits, way

# reason: (cause, next thing to try)
REASONS = desk.REASONS | releases.REASONS | owners.REASONS | way.REASONS | boards.REASONS | visits.REASONS
