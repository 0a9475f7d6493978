"""Rich text: an own tokenizer, because every library tried loses headers, notes or whole documents.

Groups are kept on a list, never by recursion. Every destination is read except the few that hold no text;
unknown ones stay. HTML wrapped in RTF is unwrapped and handed over as HTML.
"""

from __future__ import annotations

import contextlib
import re
import struct
from dataclasses import dataclass, field, replace

from capture.extract import rtfwords as words
from capture.extract.carve import embed_pictures
from capture.extract.codepages import codec_of
from capture.extract.oleobjects import embed_compound, give_native
from capture.extract.reader import CannotRead, Sink
from capture.extract.rtfflow import Flow
from capture.extract.textual import as_text, is_said
from pii_scan.text import Label

_TOKEN = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,40})(?P<number>-?\d{1,10})?[ ]?|\\'(?P<hex>[0-9A-Fa-f]{2})|\\(?P<symbol>[^A-Za-z])"
    rb"|(?P<brace>[{}])|(?P<break>[\r\n]+)|(?P<run>[^\\{}\r\n]+)", re.DOTALL)
_NOT_HEX = re.compile(rb"[^0-9A-Fa-f]")
_BINARY_DESTINATIONS = frozenset({"pict", "objdata", "datafield"})
_MAX_GROUPS = 1_000_000
_DAMAGE_SHARE = 0.05


@dataclass(slots=True)
class _Group:
    """What a group inherits from the one around it."""

    flow: Flow
    codec: str
    font: int = -1
    uc: int = 1
    hidden: bool = False
    silent: bool = False
    ignorable: bool = False
    html_off: bool = False
    destination: str = ""
    owns_flow: bool = False
    binary: list[bytes] | None = None


def read_rtf(data: bytes, sink: Sink) -> None:
    """Read an RTF document. Raises `CannotRead("corrupt")` when it is none, or has too many open groups.

    An end in the middle of the text (a truncated file) and unreadable characters make it partial, `corrupt`.
    """
    start = data.find(b"{\\rtf", 0, 1_024)
    if start < 0:
        raise CannotRead("corrupt")
    _Reader(sink).read(data, start)


