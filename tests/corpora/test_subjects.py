"""Who is one person: spellings that are joined, and names that are only pointed at."""

import string
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from anclaf.core.errors import CorpusError
from anclaf.core.people import person_key, unnamed
from anclaf.corpora.afew_va import list_afew_va
from anclaf.corpora.base import Clip
from anclaf.corpora.subjects import near_duplicates, subjects_of
from anclaf.corpora.table import list_table


@dataclass(frozen=True)
class Named:
    name: str
    subject: str
    fold: int = -1

    def frames(self):
        return iter(())


def clips(*subjects: str) -> list[Named]:
    return [Named(f"{k:03d}", subject) for k, subject in enumerate(subjects)]


def people(clips: Sequence[Clip]) -> tuple[list[str], list[str]]:
    """Whose each clip is, and the notes."""
    person, notes = subjects_of(clips)
    return [person(clip) for clip in clips], notes


@pytest.mark.parametrize(
    "other",
    [
        "jane doe",
        "JANE DOE",
        "Jane  Doe",
        " Jane\tDoe ",
        "Jane\u00a0Doe",
        "Ｊａｎｅ Doe",
        "Jane\u200b Doe",
        "\ufeffJane Doe",
    ],
)
def test_case_blanks_and_unicode_form_do_not_make_a_person(other: str):
    found, notes = people(clips("Jane Doe", "Jane Doe", other, "Bo"))
    assert found == ["Jane Doe", "Jane Doe", "Jane Doe", "Bo"]
    assert notes == [f"one person spelled in several ways, taken as one: 'Jane Doe' = {other!r}"]


def test_composed_and_decomposed_letters_are_one():
    assert person_key("Zo\u00eb Kravitz") == person_key("Zoe\u0308 KRAVITZ")
    assert person_key("STRASSE") == person_key("straße")


def test_the_spelling_of_most_clips_is_kept_and_a_single_one_is_not_touched():
    found, notes = people(clips("jane  doe", "Jane Doe", "Jane Doe", "  Odd   Name"))
    assert set(found) == {"Jane Doe", "  Odd   Name"}
    assert len(notes) == 1


def test_clips_that_name_nobody_stay_apart():
    """Two files whose names differ in case are two clips."""
    both = [Named("a.mp4", unnamed("a.mp4")), Named("A.mp4", unnamed("A.mp4"))]
    assert people(both) == (["clip a.mp4", "clip A.mp4"], [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jane Doe", "Jane Do"),
        ("Jane Doe", "Jane Dae"),
        ("Jane Doe", "Jnae Doe"),
        ("Jane Doe", "Doe, Jane"),
        ("J. Doe", "J Doe"),
        ("Mary-Ann Lee", "Mary Ann Lee"),
        ("Actor 01", "Actor 1"),
        ("P-007", "P 7"),
    ],
)
def test_near_duplicates_are_listed_and_not_merged(one: str, other: str):
    found, notes = people(clips(one, other, "Somebody Else"))
    assert len(set(found)) == 3
    (note,) = notes
    assert note.startswith("names that differ little, taken as different people: ")
    assert repr(one) in note
    assert repr(other) in note
    assert "Else" not in note


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P001", "P002"),
        ("Puppet 010", "Puppet 011"),
        ("Ann", "Ana"),
        ("J Doe", "K Doe"),
        ("Speaker A", "Speaker B"),
        ("Marina", "Martin"),
        ("Jane Doe", "John Dow"),
    ],
)
def test_people_who_are_plainly_two(one: str, other: str):
    assert subjects_of(clips(one, other))[1] == []


def test_a_long_list_is_cut():
    names = [f"Alexandr{letter}" for letter in string.ascii_lowercase[:6]]
    assert len(near_duplicates(names)) == 15
    (note,) = subjects_of(clips(*names))[1]
    assert note.count("' and '") == 5
    assert "; and 10 more." in note


def test_many_people_take_no_time():
    names = [f"{a}{b}{c} surname" for a in string.ascii_lowercase for b in "aeiou" for c in string.ascii_lowercase]
    assert len(set(people(clips(*names))[0])) == 3380


def test_afew_va_s_actors(tmp_path, afew_clip):
    for clip, actor in (("001", "Jane Doe"), ("002", "jane  doe"), ("003", "Bo")):
        afew_clip(tmp_path / clip, actor=actor)
    assert people(list_afew_va(tmp_path).clips)[0] == ["Jane Doe", "Jane Doe", "Bo"]


def test_a_video_s_person_may_be_spelled_in_several_ways(tmp_path, write_video):
    write_video(tmp_path / "a.avi", 4)
    rows = "a.avi,0,0.1,0.1,Jane Doe\na.avi,1,0.2,0.2,jane  doe\n"
    path = tmp_path / "t.csv"
    path.write_text("video,frame,valence,arousal,subject\n" + rows)
    assert [clip.subject for clip in list_table(path).clips] == ["Jane Doe"]
    path.write_text("video,frame,valence,arousal,subject\n" + rows.replace("jane  doe", "Jane Dow"))
    with pytest.raises(CorpusError, match="subject is Jane Doe and Jane Dow; expected one subject"):
        list_table(path)


def test_puppets_are_all_different():
    found, notes = people(clips(*(f"Puppet {k:03d}" for k in range(200))))
    assert len(set(found)) == 200
    assert not notes
