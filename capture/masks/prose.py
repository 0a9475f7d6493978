"""Running text, word by word: what is shown, and which words are somebody's name.

A word is shown when it is ordinary (capture/masks/words.py) and does not stand where a name stands. Everything else
is hidden: unknown words, names known from elsewhere in the item, words that are names too, the other half of a name,
what stands in a greeting or as a signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from capture.masks.people import People
from capture.masks.words import (
    ACRONYMS,
    MONTH_NAMES,
    PLAIN_CAPITALS,
    TITLES,
    folded,
    is_french,
    is_listed,
    is_ordinary,
    may_be_name,
)
from pii_scan.folding import word_set

_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e" \
             "\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
TOKEN = re.compile(rf"[^\W_][\w\u0300-\u036f{_INVISIBLE}]*(?:['’ʼ`´][^\W\d_]+)*")
_CAPITALS = re.compile(rf"(?<!\w)[A-Z\u00c0-\u00d6\u00d8-\u00de\u0100-\u024f\u1e00-\u1eff\u0370-\u052f]"
                       rf"[\w\u0300-\u036f{_INVISIBLE}]*(?:['’ʼ`´][^\W\d_]+)*")
_ODD = re.compile(rf"[\d_\u0300-\u036f{_INVISIBLE}]")
_APOSTROPHE = re.compile(r"['’ʼ`´]")
_GAP = re.compile(r"(?:[ \t\u00a0]{1,2}|\.[ \u00a0]?|-|\u2010|\u2011|,[ ])\Z")
_START = re.compile(r"(?:\A|[.!?:;\n•·*|\t][\s>\"'«“”(\[•*·-]*|(?:\d{1,3}[.)]|\s[-–—])[ \t]*)\Z")
_CODE = re.compile(r"\d{1,4}(?:st|nd|rd|th|e|er|ère|ème|am|pm|h|h\d\d|k|km|m|cm|mm|kg|g|mg|ml|l|s|x|w|v|gb|mb|min|"
                   r"mins|hrs?|"
                   r"days?|d)|[a-z]\d{1,2}|\d{1,2}[a-z]", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_ELIDED = word_set(
    "l d j n s t m c qu jusqu lorsqu puisqu quelqu aujourd y o")
_AFTER = word_set(
    "s t re ve ll d m am pm hui")

_GREETING = re.compile(
    r"^[ \t>|*]*(?:(?:hi|hello|hey|hiya|dear|morning|afternoon|evening|good (?:morning|afternoon|evening|day)|"
    r"attn|attention|"
    r"bonjour|bonsoir|salut|allô|allo|chère?s?|à l['’]attention de|to whom)[ ,:]+)(?P<who>[^\n,!:;.?–—]{1,60})",
    re.IGNORECASE | re.MULTILINE)
_VOCATIVE = re.compile(r"^[ \t>|*]*(?P<who>[^\W\d_][\w'’-]{0,24}(?:[ ](?:and|et|"
                       r"&)?[ ]?[^\W\d_][\w'’-]{0,24}){0,2})[ ]?(?:,|[ ][-–—]|[-–—])(?=[ ]|$)",
                       re.MULTILINE)
_CLOSING = re.compile(
    r"^[ \t>|*]*(?:(?:many |with |and )?thanks?(?: you)?(?: so much| very much| again| in advance)?|thx|"
    r"(?:kind(?:est)? |best |warm(?:est)? "
    r"|with )?(?:regards|wishes)|best|sincerely|yours(?: truly| sincerely| faithfully)?|cheers|respectfully|take "
    r"care|talk soon|"
    r"merci(?: beaucoup| d['’]avance| et .{1,30})?|(?:bien )?cordialement|salutations(?: distinguées)?|"
    r"sincèrement|bonne (?:journée|"
    r"soirée|semaine|fin de semaine)|à (?:bientôt|plus|demain)|amicalement|love|xo+|sent from my "
    r"\w{1,10})[ \t]*[,.!]*[ \t]*"
    r"\n(?:[ \t>|*]*\n){0,2}[ \t>|*]*(?P<who>[^\n]{1,50})$",
    re.IGNORECASE | re.MULTILINE)
_CLOSED_IN_LINE = re.compile(
    r"(?:^|[.!?,] )(?:thanks|thank you|thx|cheers|merci|regards|best|"
    r"love)[,!.]?[ ](?P<who>[^\W\d_]{1,20}(?:[ ][^\W\d_]{1,20})?)[.!]?[ \t]*$",
    re.IGNORECASE | re.MULTILINE)
_LAST = re.compile(r"(?:\A|\n)[ \t>|*~-]*(?P<who>[^\W\d_][\w'’.-]{0,20}(?:[ ][\w'’.-]{1,20}){0,2})[ \t.]*\n*\Z")
_EVERYBODY = word_set(
    "all team everyone everybody folks there both colleagues sir sirs madam madams guys gang friends friend "
    "again members member students student staff instructors participants parents tous toutes équipe chers "
    "chères cher chère collègues collègue madame monsieur mesdames messieurs and et or the a à my our de la le "
    "les l' to whom it may concern hiring panel committee manager office sir/madam morning afternoon evening "
    "mr mrs ms dr mme")
_VERBS = word_set(
    "is was has had said says called calls would could can asked asks wants wanted needs needed told sent did "
    "does came went got gets will and also just may likes thinks thought mentioned confirmed replied took "
    "takes est a était sera va veut peut dit demande")


_MODAL = word_set("will may can mark")
_SPACES = (" ", "\u00a0", "-")


@dataclass(frozen=True, slots=True)
class Word:
    """A hidden stretch of text: offsets, the folded names in it (none for a word that is only unknown), whether it
    is a person's for certain, and the code of the reason."""

    start: int
    end: int
    names: tuple[str, ...]
    certain: bool
    code: str


