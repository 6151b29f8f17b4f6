"""Removal of secrets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.tracking.run_context import Redactor

SECRET = "".join(["not", "-to-be", "-seen"])

plain = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none() | st.just(f"before {SECRET} after"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(SECRET), inner),
)


@given(plain)
def test_no_secret_survives_redaction(value: Any) -> None:
    assert SECRET not in json.dumps(Redactor([SECRET, ""]).value(value))


def test_values_of_secret_names_and_urls_are_redacted() -> None:
    value = {"api_key": "abc", "url": "https://me:pw@host/x?y=1 and more", "epochs": 3, "token": ""}
    assert Redactor().value(value) == {
        "api_key": "***",
        "url": "https://***@host/x?*** and more",
        "epochs": 3,
        "token": "",
    }


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("at https://h/x?token=hidden&y=1#z, no", "at https://h/x?*** no"),
        ("https://h/x?hidden", "https://h/x?***"),
        ("url: /x?token=hidden (no route)", "url: /x?*** (no route)"),
        ("<a href='https://h/?sig=hidden'>", "<a href='https://h/?***>"),
        ("./photos/?.png", "./photos/?.png"),
        ("really? https://h/x", "really? https://h/x"),
        ("https://h/x?***", "https://h/x?***"),
    ],
)
def test_the_query_of_a_url_is_removed(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted
