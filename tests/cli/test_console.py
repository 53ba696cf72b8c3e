"""Progress in logs and on terminals, by a clock that tests move."""

import io
import re
import sys
import threading
import time

import pytest

from anclaf.cli import console
from anclaf.cli.console import ProgressBars, ProgressLines, progress_display


class Log:
    """Lines of `ProgressLines`, and the time at which they are written."""

    def __init__(self, interval: float | None = 60.0):
        self.now, self.lines = 100.0, []
        self.show = ProgressLines(self.lines.append, lambda: self.now, interval)

    def tell(self, seconds: float, done: int, total: int, task: str, note: str = "") -> list[str]:
        """What is written when this is told so many seconds after the last."""
        self.now += seconds
        before = len(self.lines)
        self.show(done, total, task, note)
        return self.lines[before:]


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_part_is_named_at_once(log: Log):
    assert log.tell(0, 0, 1, "fold 0, svr") == ["fold 0, svr"]
    assert log.tell(700, 1, 1, "fold 0, svr") == ["fold 0, svr  in 0:11:40"]
    assert log.tell(0, 0, 40, "fold 0, cnn") == ["fold 0, cnn  0/40"]


def test_a_line_a_minute_with_rate_and_time_left(log: Log):
    written = [line for step in range(1, 301) for line in log.tell(1, step, 300, "stage 1, base", "val CCC V 0.52")]
    assert written == [
        "stage 1, base  1/300  val CCC V 0.52",
        "stage 1, base  61/300  1/s  0:03:59 left  val CCC V 0.52",
        "stage 1, base  121/300  1/s  0:02:59 left  val CCC V 0.52",
        "stage 1, base  181/300  1/s  0:01:59 left  val CCC V 0.52",
        "stage 1, base  241/300  1/s  0:00:59 left  val CCC V 0.52",
        "stage 1, base  300/300  1/s  in 0:04:59  val CCC V 0.52",
    ]


def test_steps_longer_than_a_minute_are_all_written(log: Log):
    for step in range(5):
        assert len(log.tell(61, step, 5, "slow")) == 1


def test_a_part_that_goes_on_has_the_rate_of_what_it_does_itself(log: Log):
    log.tell(0, 1000, 2000, "stage 1, base")
    assert log.tell(100, 1010, 2000, "stage 1, base") == ["stage 1, base  1010/2000  0.1/s  2:45:00 left"]


def test_parts_are_timed_apart(log: Log):
    log.tell(0, 0, 10, "a")
    log.tell(59, 0, 10, "b")
    assert log.tell(1, 1, 10, "a") == ["a  1/10  0.0167/s  0:09:00 left"]
    assert log.tell(1, 1, 10, "b") == []


def test_no_number_of_steps(log: Log):
    assert log.tell(0, 1, 0, "camera") == ["camera  1"]
    assert log.tell(60, 1501, 0, "camera") == ["camera  1501  25/s"]


def test_the_end_is_written_once(log: Log):
    log.tell(0, 1, 3, "talk")
    assert len(log.tell(1, 3, 3, "talk")) == 1
    assert log.tell(100, 4, 3, "talk") == [], "a video may be longer than it says"


def test_a_part_that_is_begun_again(log: Log):
    log.tell(0, 18, 18, "report")
    assert log.tell(5, 0, 18, "report") == ["report  0/18"]
    assert log.tell(2, 4, 18, "report") == []
    assert log.tell(2, 18, 18, "report") == ["report  18/18  4.5/s  in 0:00:04"]


def test_a_part_that_is_dropped_is_named_again(log: Log):
    log.tell(0, 3, 18, "report")
    log.show.drop("report")
    log.show.drop("nothing")
    assert log.tell(1, 4, 18, "report") == ["report  4/18"]