@dataclass
class _Reader:
    sink: Sink
    document_codec: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    font_entry: int = -1
    pending: bytearray = field(default_factory=bytearray)
    pending_codec: str = "cp1252"
    skip: int = 0
    from_html: bool = False
    html: list[str] = field(default_factory=list)
    groups: list[_Group] = field(default_factory=list)
    objects: int = 0
    shown: int = 0
    damaged: int = 0
    inked: bool = False
    binaries: int = 0

    def read(self, data: bytes, start: int) -> None:
        main = Flow(self.sink, Label.TEXT, "")
        self.groups = [_Group(main, self.document_codec)]
        at = start
        closed = False
        try:
            while at < len(data):
                token = _TOKEN.match(data, at)
                if token is None:  # a lone backslash at the very end
                    break
                at = token.end()
                kind = token.lastgroup
                if kind == "run":
                    self._run(token.group())
                elif kind == "hex":
                    self._bytes(bytes([int(token["hex"], 16)]))
                elif kind == "brace":
                    if token.group() == b"{":
                        self._open()
                    elif len(self.groups) > 1:
                        self._close()
                        closed = len(self.groups) == 1
                        if closed:
                            break
                elif kind == "symbol":
                    self._symbol(token["symbol"].decode("latin-1"))
                elif kind in ("word", "number"):
                    number = int(token["number"]) if token["number"] else None
                    word = token["word"].decode()
                    if word == "bin" and number and number > 0:
                        if self.groups[-1].binary is not None:
                            self.groups[-1].binary.append(data[at:at + number].hex().encode())
                        at += number
                    else:
                        self._word(word, number)
        finally:
            self._after(data[at:] if closed else b"")
            self._finish(main, closed=closed or data.rstrip(b"\0\r\n ").endswith(b"}"))

    def _after(self, rest: bytes) -> None:
        """Text behind the last brace, which Word does not show."""
        rest = rest.strip(b"\0\r\n \t}\x1a")
        if rest and (found := as_text(rest)) is not None:
            self.sink.text(found.text, Label.HIDDEN, "text")

    def _finish(self, main: Flow, *, closed: bool) -> None:
        self._decode()
        while len(self.groups) > 1:
            self._close()
        main.finish()
        if self.html:
            text = "".join(self.html)
            if text.strip():
                self.sink.embed(_mended(text).encode(), what="HTML body", declared="text/html")
        if closed and not self.inked and not self.objects and not self.binaries:
            self.sink.empty()
        if not closed or self.damaged > max(20, _DAMAGE_SHARE * self.shown) or 2 * self.damaged > self.shown:
            self.sink.partial("corrupt")

    # groups

    def _open(self) -> None:
        self._decode()
        self.skip = 0
        if len(self.groups) > _MAX_GROUPS:
            raise CannotRead("too_deep")
        self.groups.append(replace(self.groups[-1], owns_flow=False, ignorable=False, binary=None, destination=""))

    def _close(self) -> None:
        self._decode()
        self.skip = 0
        group = self.groups.pop()
        if group.binary is not None:
            self._binary(group.destination, b"".join(group.binary))
        if group.owns_flow:
            group.flow.finish()
        if group.destination == "fonttbl":
            self.font_entry = -1

    def _enter(self, word: str) -> None:
        """A destination begins in the current group."""
        group = self.groups[-1]
        group.destination = word
        if word in words.NOTHING or word == "fonttbl":
            group.silent = True
        elif word in _BINARY_DESTINATIONS:
            group.silent = True
            group.binary = []
        elif word == "htmltag":
            group.html_off = False
        elif not group.silent:
            label, where = words.FLOWS.get(word, (Label.TEXT, "other text"))
            if group.hidden and label is Label.TEXT:
                label = Label.HIDDEN
            group.flow = Flow(self.sink, label, where, drop_hex=word not in words.FLOWS,
                              need_letters=word == "sv")
            group.owns_flow = True
            group.hidden = False

    # tokens

    def _run(self, run: bytes) -> None:
        if self.skip:
            taken = min(self.skip, len(run))
            self.skip -= taken
            run = run[taken:]
        if run:
            self._bytes(run, skippable=False)

    def _bytes(self, raw: bytes, *, skippable: bool = True) -> None:
        if skippable and self.skip:
            self.skip -= 1
            return
        group = self.groups[-1]
        group.ignorable = False
        if group.binary is not None:
            group.binary.append(raw)
        elif self._in_font_table():
            return
        elif not group.silent:
            if group.codec != self.pending_codec:
                self._decode()
                self.pending_codec = group.codec
            self.pending += raw

    def _decode(self) -> None:
        if self.pending:
            text = self.pending.decode(self.pending_codec, "replace")
            self.pending.clear()
            self._text(text)

    def _text(self, text: str) -> None:
        group = self.groups[-1]
        if group.silent:
            return
        self.shown += len(text)
        self.inked = self.inked or not text.isspace()
        self.damaged += text.count("\ufffd") + sum(c < " " and c not in "\t\n" for c in text)
        if self.from_html and (group.destination == "htmltag" or group.flow is self.groups[0].flow):
            if not group.html_off:
                self.html.append(text)
                return
            if text.strip():
                group.flow.add(text, hidden=True)
            return
        group.flow.add(text, hidden=group.hidden)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self.groups[-1].ignorable = True
        elif symbol in words.SYMBOLS:
            if self.skip:
                self.skip -= 1
                return
            self._decode()
            self._text(words.SYMBOLS[symbol])
        elif symbol in "\r\n":
            self._word("par", None)

    def _word(self, word: str, number: int | None) -> None:
        group = self.groups[-1]
        if self.skip and word != "u":
            self.skip -= 1
            return
        if group.ignorable or word in words.FLOWS or word in words.NOTHING or word in _BINARY_DESTINATIONS \
                or word == "fonttbl":
            group.ignorable = False
            if word not in words.SAME_FLOW:
                self._decode()
                self._enter(word)
            return
        if word == "u" and number is not None:
            self._decode()
            self._text(chr(number & 0xFFFF))
            self.skip = group.uc
        elif word in words.CHARACTERS:
            self._decode()
            self._text(words.CHARACTERS[word])
        elif word in words.PARAGRAPH_ENDS or word in ("cell", "row", "nestcell", "nestrow", "pard", "intbl", "trowd"):
            self._decode()
            self._structure(word)
        else:
            self._property(group, word, number)

    def _structure(self, word: str) -> None:
        group = self.groups[-1]
        if group.silent:
            return
        if self.from_html and group.flow is self.groups[0].flow:
            if word in words.PARAGRAPH_ENDS and not group.html_off:
                self.html.append("\n")
            return
        group.flow.structure(word)

    def _property(self, group: _Group, word: str, number: int | None) -> None:
        if word == "f":
            self._font(group, number or 0)
        elif word == "fcharset":
            if self._in_font_table() and number != 1:
                self.fonts[self.font_entry] = words.CHARSETS.get(number or 0, self.document_codec)
        elif word == "cpg" and self._in_font_table():
            self.fonts[self.font_entry] = codec_of(number or 1252)
        elif word == "plain":
            self._decode()
            group.hidden = False
            group.codec = self.document_codec
        elif word in ("v", "deleted"):
            self._decode()
            group.hidden = number != 0
        elif word == "uc":
            group.uc = min(max(number if number is not None else 1, 0), 16)
        elif word in ("ansicpg", "ansi", "mac", "pc", "pca"):
            named = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850", "ansi": "cp1252"}
            codec = codec_of(number or 1252) if word == "ansicpg" else named[word]
            self.document_codec = codec
            for each in self.groups:
                each.codec = codec
        elif word == "fromhtml" and number != 0:
            self.from_html = True
        elif word == "htmlrtf":
            self._decode()
            group.html_off = number != 0

    def _font(self, group: _Group, number: int) -> None:
        if self._in_font_table():
            self.font_entry = number
            return
        codec = self.fonts.get(number, self.document_codec)
        if codec != group.codec:
            self._decode()
            group.codec = codec
        group.font = number

    def _in_font_table(self) -> bool:
        return any(group.destination == "fonttbl" for group in self.groups[-3:])

    # pictures and objects

    def _binary(self, destination: str, raw: bytes) -> None:
        self.binaries += 1
        digits = _NOT_HEX.sub(b"", raw)
        if len(digits) < 16:
            return
        if destination == "datafield":
            content = bytes.fromhex(digits[:len(digits) & ~1].decode())
            found = as_text(content)
            if found is not None and is_said(found.text):
                self.sink.text(found.text, Label.HIDDEN, "fields")
            return
        content = bytes.fromhex(digits[:len(digits) & ~1].decode())
        self.sink.spend(len(content), len(content))
        if destination == "pict":
            self.objects += embed_pictures(content, self.sink, "picture", self.objects + 1)
        elif destination == "objdata":
            self.objects += 1
            self._object(content)

    def _object(self, content: bytes) -> None:
        """An embedded object in OLE 1 form: version, kind, class, topic, item, data (MS-OLEDS 2.2)."""
        what = f"embedded {self.objects}"
        try:
            kind = struct.unpack_from("<I", content, 4)[0]
            name, at = _counted(content, 8)
            if kind == 1:
                self._link(content, at, what)
                return
            if kind == 2:
                _, at = _counted(content, at)
                _, at = _counted(content, at)
            else:
                at += 8
            size = struct.unpack_from("<I", content, at)[0]
            body = content[at + 4:at + 4 + size]
        except (struct.error, ValueError):
            self.sink.partial("corrupt")
            return
        if kind == 2 and name.casefold() == "package":
            give_native(b"\0\0\0\0" + body, self.sink, what)
        elif kind == 2 and body:
            embed_compound(body, self.sink, what)
        elif kind != 2 and body:
            embed_pictures(body, self.sink, "picture", self.objects)
        else:
            self.sink.partial("corrupt")


    def _link(self, content: bytes, at: int, what: str) -> None:
        """A linked object holds no data; topic and item name its file, where they are given."""
        with contextlib.suppress(struct.error, ValueError):
            topic, at = _counted(content, at)
            item, _ = _counted(content, at)
            self.sink.text(f"{topic} {item}", Label.LINK, what)


def _counted(data: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from("<I", data, at)[0]
    if at + 4 + size > len(data):
        raise ValueError
    return data[at + 4:at + 4 + size].rstrip(b"\0").decode("cp1252", "replace"), at + 4 + size


def _mended(text: str) -> str:
    """Surrogate halves from two \\u words joined; lone ones replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
