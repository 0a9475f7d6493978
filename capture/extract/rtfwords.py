"""Control words of RTF that matter for reading. Source: Rich Text Format Specification 1.9.1."""

from __future__ import annotations

from pii_scan.text import Label

CHARACTERS = {
    "tab": "\t", "line": "\n", "emdash": "\u2014", "endash": "\u2013", "lquote": "\u2018", "rquote": "\u2019",
    "ldblquote": "\u201c", "rdblquote": "\u201d", "bullet": "\u2022", "emspace": "\u2003", "enspace": "\u2002",
    "qmspace": "\u2005", "zwj": "\u200d", "zwnj": "\u200c", "zwbo": "\u200b", "zwnbo": "\u2060", "softline": "\n",
}
SYMBOLS = {"~": "\u00a0", "-": "\u00ad", "_": "\u2011", "\\": "\\", "{": "{", "}": "}"}
PARAGRAPH_ENDS = frozenset({"par", "sect", "page", "column", "softpage"})

NOTHING = frozenset({
    "colortbl", "stylesheet", "listtable", "listoverridetable", "rsidtbl", "rsid", "generator", "themedata",
    "colorschememapping", "latentstyles", "datastore", "xmlnstbl", "nonshppict", "pnseclvl", "pntxta", "pntxtb",
    "blipuid", "bkmkstart", "bkmkend", "panose", "falt", "wgrffmtfilter", "mmathPr", "fchars", "lchars", "ftnsep",
    "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "objalias", "passwordhash", "hsv", "listname", "levelnumbers",
    "leveltext", "fontemb", "oleclsid", "protusertbl", "defchp", "defpap", "filetbl", "picprop", "atnref",
    "atrfstart", "atrfend", "sn", "pgptbl", "nextfile", "shpgrp_",
})
"""Destinations that hold no text of the document."""

FLOWS: dict[str, tuple[Label, str]] = {
    **dict.fromkeys(("header", "headerl", "headerr", "headerf"), (Label.MARGIN, "header")),
    **dict.fromkeys(("footer", "footerl", "footerr", "footerf"), (Label.MARGIN, "footer")),
    "footnote": (Label.NOTE, "footnote"), "annotation": (Label.NOTE, "comment"),
    **dict.fromkeys(("atnauthor", "atnid", "revtbl", "docvar", "propname", "staticval", "linkval", "title", "subject",
                     "author", "manager", "company", "operator", "category", "keywords", "comment", "doccomm",
                     "hlinkbase", "ffname", "ffdeftext", "ffhelptext", "ffstattext", "ffl", "template", "xmlattrvalue",
                     "creatim", "revtim"), (Label.PROPERTY, "properties")),
    **dict.fromkeys(("fldinst", "hlsrc", "hlloc", "hlfr", "objclass", "objname"), (Label.LINK, "fields")),
    **dict.fromkeys(("xe", "tc"), (Label.HIDDEN, "index entry")),
    "sv": (Label.PROPERTY, "shapes"), "shptxt": (Label.TEXT, "text box"), "upr_": (Label.TEXT, ""),
}
"""Destination -> role and place of its text, which is apart from the text around it."""

SAME_FLOW = frozenset({
    "rtf", "field", "fldrslt", "fldtype", "shp", "shpinst", "shprslt", "shppict", "sp", "object", "result", "listtext",
    "pntext", "pn", "info", "ud", "upr", "userprops", "formfield", "bkmkpub", "mmath", "do", "dptxbxtext", "background",
    "moMath", "moMathPara", "nesttableprops", "nonesttables", "shpgrp", "txfieldtext", "cs",
})
"""Destinations whose text belongs to the text around them."""

CHARSETS = {
    0: "cp1252", 2: "cp1252", 77: "mac_roman", 78: "shift_jis", 79: "euc_kr", 80: "gb2312", 81: "big5",
    83: "mac_roman", 85: "mac_greek", 86: "mac_turkish", 88: "mac_latin2", 89: "mac_cyrillic", 128: "cp932",
    129: "cp949", 130: "johab", 134: "cp936", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437",
    255: "cp850",
}
"""Font character set -> codec; 1 (default) is left to the document."""

