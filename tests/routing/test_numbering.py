"""Places are numbered as they come, and each row of a table is computed once."""

from backend.routing.model import Place
from backend.routing.numbering import Numbering

A, B, C = Place(1, None), Place(1, 7), Place(2, None)


def test_a_place_keeps_its_number() -> None:
    places = Numbering[Place]()
    assert places.add([A, B, A])
    assert places.add([C])
    assert [places.number(place) for place in (A, B, C)] == [0, 1, 2]
    assert len(places) == 3


def test_what_is_known_is_not_new() -> None:
    places = Numbering[Place]()
    places.add([A, B])
    assert not places.add([B, A, A])
    assert not places.add([])
    assert len(places) == 2


def test_a_table_grows_by_the_rows_of_new_places_only() -> None:
    places, computed = Numbering[Place](), []

    def row(place: Place) -> list[int]:
        computed.append(place)
        return [place.region_code, place.legal_entity_id or 0]

    places.add([A, B])
    assert list(places.table("t", row)) == [1, 0, 1, 7]
    places.add([C, A])
    assert list(places.table("t", row)) == [1, 0, 1, 7, 2, 0]
    assert list(places.table("t", row)) == [1, 0, 1, 7, 2, 0]
    assert computed == [A, B, C]


def test_tables_of_different_names_are_apart() -> None:
    places = Numbering[Place]()
    places.add([A, C])
    assert list(places.table("one", lambda place: [place.region_code])) == [1, 2]
    assert list(places.table("two", lambda place: [10 * place.region_code])) == [10, 20]