def test_a_part_that_says_nothing_for_long_is_named_again(log: Log):
    def reminded(seconds: float) -> list[str]:
        log.now += seconds
        before = len(log.lines)
        log.show.remind()
        return log.lines[before:]

    assert reminded(100) == []
    log.tell(0, 0, 1, "fold 0, mean")
    log.tell(1, 1, 1, "fold 0, mean")
    log.tell(0, 0, 1, "fold 0, svr")
    assert reminded(59) == []
    assert reminded(1) == ["fold 0, svr  for 0:01:00"]
    assert reminded(30) == []
    assert reminded(45) == ["fold 0, svr  for 0:02:15"]
    assert log.tell(1, 1, 1, "fold 0, svr") == ["fold 0, svr  in 0:02:16"]
    assert reminded(1000) == [], "it has ended"
    log.tell(0, 3, 10, "stage 1, base", "val CCC V 0.5")
    log.tell(1, 4, 10, "stage 1, base", "val CCC V 0.5")
    assert reminded(99) == ["stage 1, base  4/10  0.01/s  0:10:00 left  val CCC V 0.5  for 0:01:40"]
    log.show.drop("stage 1, base")
    assert reminded(1000) == []


def test_a_thread_does_the_reminding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(console, "_REMIND_S", 0.01)
    reminded = threading.Event()
    monkeypatch.setattr(ProgressLines, "remind", lambda _: reminded.set())
    with progress_display() as progress:
        progress(0, 1, "slow")
        assert reminded.wait(10)
    reminded.clear()
    alive = [thread for thread in threading.enumerate() if thread.name == "reminder"]
    for thread in alive:
        thread.join(10)
    assert not any(thread.is_alive() for thread in alive)


def test_ends_only():
    log = Log(None)
    assert log.tell(0, 0, 2, "a") + log.tell(100, 1, 2, "a") == []
    assert log.tell(0, 2, 2, "a") == ["a  2/2  0.02/s  in 0:01:40"]


def test_without_a_terminal_lines_go_to_standard_error_at_once(capsys: pytest.CaptureFixture[str]):
    task = "a long name of a part, " * 10
    with progress_display() as progress:
        progress(0, 2, task)
        said = capsys.readouterr()
        assert said.err == f"{task}  0/2\n", "not broken into lines"
        assert said.out == ""
    with progress_display(quiet=True) as progress:
        progress(0, 2, task)
    assert capsys.readouterr().err == ""


class Screen(io.StringIO):
    """A terminal; what is drawn over what stood there before is all in it."""

    def isatty(self) -> bool:
        return True


def _on_terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "150")
    return screen


def test_a_terminal_has_bars_of_what_goes_on_and_lines_of_what_has_ended(monkeypatch: pytest.MonkeyPatch):
    screen = _on_terminal(monkeypatch)
    with progress_display() as show:
        assert isinstance(show, ProgressBars)
        show(0, 3, "part [one]")
        time.sleep(0.15)  # bars are drawn ten times a second at most
        show(1, 3, "part [one]", "0.52 [note]")
        show(5, 0, "camera")
        assert re.search(r"part \[one\]: +33%.*1/3.*0\.52 \[note\]", screen.getvalue())
        assert re.search(r"camera: 5", screen.getvalue())
        show(3, 3, "part [one]")
        assert [re.sub(r" +[\d.e+]+/s", "", line) for line in _lines(screen)] == ["part [one]  3/3  in 0:00:00"]
        show.drop("camera")
        show.drop("camera")
    assert len(_lines(screen)) == 1


def test_what_is_said_and_found_meanwhile_stands_above_the_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    screen = _on_terminal(monkeypatch)
    with progress_display() as show:
        show(0, 3, "talk")
        console.say("a note")
        console.fail("an error")
        console.result("talk.csv")
    assert _lines(screen) == ["a note", "anclaf: an error"]
    assert capsys.readouterr().out == "talk.csv\n"


def _lines(screen: Screen) -> list[str]:
    """Those that stay, without the bars."""
    text = re.sub(r"\x1b\[A", "", screen.getvalue())
    lines = [part.rpartition("\r")[2].strip() for part in text.split("\n")]
    return [line for line in lines if line and not re.search(r"\dit", line)]


def test_a_table(capsys: pytest.CaptureFixture[str]):
    rows = [["ridge", "0.5"], ["名前", "−0.25"]]
    console.print_table(["", "CCC\nof valence"], [rows, [["mean", "0"]], []], "title")
    assert capsys.readouterr().out.splitlines() == [
        "title",
        "              CCC",
        "       of valence",
        "─────────────────",
        "ridge         0.5",
        "名前        −0.25",
        "─────────────────",
        "mean            0",
        "─────────────────",
    ]


def test_a_table_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]):
    console.print_table(["x" * 300], [])
    assert "x" * 300 in capsys.readouterr().out
