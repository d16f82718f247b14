from convlens.core.cache_folder import cache_folder
from convlens.data import cache_usage


def test_what_is_kept_of_each_kind():
    assert cache_usage() == []
    for kind, name, size in (("pixels", "a/b/c", 10), ("pixels", "d", 5), ("archives", "e", 7)):
        path = cache_folder(kind) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    found = [(own.kind, own.files, own.bytes) for own in cache_usage()]
    assert found == [("archives", 1, 7), ("pixels", 2, 15)]
    assert cache_usage()[0].folder == cache_folder("archives")
