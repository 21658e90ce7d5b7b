"""The shipped texts: each is sound by our own rules, fits one segment, and is found by the tags that people write."""

import pytest

from domain.shipped import SHIPPED, candidates, canonical
from domain.templates import CODE, MINUTES, faults, longest
from domain.text import measure


def test_there_are_texts_in_more_than_thirty_languages():
    assert len({tag.partition("-")[0] for tag in SHIPPED}) >= 30


@pytest.mark.parametrize("locale", SHIPPED)
def test_a_shipped_text_has_no_fault_and_fits_one_segment_with_the_longest_code(locale):
    text = SHIPPED[locale]
    assert (faults(text), text.count(CODE), text.count(MINUTES), measure(longest(text)).segments) == ([], 1, 1, 1)


def test_the_tags_are_spelled_as_they_are_looked_for():
    assert [canonical(locale) for locale in SHIPPED] == list(SHIPPED)


@pytest.mark.parametrize(
    ("locale", "spelled"),
    [
        ("DE", "de"),
        ("pt-br", "pt-BR"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("iw-IL", "he-IL"),
        ("no", "nb"),
        ("de-1996", "de-1996"),
    ],
)
def test_a_tag_has_one_spelling(locale, spelled):
    assert canonical(locale) == spelled


@pytest.mark.parametrize(
    ("locale", "tags"),
    [
        ("de-CH", ("de-CH", "de")),
        ("zh-TW", ("zh-TW", "zh-Hant", "zh")),
        ("zh-Hant-HK", ("zh-Hant-HK", "zh-Hant", "zh")),
        ("pt-AO", ("pt-AO", "pt-PT", "pt")),
        ("de-DE-x-foo", ("de-DE-x-foo", "de-DE", "de")),
    ],
)
def test_a_tag_is_shortened_from_its_end(locale, tags):
    assert candidates(locale) == tags
