"""Invented names, addresses and telephone numbers; the numbers lie in ranges reserved for fiction."""

from __future__ import annotations

FIRST_NAMES = tuple(
    "Ada Amir Anouk Arlo Asha Beatrix Bram Calla Cedric Dara Delphine Edda Elio Esme Fenn Fleur Gideon Greta "
    "Hanne Hugo Ines Ivo Jarrah Juno Kaia Kofi Lark Leif Linnea Lorcan Mabel Milo Nadia Niko Odette Omar "
    "Orla Otis Petra Priya Quill Ravi Rhea Rowan Saffron Silas Tamsin Tariq Thea Tove Ulla Umar Vera Vito "
    "Willa Wren Xanthe Yara Yusuf Zadie".split()
)
LAST_NAMES = tuple(
    "Applegarth Ashdown Bellweather Birchall Blackmere Brindle Calloway Carrowmore Cinderford Copperfield "
    "Dapplewood Dunmarrow Eastmere Elderkin Fairbrook Fernsby Featherstone Foxglove Gladwell Greenhollow "
    "Hartwhistle Hazelgrove Hollowell Inglebrook Ironside Jessamy Juniperton Kestrelby Kingsmarsh Larkspur "
    "Lindenbaum Loxwood Marchbanks Merriweather Mistlethwaite Netherfield Nightingale Oakhaven Ottercliff "
    "Peppercorn Pinehurst Quickthorn Quillfeather Ravensworth Rosewarne Saltmarsh Silverwood Stonebridge "
    "Swiftwater Tanglewood Thistledown Umberfield Vantongeren Wetherby Whitlock Wildsmith Winterbourne "
    "Wolfenden Yarrowby Zephyrine".split()
)
STREETS = ("Acacia Lane", "Banksia Road", "Cedar Court", "Dune Street", "Ember Parade", "Fig Tree Avenue")
TOWNS = (
    ("Sampleton", "VIC", "3999"),
    ("Fernvale Heights", "NSW", "2999"),
    ("Port Example", "WA", "6999"),
    ("Mockingbird Bay", "QLD", "4999"),
)
OTHER_SCRIPTS = (
    ("ليلى", "الحسني"),
    ("נועה", "בן־דוד"),
    ("小明", "王"),
    ("さくら", "例田"),
    ("Людмила", "Примерова"),
    ("Ελένη", "Παραδειγματίδου"),
    ("आरती", "उदाहरणकर"),
    ("สมหญิง", "ตัวอย่าง"),
    ("지우", "김예시"),
    ("Nguyễn Thị", "Vi\u0301 Du\u0323"),
    ("தமிழ்செல்வி", "எடுத்துக்காட்டு"),
    ("ትዕግስት", "ምሳሌ"),
)
MOBILES = (
    "0491 570 006",
    "0491 570 156",
    "0491 570 157",
    "0491 570 158",
    "0491 570 159",
    "0491 570 110",
    "0491 570 313",
    "0491 570 737",
    "0491 571 266",
    "0491 571 491",
    "0491 571 804",
    "0491 572 549",
    "0491 572 665",
    "0491 572 983",
    "0491 573 770",
    "0491 573 087",
)
_AREAS = ("02", "03", "07", "08")
_BLOCKS = ("7010", "5550")


def landline(number: int) -> str:
    """Return one of 80,000 numbers kept free for fiction, in one of the ways people write them."""
    area = _AREAS[number % 4]
    block, rest = _BLOCKS[number // 4 // 10_000 % 2], f"{number // 4 % 10_000:04}"
    ways = (
        f"{area} {block} {rest}",
        f"({area}) {block} {rest}",
        f"{area}{block}{rest}",
        f"+61 {area[1]} {block} {rest}",
    )
    return ways[number % 7 % 4]


def phone(number: str, kind: str = "Mobile") -> dict[str, str]:
    """Return a phone number as records embed it; letters and blanks go in the normalised form."""
    digits = "".join(char for char in number if char.isdigit())
    normalized = f"61{digits[1:]}" if digits.startswith("0") and not digits.startswith("00") else digits
    return {"number": number, "normalized_number": normalized, "phone_type": kind}
