"""Rows of the registry by what people type of their ids: the first digits will do."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from admit_protocol.errors import Conflict, NotFound


def the_only(session: Session, column: InstrumentedAttribute[str], digits: str, missing: NotFound) -> Any:
    """The only row whose `column` begins with `digits`. Raises `missing`, or Conflict registry-ambiguous."""
    row = column.class_
    found = list(session.scalars(select(row).where(column.startswith(digits, autoescape=True))))
    if not found:
        raise missing
    if len(found) > 1:
        what = f"{len(found)} {row.__tablename__}"
        raise Conflict("registry-ambiguous", f"{what} begin with {digits}: give more digits")
    return found[0]
