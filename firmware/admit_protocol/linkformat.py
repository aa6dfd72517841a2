"""Lists of links, the payload of /.well-known/core: RFC 6690, content format 40.

A link is (path, attributes): a str, and a list of (name, value) with value a str (written quoted), an int (written
bare) or None (a name alone, such as `obs`). It must not know what is linked.
"""

from .errors import Malformed

_TOKEN_END = ',;="<> '


def encode(links):
    """The list as str: `</r>;rt="admit.routines";ct=60;obs,</id>`."""
    return ",".join(["<%s>" % path + "".join([_attribute(*item) for item in items]) for path, items in links])


def select(links, queries):
    """The links that match every query, e.g. ("rt=core.edhoc",) or ("href=/r*",). RFC 6690 section 4.1."""
    return [link for link in links if all([_matches(link, query) for query in queries])]


def parse(text):
    """The links in a list from anywhere. Values are str or None. Raises Malformed("linkformat-syntax")."""
    links = []
    at = 0
    while at < len(text):
        if links:
            at = _skip(text, at, ",")
        start = _skip(text, at, "<")
        end = text.find(">", start)
        if end < 0:
            raise Malformed("linkformat-syntax")
        attributes = []
        at = end + 1
        while text[at : at + 1] == ";":
            name, at = _token(text, at + 1)
            value = None
            if text[at : at + 1] == "=":
                value, at = _value(text, at + 1)
            attributes.append((name, value))
        links.append((text[start:end], attributes))
    return links


def _attribute(name, value):
    if value is None:
        return ";" + name
    if isinstance(value, int):
        return ";%s=%d" % (name, value)
    return ';%s="%s"' % (name, value.replace("\\", "\\\\").replace('"', '\\"'))


def _matches(link, query):
    name, _, wanted = query.partition("=")
    path, attributes = link
    values = [path] if name == "href" else []
    for found, value in attributes:
        if found == name:
            values.extend(str(value).split(" "))
    if wanted.endswith("*"):
        return any([value.startswith(wanted[:-1]) for value in values])
    return wanted in values


def _skip(text, at, char):
    if text[at : at + 1] != char:
        raise Malformed("linkformat-syntax")
    return at + 1


def _token(text, at):
    end = at
    while end < len(text) and text[end] not in _TOKEN_END:
        end += 1
    if end == at:
        raise Malformed("linkformat-syntax")
    return text[at:end], end


def _value(text, at):
    if text[at : at + 1] != '"':
        return _token(text, at)
    value = ""
    at += 1
    while text[at : at + 1] != '"':
        at += text[at : at + 1] == "\\"
        if at >= len(text):
            raise Malformed("linkformat-syntax")
        value += text[at]
        at += 1
    return value, at + 1
