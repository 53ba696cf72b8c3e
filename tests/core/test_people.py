from hypothesis import given
from hypothesis import strategies as st

from anclaf.core.people import digests, is_digest, is_unnamed, person_digest, person_key, unnamed


def test_a_digest_is_as_it_is_stated():
    # printf 'zoë kravitz' | sha256sum | cut -c-16
    assert person_digest("Zoë  KRAVITZ") == "e51c5033132a111a"


@given(st.text(), st.text())
def test_two_spellings_of_one_name_have_one_digest_and_no_others(one: str, other: str):
    if not (is_unnamed(one) or is_unnamed(other)):
        assert (person_digest(one) == person_digest(other)) == (person_key(one) == person_key(other))
    assert is_digest(person_digest(one))
    assert is_unnamed(person_digest(one)) == is_unnamed(one)


def test_nobodys_clips_stay_apart_and_are_known_as_nobodys():
    assert person_digest(unnamed("A.mp4")) != person_digest(unnamed("a.mp4"))
    assert is_unnamed(person_digest(unnamed("a.mp4")))


def test_names_that_are_no_text():
    assert is_digest(person_digest("\udcfc"))


def test_what_is_no_digest():
    assert not any(map(is_digest, ("", "Ann", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef0", "clip a")))
    assert digests(["b", "a", "B", "a"]) == tuple(sorted({person_digest("a"), person_digest("b")}))
