import pytest
from pydantic import ValidationError

from support.settings import section


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("wandb-registry-model/digits", "wandb-registry-model/digits"),
        ("Some Company/wandb-registry-model/digits", "Some Company/wandb-registry-model/digits"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_registry_path_is_a_registry_and_a_collection(value: str | None, path: str) -> None:
    assert section("wandb", link_to=value).link_to == path


@pytest.mark.parametrize(
    "value", ["digits", "wandb-registry-model/", "/digits", "a/b/c/d", "a/b:production", "a/ "]
)
def test_another_registry_path_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="is not a registry path; give <registry>/"):
        section("wandb", link_to=value)


@pytest.mark.parametrize(
    ("value", "aliases"),
    [
        ("production small", ("production", "small")),
        ("v1", ("v1",)),
        ("", ()),
        (None, ()),
        (["a", "b c"], ("a", "b c")),
    ],
)
def test_aliases_are_a_list_or_the_words_of_a_text(
    value: str | list[str] | None, aliases: tuple[str, ...]
) -> None:
    assert section("wandb", link_aliases=value).link_aliases == aliases


@pytest.mark.parametrize("alias", ["a/b", "a:b", "", " "])
def test_an_alias_that_wandb_does_not_accept_is_refused(alias: str) -> None:
    with pytest.raises(ValidationError, match="must be a text without"):
        section("wandb", link_aliases=[alias])
