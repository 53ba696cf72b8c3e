"""The comparators by name: what is listed without importing the work, and names as they are typed."""

import subprocess
import sys

import pytest

from anclaf.comparators.registry import COMPARATORS, Comparator, label_of, parse_comparators, with_needs
from anclaf.core.errors import ConfigError

_LIST = """
import sys
from anclaf.comparators.registry import COMPARATORS, label_of, parse_comparators
parse_comparators("all")
labels = [label_of(name) for name in COMPARATORS.names()]
print(sorted({"torch", "sklearn", "cv2", "pandas", "numpy"} & set(sys.modules)))
"""


def test_names_and_labels_need_none_of_the_libraries():
    done = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_comparators_there_are():
    ridge = ["ridge-1", "ridge-8", "ridge-1@detected", "ridge-8@detected"]
    names = ["mean", *ridge, "svr", "cnn", "cnn-ma", "aeg-cd", "coherence", "tucker"]
    assert list(COMPARATORS.names()) == names
    found = {name: COMPARATORS.get(name) for name in COMPARATORS.names()}
    assert {name for name, one in found.items() if one.needs_sequence} == {
        "ridge-8", "ridge-8@detected", "cnn-ma", "coherence"
    }  # fmt: skip
    assert {name for name, one in found.items() if one.trains} == {"cnn", "cnn-ma", "aeg-cd", "coherence", "tucker"}
    assert len({one.label for one in found.values()}) == len(found)


def test_names_as_they_are_typed():
    assert parse_comparators("none") == ()
    assert parse_comparators("all") == COMPARATORS.names()
    assert parse_comparators("quick") == ("mean", "ridge-1", "ridge-8", "ridge-1@detected", "ridge-8@detected")
    assert parse_comparators("ridge-1, mean") == ("mean", "ridge-1")
    assert parse_comparators("cnn-ma") == ("cnn", "cnn-ma"), "the average needs its network"
    with pytest.raises(ConfigError, match="comparator 'rigde': expected one of mean, ridge-1"):
        parse_comparators("rigde")


def test_what_one_needs_comes_before_it_wherever_it_stands():
    COMPARATORS.register("second", Comparator("", "module:work", needs=("first", "mean")))
    COMPARATORS.register("first", Comparator("", "module:work"))
    try:
        assert with_needs(["second"]) == ("first", "mean", "second")
    finally:
        for name in ("first", "second"):
            COMPARATORS.unregister(name)


def test_a_name_of_no_package_here_is_its_own_label():
    assert label_of("median") == "median"
