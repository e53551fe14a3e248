# SPDX-License-Identifier: MIT
"""XML documents that are made to cost much. Each takes the number of bytes that it is to have."""


def of_size(start, unit, end, size):
    """A document of about that many bytes."""
    return start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def numbered(start, unit, end, size):
    """The same; each unit has a number."""
    count = (size - len(start) - len(end)) // len(unit % 1000000)
    return start + b"".join(unit % n for n in range(count)) + end


DOCUMENTS = {
    "attributes": lambda size: numbered(b"<Delete", b' a%d=""', b"/>", size),
    "namespaces": lambda size: numbered(b"<Delete", b' xmlns:a%d="u"', b"/>", size),
    "scopes": lambda size: numbered(b"<Delete>", b'<a xmlns:a%d="u">', b"</Delete>", size),
    "depth": lambda size: of_size(b"<Delete>", b"<a>", b"</Delete>", size),
    "names": lambda size: numbered(b"<Delete>", b"<n%d/>", b"</Delete>", size),
    "long name": lambda size: of_size(b"<", b"a", b"/>", size),
    "long attribute": lambda size: of_size(b'<Delete a="', b"a", b'"/>', size),
    "comment": lambda size: of_size(b"<!--", b"a", b"--><Delete/>", size),
    "comments": lambda size: of_size(b"<Delete>", b"<!---->", b"<a/></Delete>", size),
    "instruction": lambda size: of_size(b"<?a ", b"a", b"?><Delete/>", size),
    "instructions": lambda size: numbered(b"<Delete>", b"<?a%d?>", b"</Delete>", size),
    "open comment": lambda size: of_size(b"<Delete><!--", b"-", b"", size),
    "open tag": lambda size: of_size(b"<Delete", b" ", b"", size),
    "open section": lambda size: of_size(b"<Delete><![CDATA[", b"]", b"", size),
    "references": lambda size: of_size(b"<Delete>", b"&#65;", b"</Delete>", size),
    "text": lambda size: of_size(b"<Delete>", b"a", b"</Delete>", size),
    "blanks": lambda size: of_size(b"<Delete>", b" ", b"<a/></Delete>", size),
    "entities": lambda size: numbered(b"<!DOCTYPE a [", b'<!ENTITY a%d "a">', b"]><Delete/>", size),
    "encoding": lambda size: of_size(b'<?xml version="1.0" encoding="UTF-7"?>', b"+AGE-", b"", size),
    "utf-16": lambda size: DOCUMENTS["references"](size // 2).decode().encode("utf-16"),
    "not utf-8": lambda size: of_size(b"<Delete>", b"\xff", b"</Delete>", size),
    "include": lambda size: of_size(
        b'<Delete xmlns:i="http://www.w3.org/2001/XInclude">',
        b'<i:include href="file:///etc/passwd"/>',
        b"</Delete>",
        size,
    ),
    "eight attributes": lambda size: of_size(
        b"<Delete>", b'<a a="" b="" c="" d="" e="" f="" g="" h=""/>', b"</Delete>", size
    ),
    "eight namespaces": lambda size: of_size(
        b"<Delete>",
        b'<a xmlns:a="1" xmlns:b="2" xmlns:c="3" xmlns:d="4" xmlns:e="5" xmlns:f="6" xmlns:g="7" '
        b'xmlns:h="8"/>',
        b"</Delete>",
        size,
    ),
    "xml: attributes": lambda size: of_size(
        b"<Delete>", b'<a xml:id="a" xml:lang="x" xml:base="file:///etc/"/>', b"</Delete>", size
    ),
    "siblings": lambda size: of_size(b"<Delete>", b"<a/>", b"</Delete>", size),
    "keys": lambda size: of_size(
        b"<Delete><Object>", b"<Key>k</Key>", b"</Object></Delete>", size
    ),
    "objects": lambda size: of_size(
        b"<Delete>", b"<Object><Key>k</Key></Object>", b"</Delete>", size
    ),
}
