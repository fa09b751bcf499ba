"""Which topics a pattern stands for, and which patterns are read alike by librdkafka (POSIX) and by Python."""

from __future__ import annotations

import ctypes
import itertools

import pytest

from streamer.config.topic_patterns import check_pattern, literal, matches, resolved_names, stands_for

NAMES = ["inferences", "inferences-a", "inferences-b2", "x.y", "xzy", "aab", "__consumer_offsets", "eu-in", "in_2"]
GOOD = [
    "^inferences-.*", "^inferences-[a-z]$", r"^x\.y", "^x.y$", "^(a|eu)+", "^[^ix]+", "^a{1,2}b?", "^in[a-z_]*[0-9]?$",
    "^.*", "^(in|eu)(_|-)", "^(inferences|aab$)", "^[a-z-]+$", "^_.*",
]  # fmt: skip
BAD = [
    "^", "^(", "^a)", "^a(", "^()", "^a|b", "^(a|)", "^(|a)", "^*a", "^a**", "^a*?", "^a++", r"^\d", r"^a\w", "^(?:a)",
    "^[", "^[]", "^[[:alpha:]]", "^[z-a]", "^a{2,1}", "^a{,2}", "^a{x}", "^a b", "^a^b", "^a$b", "^ä", "^a/b", "^a\\",
    "^(a", "^a\n",
]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_the_regex_of_the_c_library_which_librdkafka_uses_finds_the_same_names(pattern: str) -> None:
    library, room = ctypes.CDLL(None), ctypes.create_string_buffer(1024)
    extended_without_places = 1 | 8  # REG_EXTENDED | REG_NOSUB of glibc
    assert library.regcomp(room, check_pattern(pattern).encode(), extended_without_places) == 0
    posix = [name for name in NAMES if library.regexec(room, name.encode(), 0, None, 0) == 0]
    library.regfree(room)
    assert [name for name in posix if not name.startswith("__")] == [name for name in NAMES if matches(pattern, name)]


@pytest.mark.parametrize("pattern", BAD)
def test_what_the_two_do_not_both_read_is_refused_in_one_sentence(pattern: str) -> None:
    with pytest.raises(ValueError, match="^(no topic pattern|only the first)"):
        check_pattern(pattern)
    assert not stands_for(pattern, "a")


def test_whatever_is_put_together_is_refused_or_compiles_in_both() -> None:
    library, room, taken = ctypes.CDLL(None), ctypes.create_string_buffer(1024), 0
    for parts in itertools.product(["a", ".", "(", ")", "|", "*", "{2}", "$", "[a-b]"], repeat=4):
        text = "^" + "".join(parts)
        try:
            check_pattern(text)
        except ValueError:
            continue
        taken += 1
        assert library.regcomp(room, text.encode(), 9) == 0, text
        for name in ("a", "aa", "aab", "ba", "c"):
            assert (library.regexec(room, name.encode(), 0, None, 0) == 0) == matches(text, name), (text, name)
        library.regfree(room)
    assert taken > 100


def test_names_stand_first_and_internal_topics_never_match() -> None:
    assert resolved_names(["z", "^in.*", "gone"], NAMES) == [
        "z",
        "gone",
        "in_2",
        "inferences",
        "inferences-a",
        "inferences-b2",
    ]
    assert not matches("^_.*", "__consumer_offsets")
    assert not stands_for("inferences", "inferences"), "a name is no pattern"
    assert not stands_for(7, "7")


def test_what_all_names_begin_with_is_what_a_right_is_for() -> None:
    found = {p: literal(p) for p in ("^inferences-.*", r"^a\.b-[0-9]+", "^ab*", "^.*", "^(a|b)", "^ab{0,1}c", "^ab+")}
    assert list(found.values()) == ["inferences-", "a.b-", "a", "", "", "a", "ab"]
