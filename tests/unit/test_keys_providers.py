"""The master key: where it comes from, and that a wrong one is told at once."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from stores import MASTER, opened

from store.crypto import Keys
from store.errors import ContentUnreadable, KeyMissing, KeyUnsafe, KeyWrong
from store.keys import PROVIDERS, provider
from store.keys.file import FileKey
from store.keys.text import check_value, read_line, read_text, write_text
from store.vault import check, check_key

ENCODED = base64.b64encode(MASTER).decode()


def place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the test key where the provider looks, and return its location."""
    if name == "file":
        path = tmp_path / "master.key"
        path.touch(0o600)
        path.write_text(write_text(MASTER))
        return str(path)
    monkeypatch.setenv("MAILWEIR_MASTER_KEY", f"{ENCODED}:{check_value(MASTER)}")
    return ""


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_gives_the_key(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provider(name, place(name, tmp_path, monkeypatch)).load() == MASTER


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_says_when_there_is_no_key(name: str, tmp_path: Path) -> None:
    location = str(tmp_path / "nothing") if name == "file" else ""
    with pytest.raises(KeyMissing):
        provider(name, location).load()


def test_an_unknown_provider_names_the_known_ones() -> None:
    with pytest.raises(KeyMissing, match="env, file"):
        provider("vault", "")


def test_a_new_key_file_is_readable_by_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    file = FileKey(str(tmp_path / "master.key"))
    key = file.create()
    assert file.load() == key
    assert len(key) == 32
    with pytest.raises(KeyUnsafe):
        file.create()
    assert file.load() == key
    if os.name == "posix":
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = FileKey(str(tmp_path / "master.key"))
    file.create()
    file.path.chmod(mode)
    with pytest.raises(KeyUnsafe, match=f"{mode:04o}"):
        file.load()


TEXT = write_text(MASTER)


@pytest.mark.parametrize("damaged", [
    pytest.param("", id="empty"),
    pytest.param(ENCODED, id="without version line"),
    pytest.param(TEXT.replace("key 1", "key 2"), id="another version"),
    pytest.param(TEXT.replace(ENCODED, ENCODED[:-8]), id="cut"),
    pytest.param(TEXT.replace(ENCODED, "B" + ENCODED[1:]), id="one letter changed"),
    pytest.param(TEXT.replace(ENCODED, "not base64!"), id="no base64"),
    pytest.param("\n".join(TEXT.splitlines()[:2]), id="without check line"),
])
def test_a_damaged_key_is_told_and_not_shown(damaged: str) -> None:
    with pytest.raises(KeyWrong) as told:
        read_text(damaged)
    assert ENCODED[:12] not in str(told.value)


def test_a_key_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyWrong):
        FileKey(str(path)).load()


def test_a_key_on_one_line_may_carry_its_check_value() -> None:
    assert read_line(ENCODED) == read_line(f" {ENCODED}:{check_value(MASTER).upper()}\n") == MASTER
    with pytest.raises(KeyWrong, match="check value"):
        read_line(f"{ENCODED}:00000000")


def test_the_wrong_key_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _):
        other = Keys(bytes(32))
        with pytest.raises(KeyWrong, match=Keys(MASTER).id):
            check_key(db, other)
        with pytest.raises(KeyWrong):
            check(db, other)
        check(db, Keys(MASTER))
    with pytest.raises(KeyWrong), opened(tmp_path, master=bytes(32)):
        pytest.fail("prepared with the wrong key")


def test_keys_of_different_purposes_differ_and_stay_the_same() -> None:
    keys = Keys(MASTER)
    purposes = ("data-key", "engine-serializer", "item", "source", "content", "verifier", "locator")
    assert len({keys.derive(p) for p in purposes}) == len(purposes)
    assert MASTER not in {keys.derive(p) for p in purposes}
    # stored formats: these values may not change without a migration
    assert keys.id == "bcb5890150ab9b04"
    assert keys.derive("data-key").hex()[:16] == "b791da7e0afef810"
    assert keys.verifier()[:16] == "84d1a5789c1d414f"


def test_hashed_parts_do_not_run_into_each_other() -> None:
    keys = Keys(MASTER)
    assert keys.digest("item", b"ab", b"c") != keys.digest("item", b"a", b"bc")
    assert keys.digest("item", b"a") != keys.digest("source", b"a")


def test_sealed_bytes_open_only_where_they_belong() -> None:
    keys = Keys(MASTER)
    sealed = keys.seal("locator", "row/1", b"secret")
    assert keys.unseal("locator", "row/1", sealed) == b"secret"
    assert b"secret" not in sealed
    assert sealed != keys.seal("locator", "row/1", b"secret")
    with pytest.raises(ContentUnreadable):
        keys.unseal("locator", "row/2", sealed)
    with pytest.raises(ContentUnreadable):
        keys.unseal("data-key", "row/1", sealed)
    with pytest.raises(KeyWrong):
        Keys(bytes(32)).unseal("locator", "row/1", sealed)


@pytest.mark.parametrize("position", [0, 9, 21, -1])
def test_a_changed_byte_is_found(position: int) -> None:
    keys = Keys(MASTER)
    key, wrapped = keys.new_data_key("row/1")
    sealed = bytearray(key.seal("row/1", b"secret"))
    sealed[position] ^= 1
    with pytest.raises(ContentUnreadable):
        keys.data_key("row/1", wrapped).unseal("row/1", bytes(sealed))


def test_what_is_cut_short_does_not_open() -> None:
    with pytest.raises(ContentUnreadable):
        Keys(MASTER).new_data_key("row/1")[0].unseal("row/1", b"\x01" * 20)


def test_keys_show_nothing_of_themselves() -> None:
    keys = Keys(MASTER)
    assert repr(keys) == f"Keys({keys.id})"
    assert repr(keys.new_data_key("row/1")[0]) == "DataKey(...)"