Ask = Callable[[str], Sequence[tuple[int, int]]]
"""The language model: text in, (start, end) of the persons named in it out."""


@dataclass(slots=True)
class _Token:
    start: int
    end: int
    low: str          # folded small letters of what decides
    cap: bool         # begins with a capital
    state: str        # "name" hidden as a name, "hide" hidden, "maybe" a name too, "plain" shown, "title", "initial"
    certain: bool = False
    code: str = "unknown-word"


def hidden(text: str, people: People | None, ask: Ask | None = None, *, letter: bool = False,
           signature: bool = False, quick: bool = False) -> list[Word]:
    """Return what is hidden in a piece of text, in order, names that stand together as one.

    `people` are the names known of the item, None while they are still being collected; then unknown small words
    are left out, because only names are wanted. `letter`: the text greets and is signed as a mail or letter is;
    `signature`: it is the signature of a mail. `quick`: look at words with a capital only, for collecting the names
    of something long.
    """
    tokens = _tokens(text, people, _CAPITALS if quick else TOKEN, french=is_french(text))
    _capitals(text, tokens, letter=letter)
    if letter or signature:
        _called(text, tokens, signature=signature)
    if ask is not None:
        _asked(text, tokens, ask(text))
    _neighbours(text, tokens)
    return list(_joined(text, tokens))


def _tokens(text: str, people: People | None, pattern: re.Pattern[str], *, french: bool) -> list[_Token]:
    found: list[_Token] = []
    collecting = people is None
    for m in pattern.finditer(text):
        word = m.group()
        if word.islower() and word.isalpha():
            known = people is not None and not is_listed(word) and people.knows(folded(word))
            if is_ordinary(word) and not known:
                state = "plain"
            elif known:
                state = "name"
            elif collecting or (french and word.isalpha()):
                state = "plain"
            else:
                state = "hide"
            found.append(_Token(m.start(), m.end(), folded(word), cap=False, state=state))
            continue
        found.append(_other(m, word, people, french=french, collecting=collecting))
    return found


def _other(m: re.Match[str], word: str, people: People | None, *, french: bool, collecting: bool) -> _Token:
    """A word that is not all small letters: capitals, apostrophes, digits, odd marks."""
    start, end = m.span()
    if _ODD.search(word):
        if word.isdecimal():
            return _Token(start, end, word, cap=False, state="plain")
        letters = _LETTERS.findall(word)
        shown = _CODE.fullmatch(word) or (sum(map(str.isdecimal, word)) <= 4 and "_" not in word and letters
                                          and len("".join(letters) + "".join(filter(str.isdecimal, word))) == len(word)
                                          and all(x.lower() in ACRONYMS and len(x) > 1 for x in letters))
        return _Token(start, end, folded(word), cap=False, state="plain" if shown else "hide")
    pieces = _APOSTROPHE.split(word)
    while len(pieces) > 1 and pieces[0].lower() in _ELIDED and pieces[0] != "O" \
            and (pieces[0].islower() or len(pieces[0]) == 1):
        pieces = pieces[1:]
    tail = len(pieces) > 1 and pieces[-1].lower() in _AFTER
    core = pieces[:-1] if tail else pieces
    if len(core) > 1:  # O'Brien, or two words a mark stands between
        plain = all(is_ordinary(p.lower()) and not p[:1].isupper() for p in core)
        return _Token(start, end, folded("".join(core)), cap=not plain, state="plain" if plain else "name")
    bare = core[0]
    low = bare.lower()
    key = folded(bare)
    known = people is not None and people.knows(key)
    if not bare[:1].isupper():
        if is_ordinary(low) and not (known and not is_listed(low)):
            state = "plain"
        else:
            state = "name" if known else ("plain" if collecting or (french and bare.isalpha()) else "hide")
        return _Token(start, end, key, cap=False, state=state)
    if len(bare) == 1:
        return _Token(start, end, key, cap=True, state="plain" if low in ("i", "a", "à", "y", "ô") else "initial")
    if low in TITLES:
        return _Token(start, end, key, cap=True, state="title")
    if bare.isupper() and low in ACRONYMS:
        return _Token(start, end, key, cap=True, state="plain")
    certain = people is not None and people.certain(key)
    if known and (not is_listed(low) or (certain and low not in MONTH_NAMES)):
        return _Token(start, end, key, cap=True, state="name", certain=certain, code="name")
    if is_ordinary(low):
        return _Token(start, end, key, cap=True, state="maybe" if may_be_name(low) else "plain")
    return _Token(start, end, key, cap=True, state="name")


