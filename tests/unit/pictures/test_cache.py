"""The cache of pictures: bounded by bytes, and what was used longest ago goes first."""

from workers.pictures.answer import Answer, Ending
from workers.pictures.cache import OVERHEAD, PictureCache


def picture(size: int) -> Answer:
    return Answer(Ending.PICTURE, b"x" * size)


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    cache = PictureCache(3 * (1000 + OVERHEAD))
    for name in "abc":
        cache.put(name, picture(1000))
    assert cache.get("a") == picture(1000)
    cache.put("d", picture(1000))
    assert [name for name in "abcd" if cache.get(name)] == ["a", "c", "d"]


def test_a_picture_put_twice_counts_once() -> None:
    cache = PictureCache(2 * (1000 + OVERHEAD))
    cache.put("a", picture(1000))
    for _ in range(5):
        cache.put("b", picture(1000))
    assert cache.get("a") and cache.get("b")


def test_a_picture_that_is_too_large_is_not_kept_and_pushes_out_what_is_there() -> None:
    cache = PictureCache(1000 + OVERHEAD)
    cache.put("large", picture(2000))
    assert cache.get("large") is None
    cache.put("small", picture(1000))
    assert cache.get("small")
