import threading
from collections.abc import Iterator

import pytest

from anclaf.inference.pipeline import CHUNK, CHUNK_BYTES, ahead, chunks


def failing(count: int) -> Iterator[int]:
    yield from range(count)
    raise ValueError("no more")


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_hold_everything_in_order(count: int):
    found = list(chunks(range(count), lambda _: 1))
    assert [item for chunk in found for item in chunk] == list(range(count))
    assert [len(chunk) for chunk in found[:-1]] == [CHUNK] * (len(found) - 1)
    assert all(found)


def test_what_is_not_to_wait_comes_one_by_one():
    assert list(chunks(range(3), lambda _: 1, most=1)) == [[0], [1], [2]]


def test_large_items_come_in_small_chunks():
    half = CHUNK_BYTES // 2 + 1
    assert list(chunks([half, half, 1, 2 * half, 5], lambda size: size)) == [[half, half], [1, 2 * half], [5]]


@pytest.mark.parametrize("count", [0, 3, CHUNK, CHUNK + 3])
def test_what_comes_before_an_exception_is_given(count: int):
    found = []
    with pytest.raises(ValueError, match="no more"):
        found.extend(item for chunk in ahead(chunks(failing(count), lambda _: 1)) for item in chunk)
    assert found == list(range(count))


def test_another_thread_makes_one_item_ahead():
    made, may_go_on = [], threading.Event()

    def items() -> Iterator[int]:
        for k in range(5):
            made.append((k, threading.current_thread()))
            if k == 2:
                may_go_on.set()
            yield k

    for item in ahead(items()):
        if item == 1:
            assert may_go_on.wait(5), "the next item is not made while this one is in use"
        assert len(made) <= item + 2
    assert [k for k, _ in made] == list(range(5))
    assert threading.main_thread() not in {thread for _, thread in made}


@pytest.mark.parametrize("interrupt", [True, False])
def test_the_thread_ends_with_its_user(interrupt: bool):
    running = ahead(iter(range(1000)))
    assert next(running) == 0
    if interrupt:
        with pytest.raises(KeyboardInterrupt):
            running.throw(KeyboardInterrupt)
    else:
        running.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