def _capitals(text: str, tokens: list[_Token], *, letter: bool) -> None:
    """Decide on words that are names too: hidden unless they begin a sentence, or are a month beside a number."""
    for i, t in enumerate(tokens):
        if t.state != "maybe":
            continue
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        before = tokens[i - 1] if i else None
        initial = before is not None and before.state == "initial" and text[before.end:t.start] in (". ", " ", ".")
        begins = _begins(text, t) and not _wraps(text, t.start) and not initial
        alone = _alone(text, t)
        followed = after is not None and after.start - t.end == 1 and after.low in _VERBS and t.low not in _MODAL
        if t.low in MONTH_NAMES and not alone and not followed:
            t.state = "plain"
            continue
        spoken_to = letter and i == 0 and after is not None and not after.cap and t.low not in _MODAL
        spoken_to |= text[t.end:t.end + 1] == "," and t.low not in _MODAL
        if begins and not alone and not followed and not spoken_to and text[t.end:t.end + 2] not in ("'s", "’s"):
            t.state = "plain"
        else:
            t.state, t.code = "name", "name-too"


def _wraps(text: str, start: int) -> bool:
    """Whether the line before a word that begins a line goes on in this line."""
    head = text[max(0, start - 200):start]
    line = head.rstrip(" \t>|*")
    if not line.endswith("\n"):
        return False
    before = line[:-1]
    last = before[before.rfind("\n") + 1:].strip(" \t>|")
    return len(last) >= 50 and last[-1] not in ".!?:;"


def _alone(text: str, t: _Token) -> bool:
    a = text.rfind("\n", max(0, t.start - 60), t.start) + 1
    b = text.find("\n", t.end, t.end + 60)
    rest = (text[a:t.start] + text[t.end:b if b >= 0 else min(len(text), t.end + 60)]).strip(" \t>|*,.!-–—")
    return not rest


def _called(text: str, tokens: list[_Token], *, signature: bool) -> None:
    """Hide whom a greeting names and who signs."""
    spots: list[tuple[int, int, str]] = []
    for m in _GREETING.finditer(text):
        words = TOKEN.findall(m["who"])
        spots += [(*m.span("who"), "greeting")] if len(words) <= 4 else []
    for m in _VOCATIVE.finditer(text):
        if m["who"][:1].isupper():
            spots.append((*m.span("who"), "vocative"))
    for pattern in (_CLOSING, _CLOSED_IN_LINE):
        for m in pattern.finditer(text):
            if len(TOKEN.findall(m["who"])) <= 4:
                spots.append((*m.span("who"), "signed"))
    last = _LAST.search(text, max(0, len(text) - 90))
    if last and (len(TOKEN.findall(last["who"])) == 1 or all(w[:1].isupper() for w in TOKEN.findall(last["who"]))):
        spots.append((*last.span("who"), "signed"))
    if signature:
        head = re.match(r"[\s>*|~_=-]*(?P<who>[^\n]{1,50})", text)
        spots += [(*head.span("who"), "signed")] if head and len(TOKEN.findall(head["who"])) <= 4 else []
    for start, end, code in spots:
        for t in _within(tokens, start, end):
            if (t.low in _EVERYBODY and not (code == "signed" and t.cap)) or t.state == "title" or t.low.isdecimal():
                continue
            if code == "vocative" and t.state == "plain":
                continue
            if code == "greeting" and not t.cap and t.state == "plain" and is_listed(t.low) and not may_be_name(t.low):
                continue
            if code == "signed" and t.low in PLAIN_CAPITALS and t.cap:
                continue
            t.state, t.certain, t.code = "name", True, code


