"""No place of an HTML page is left out unread: attributes, style sheets, comments, templates, tables, leftovers."""

from __future__ import annotations

import base64
import time

import pytest

from tests.support.inprocess import read, text

CANARY = "SIN 130 692 544, date of birth 1987-04-23"
ENCODED = base64.b64encode(CANARY.encode()).decode()
TABLE = "<table>{}<tr><td>Date</td><td>Cost</td></tr><tr><td>May</td><td>5{}</td></tr></table>"


def page(markup: str) -> bytes:
    return (b"From: a@example.org\nTo: b@example.org\nSubject: roof\nContent-Type: text/html; charset=utf-8\n\n"
            + markup.encode())


def found(markup: str) -> bool:
    return "130692544" in "".join(c for c in text(read(page(markup))) if c.isdigit())


@pytest.mark.parametrize("markup", [
    f'<p data-note="{CANARY}">Hi</p>', f'<p aria-description="{CANARY}">Hi</p>', f'<a name="{CANARY}">Hi</a>',
    '<p sin="130 692 544">Hi</p>', '<img src="https://x.example/p?sin=130692544">Hi', f'<p class="{CANARY}">Hi</p>',
    '<table background="https://x.example/?sin=130692544"><tr><td>Hi</td></tr></table>', f"<p>Hi</p><{CANARY}>",
    '<p>Hi</p><video poster="https://x.example/?sin=130692544"></video>', f'<embed flashvars="{CANARY}">Hi',
    f'<p>Hi</p><math alttext="{CANARY}"><mi>x</mi></math>', "<p>Hi</p><sin-130-692-544>x</sin-130-692-544>",
    "<p sin-130-692-544>Hi</p>", f'<p>Hi <a title="{CANARY}'], ids=range(14))
def test_attributes_are_read(markup: str) -> None:
    assert found(markup)


@pytest.mark.parametrize("markup", [
    f'<style>p:after{{content:"{CANARY}"}}</style><p>Hi</p>', f"<style>/* {CANARY} */</style><p>Hi</p>",
    f"<style>/* {CANARY}", f'<style>p{{background:url(data:text/plain;base64,{ENCODED})}}</style><p>Hi</p>',
    f'<div style="background:url(data:text/plain;base64,{ENCODED})">Hi</div>'], ids=range(5))
def test_style_sheets_are_read(markup: str) -> None:
    assert found(markup)


@pytest.mark.parametrize("markup", [
    f'<p>Hi</p><!-- <img alt="{CANARY}"> -->', f"<p>Hi</p><!--[if mso]><xml><o:A>{CANARY}</o:A></xml><![endif]-->",
    f'<p>Hi</p><!--[if gte vml 1]><v:shape alt="{CANARY}"/><![endif]-->', f"<p>Hi</p></{CANARY}>",
    "<p>Hi</p><!-- <p>SIN 130 <b>69</b>2 544</p> -->", f'<p>Hi</p><template><img alt="{CANARY}"></template>',
    f"<p>Hi</p><template>{CANARY}</template>", f"<p>Hi</p><? note {CANARY} ?>", f"<p>Hi</p><!{CANARY}>",
    f'<!DOCTYPE html [<!ENTITY x "{CANARY}">]><p>Hi</p>', f"<p>Hi</p><iframe>{CANARY}</iframe>"], ids=range(11))
def test_what_a_parser_does_not_show_is_read(markup: str) -> None:
    assert found(markup)


@pytest.mark.parametrize("inside", [
    f"<!-- {CANARY} -->", f"<template>{CANARY}</template>", f'<span aria-label="{CANARY}"></span>',
    f'<iframe srcdoc="{CANARY}"></iframe>', f"<style>/*{CANARY}*/</style>", f'<a href="data:text/plain,{CANARY}">x</a>',
    f'<label placeholder="{CANARY}">x</label>'], ids=range(7))
def test_tables_of_data_hide_nothing(inside: str) -> None:
    assert found(TABLE.format("", inside))


def test_captions_of_tables_are_read() -> None:
    assert found(TABLE.format(f"<caption>{CANARY}</caption>", ""))


@pytest.mark.parametrize("piece", ["<!a", "</a b", "<!--", "<style>", "/*a", "<?x", '<a b="',
                                   "<!DOCTYPE [", "url(data:"])
def test_unfinished_markup_costs_linear_time(piece: str) -> None:
    started = time.process_time()
    read(page(f"<p>Hi</p><!-- {piece * 60_000} --><style>{piece * 60_000}"))
    assert time.process_time() - started < 5


def test_addresses_of_pictures_and_layout_stay_out() -> None:
    shown = text(read(page('<p class="x y" style="color:red" id="m_-8512345678901234567">Hi</p>'
                           '<img src="https://x.example/1234567890123/logo.png" width="130692544">')))
    assert "x.example" not in shown
    assert "130692544" not in shown
    assert "8512345678901234567" not in shown
