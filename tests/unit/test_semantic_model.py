"""Cues, hashing and the weights file."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pii_scan.semantic import BadWeights, SemanticStage, cues
from pii_scan.semantic.encode import COMMON_BITS, Encoder, common_slot, cue_hashes, letter_hashes
from pii_scan.semantic.model import load
from pii_scan.semantic.stage import shipped_weights


@pytest.fixture
def encoder() -> Encoder:
    bits = np.zeros(1 << COMMON_BITS, np.uint8)
    for word in ("the", "budget", "report"):
        bits[common_slot(word)] = 1
    return Encoder(np.packbits(bits))


def strong(encoder: Encoder, text: str, *, distant: bool = False) -> set[str]:
    mask = int(encoder.encode([text]).masks[0])
    bits, _ = cues.told(mask, distant=distant)
    return {group for i, group in enumerate(cues.GROUPS) if bits >> i & 1}


@pytest.mark.parametrize(("text", "expected"), [
    pytest.param("his surgery is on Tuesday", {"health"}, id="health"),
    pytest.param("my wife passed away in May", {"family"}, id="a phrase"),
    pytest.param("she was laid off last week", {"work"}, id="work"),
    pytest.param("il est en arrêt de travail", {"health"}, id="French"),
    pytest.param("the surgery ward opens at nine", set(), id="no person"),
    pytest.param("the policy: an employee shall report surgery", set(), id="a policy speaks of nobody"),
])
def test_a_fact_needs_a_person_and_a_predicate(encoder: Encoder, text: str, expected: set[str]) -> None:
    assert strong(encoder, text) == expected


def test_news_and_bulk_mail_count_one_level_less(encoder: Encoder) -> None:
    assert strong(encoder, "his surgery is on Tuesday", distant=True) == set()


def test_a_phrase_does_not_cross_from_one_sentence_into_the_next(encoder: Encoder) -> None:
    one, two = encoder.encode(["they passed", "away from here"]).masks.tolist()
    assert not (one | two) & cues.BIT["strong.family"]


def test_any_name_looks_the_same_to_the_model(encoder: Encoder) -> None:
    a, b = encoder.encode(["Quesnel the budget", "Halvorsen the budget"]), encoder
    hashes = b.hashes[a.ids]
    assert hashes[0] == hashes[3]
    assert letter_hashes("~name") == []


def test_digits_are_shapes_and_no_number_is_kept() -> None:
    assert cues.tokens("call 604-555-0123 or 250.555.0199 in 2026") == [
        "call", "000-000-0000", "or", "000.000.0000", "in", "0000"]


@pytest.mark.parametrize("texts", [
    pytest.param(["his surgery", "", "d'accord - it's $5", "..."], id="walls between them"),
    pytest.param(["one\x1etwo", "three"], id="a wall inside one"),
    pytest.param([], id="none"),
])
def test_texts_cut_together_are_cut_as_one_by_one(texts: list[str]) -> None:
    assert cues.tokens_of(texts) == [cues.tokens(text) for text in texts]


def test_cue_pairs_of_a_sentence_do_not_collide() -> None:
    hashes = cue_hashes(0b10110)
    assert len(set(hashes)) == 3 + 3


def test_every_list_entry_is_reachable() -> None:
    lexicon = cues.lexicon()
    assert lexicon.mask("surgery") & cues.BIT["strong.health"]
    assert lexicon.mask("épileptique") & cues.BIT["strong.health"]
    assert any(rest == ("away",) for rest, _ in lexicon.phrases["passed"])


def test_the_shipped_weights_are_plain_small_and_hold_no_words() -> None:
    path = shipped_weights()
    assert path.stat().st_size < 6_000_000
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith(".npy"):
                assert np.lib.format.read_array(io.BytesIO(data), allow_pickle=False).dtype.kind in "fu"
            else:
                assert name == "meta.json"
                assert set(json.loads(data)) == {"format", "version", "features", "categories", "lines", "bias",
                                                 "trained_on"}


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    weights = load(shipped_weights())
    weights.save(tmp_path / "a.npz")
    weights.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert SemanticStage(tmp_path / "a.npz").version == SemanticStage().version


class Trap:
    """Running `__reduce__` would raise, so a test that passes shows that nothing was unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


def _damaged(kind: str, path: Path) -> None:
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif kind == "object array":
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.array([Trap()], object), allow_pickle=True)
        _with(path, "words.npy", buffer.getvalue())
    elif kind == "other format":
        _with(path, "meta.json", b'{"format": 99}')
    elif kind == "other features":
        meta = dict(load(shipped_weights()).meta)
        meta["features"] = ["x", *meta["features"][1:]]
        _with(path, "meta.json", json.dumps(meta).encode())
    elif kind == "cut short":
        path.write_bytes(shipped_weights().read_bytes()[:5000])
    elif kind == "odd table":
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.zeros(1000, np.float16))
        _with(path, "words.npy", buffer.getvalue())


def _with(path: Path, entry: str, data: bytes) -> None:
    with zipfile.ZipFile(shipped_weights()) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, data if name == entry else source.read(name))


@pytest.mark.parametrize("kind", ["pickle", "object array", "other format", "other features", "cut short", "odd table",
                                  "missing"])
def test_a_foreign_or_damaged_file_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    _damaged(kind, path)
    with pytest.raises(BadWeights) as caught:
        SemanticStage(path)
    assert str(caught.value).startswith("bad-semantic-weights")