def _within(tokens: list[_Token], start: int, end: int) -> list[_Token]:
    from bisect import bisect_left

    i = bisect_left(tokens, start, key=lambda t: t.start)
    found = []
    while i < len(tokens) and tokens[i].start < end:
        found.append(tokens[i])
        i += 1
    return found


def _asked(text: str, tokens: list[_Token], spans: Sequence[tuple[int, int]]) -> None:
    """Hide what the language model takes for a person: capitalised words, sentence beginnings only with more."""
    for start, end in _on_lines(text, spans):
        inside = [t for t in _within(tokens, start, end) if t.cap]
        strong = [t for t in inside if t.state in ("name", "maybe", "initial") or t.low not in PLAIN_CAPITALS]
        for t in strong:
            if t.state == "plain" and not may_be_name(t.low) and _begins(text, t):
                continue
            if t.state == "plain" and t.low in ACRONYMS:
                continue
            if t.low in MONTH_NAMES and not any(o.state == "name" for o in inside):
                continue
            if t.state in ("plain", "maybe") and not any(o.state == "name" for o in inside) and not may_be_name(t.low):
                continue
            if t.state != "title":
                t.state, t.code = "name", "language-model"
                t.certain = True


def _on_lines(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans cut at line breaks: the model runs on over them."""
    for start, end in spans:
        for piece in re.finditer(r"[^\n]+", text[start:end]):
            yield start + piece.start(), start + piece.end()


def _begins(text: str, t: _Token) -> bool:
    """Whether a word begins a sentence or a line."""
    return bool(_START.search(text, max(0, t.start - 40), t.start)) or not text[:t.start].strip()


def _neighbours(text: str, tokens: list[_Token]) -> None:
    """Hide the other half of a name, initials beside names, and whoever follows a title."""
    for i, t in enumerate(tokens):
        nxt = tokens[i + 1] if i + 1 < len(tokens) else None
        if nxt is None or not _GAP.match(gap := text[t.end:nxt.start]):
            continue
        if t.state == "title" and nxt.cap and nxt.low not in PLAIN_CAPITALS and nxt.state != "title" and "," not in gap:
            nxt.state, nxt.certain, nxt.code = "name", True, "after-title"
        if gap == ", " and t.cap and t.state in ("plain", "maybe") and nxt.cap and nxt.state == "name" and nxt.certain \
                and may_be_name(t.low):
            t.state, t.code = "name", "beside-name"
        if t.state == "name" and t.cap and nxt.cap and nxt.state in ("plain", "maybe") and gap in _SPACES \
                and nxt.low not in PLAIN_CAPITALS and nxt.low not in ACRONYMS:
            nxt.state, nxt.code = "name", "beside-name"
        elif nxt.state == "name" and nxt.cap and t.cap and t.state in ("plain", "maybe") and gap in _SPACES \
                and t.low not in PLAIN_CAPITALS and t.low not in ACRONYMS \
                and (t.state == "maybe" or may_be_name(t.low) or not _begins(text, t)):
            t.state, t.code = "name", "beside-name"
        if gap == "-" and t.state != nxt.state and {"name", "hide"} & {t.state, nxt.state} and (t.cap or nxt.cap):
            t.state = nxt.state = "name"
    for i, t in enumerate(tokens):
        if t.state != "initial":
            continue
        around = [tokens[j] for j in (i - 1, i + 1, i + 2) if 0 <= j < len(tokens)]
        near = any(o.state == "name" and (abs(o.start - t.end) <= 6 or abs(t.start - o.end) <= 3) for o in around)
        t.state = "name" if near or _alone(text, t) or text[t.end:t.end + 1] == "." else "plain"


def _joined(text: str, tokens: list[_Token]) -> Iterator[Word]:
    run: list[_Token] = []

    def done() -> Word:
        names = tuple(t.low for t in run if len(t.low) > 1)
        certain = any(t.certain for t in run)
        return Word(run[0].start, run[-1].end, names, certain,
                    next((t.code for t in run if t.certain), run[0].code))

    for t in tokens:
        if run and (t.state != "name" or not _GAP.match(text[run[-1].end:t.start]) or "," in text[run[-1].end:t.start]
                    or (text[run[-1].end:t.start].startswith(".") and len(run[-1].low) > 2)):
            yield done()
            run = []
        if t.state == "name":
            run.append(t)
        elif t.state == "hide":
            yield Word(t.start, t.end, (), certain=False, code="unknown-word")
    if run:
        yield done()
