from schemas.units import derive_id, derive_seed


def test_seeds_depend_on_every_part_and_on_nothing_else():
    assert derive_seed("run", "problem", 3) == derive_seed("run", "problem", 3)
    assert derive_seed("run", "problem", 3) != derive_seed("run", "problem", 4)
    assert derive_seed("ab", "c") != derive_seed("a", "bc")
    assert all(0 <= derive_seed("run", i) < 2**31 for i in range(1000))


def test_ids_are_equal_on_every_machine():
    assert derive_id("world", "How many?", "4") == "2d7551732d6acebe"
