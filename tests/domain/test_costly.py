"""Why a text costs what it costs."""

from hypothesis import given
from hypothesis import strategies as st

from domain.costly import Dear, Explanation, explain
from domain.text import Encoded, measure


def test_a_plain_text_has_nothing_dear() -> None:
    assert explain("493812 is your code.") == Explanation(Encoded("GSM-7", 20, 1), "", (), 1, ())


def test_one_foreign_character_forces_the_whole_message_into_ucs_2() -> None:
    text = "Şifre: 493812. " + "x" * 60 + " ŞÅ"
    assert explain(text) == Explanation(
        Encoded("UCS-2", 78, 2),
        "forces UCS-2",
        (Dear("Ş", 2, "U+015E LATIN CAPITAL LETTER S WITH CEDILLA"),),
        1,
        (67,),
    )


def test_a_character_of_the_extension_table_counts_twice() -> None:
    text = "€" + "x" * 157 + "[€"
    assert explain(text) == Explanation(
        Encoded("GSM-7", 163, 2),
        "counts twice",
        (Dear("€", 2, "U+20AC EURO SIGN"), Dear("[", 1, "U+005B LEFT SQUARE BRACKET")),
        1,
        (152,),
    )


def test_a_character_of_two_units_is_not_cut_in_two() -> None:
    assert explain("x" * 66 + "😀" + "x" * 10).cuts == (66,)


def test_a_long_text_is_simply_long() -> None:
    assert explain("x" * 307) == Explanation(Encoded("GSM-7", 307, 3), "", (), 3, (153, 306))


def test_a_character_without_a_name_has_its_number() -> None:
    assert explain("\x07").dear == (Dear("\x07", 1, "U+0007"),)


@given(st.text(alphabet=st.sampled_from("ab €[Ş😀\n"), max_size=400))
def test_there_is_a_cut_between_each_two_segments(text: str) -> None:
    explained = explain(text)
    assert explained.encoded == measure(text)
    assert len(explained.cuts) == explained.encoded.segments - 1
    assert explained.segments_without <= explained.encoded.segments
