"""A clinic's patients with families, twins and namesakes among them, some entered twice as receptionists do: to measure with."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_highlevel.plan.duplicates import Person, possible_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable


def _words(text: str) -> list[str]:
    return text.split()


_WOMEN = _words("""
    Olivia Charlotte Amelia Isla Mia Grace Harper Chloe Ella Sophie Emily Lucy Ruby Zoe Hannah Sarah Jessica Lauren Emma
    Rebecca Nicole Michelle Karen Susan Margaret Patricia Helen Judith Christine Jennifer Elizabeth Katherine Anne Mary
    Maria Linh Priya Mei Fatima Aisha Niamh Siobhan Aoife Ngaire Hinemoa Deborah Jacqueline Samantha Victoria Stephanie
    Joanne Teresa Bridget
""")
_MEN = _words("""
    Oliver Noah Jack William Leo Henry Lucas Thomas James Ethan Daniel Matthew Joshua Benjamin Samuel Michael Andrew David
    Christopher Stephen Peter Robert John Anthony Gregory Kenneth Geoffrey Raymond Ronald Kevin Paul Mark Alan Neil Craig
    Minh Arjun Wei Mohammed Ahmed Sean Eoin Cillian Tane Wiremu Alexander Nicholas Timothy Richard Edward Patrick Lachlan
    Angus
""")
_LAST = _words("""
    Smith Jones Williams Brown Wilson Taylor Johnson White Martin Anderson Thompson Nguyen Thomas Walker Harris Lee Ryan
    Robinson Kelly King Davis Wright Evans Roberts Green Hall Wood Jackson Clarke Patel Khan Lewis James Phillips Mason
    Mitchell Rose Davies Rodriguez Cox Alexander Garden Campbell Johnston Moore Smyth Murphy OBrien Byrne Gallagher Doyle
    MacDonald Stewart Fraser Hughes Chen Wang Singh Kaur Tran Pham Kowalski Novak Schmidt Fischer Rossi Papadopoulos
    Georgiou Costa Ferreira Haddad Okafor Mensah Tamihana Ngata Henare Whitehouse Featherstone Abernathy Blackwood
    Carmichael Davenport Ellsworth Fairweather Goldsmith Hathersage Ironside Jefferson Kirkpatrick Lancaster Montgomery
    Northcote Oldfield Pemberton Quartermaine Rutherford Somerville Thackeray Underwood Vandermeer Winterbottom Yarborough
    Zimmerman Bellweather Cartwright Drummond Eastwood Farquhar Gainsborough
""")
_STREETS = _words("""
    High Mill Station Church Park Queen King Victoria Albert Bridge Beach Hill Main Elm Oak Wattle Banksia Harbour
""")
_SHORT = {
    "Elizabeth": "Liz", "Katherine": "Kate", "Margaret": "Peggy", "Patricia": "Trish", "Christine": "Chris", "Jennifer": "Jenny",
    "Rebecca": "Bec", "Susan": "Sue", "Deborah": "Debbie", "Jacqueline": "Jackie", "Samantha": "Sam", "Victoria": "Vicki",
    "Stephanie": "Steph", "Joanne": "Jo", "Teresa": "Terry", "William": "Bill", "Thomas": "Tom", "James": "Jim",
    "Daniel": "Danny",
    "Matthew": "Matt", "Joshua": "Josh", "Benjamin": "Ben", "Samuel": "Sam", "Michael": "Mick", "Andrew": "Drew",
    "Christopher": "Chris", "Stephen": "Steve", "Peter": "Pete", "Robert": "Bob", "Anthony": "Tony", "Gregory": "Greg",
    "Kenneth": "Ken", "Geoffrey": "Geoff", "Raymond": "Ray", "Ronald": "Ron", "Alexander": "Sandy", "Nicholas": "Nick",
    "Timothy": "Tim", "Richard": "Dick", "Edward": "Ted", "Patrick": "Paddy", "Jessica": "Jess", "Olivia": "Liv",
    "Henry": "Harry",
    "Jack": "John", "David": "Dave", "Nicole": "Nicky", "Emily": "Em", "Charlotte": "Lottie", "Judith": "Judy",
}  # fmt: skip
_SOUNDS = (("ph", "f"), ("ck", "k"), ("c", "k"), ("ie", "y"), ("ey", "y"), ("ea", "ee"), ("ll", "l"), ("tt", "t"), ("s", "z"),
           ("mac", "mc"), ("ou", "u"), ("nn", "n"), ("y", "i"), ("wr", "r"), ("gh", ""), ("on", "en"), ("ss", "s"))  # fmt: skip
_LETTERS = "abcdefghijklmnoprstuvwy"
_FAMILY, _TWINS, _MOST_CHILDREN = 0.3, 0.08, 3


@dataclass(frozen=True)
class Entry:
    """A patient as somebody typed them."""

    first_name: str
    last_name: str
    birth_date: str
    email: str
    phone: str
    street: str
    woman: bool

    def person(self, number: int) -> Person:
        """Return what the plan compares."""
        return Person.of(
            f"patients/{number:06}",
            first_name=self.first_name,
            last_name=self.last_name,
            birth_date=self.birth_date,
            email=self.email,
            phone=self.phone,
            street=self.street,
        )


class Clinic:
    """Makes patients and second entries of some of them."""

    def __init__(self, seed: int) -> None:
        """Make the same clinic for the same seed."""
        self._choose = random.Random(seed)  # noqa: S311 - repeatable
        self._made = 0

    def patients(self, number: int) -> list[Entry]:
        """Return so many patients: single ones, and families of one address with a twin now and then."""
        found: list[Entry] = []
        while len(found) < number:
            found += self._household()
        return found[:number]

    def _household(self) -> list[Entry]:
        first = self._adult()
        if self._choose.random() > _FAMILY:
            return [first]
        family = [first]
        if self._choose.random() < 0.7:
            other = self._adult()
            family.append(
                replace(
                    other,
                    last_name=first.last_name,
                    street=first.street,
                    phone=self._one(first.phone, other.phone),
                )
            )
        born = self._date(2005, 2022)
        for _ in range(self._choose.randint(1, _MOST_CHILDREN)):
            if self._choose.random() > _TWINS:
                born = self._date(2005, 2022)
            woman = self._choose.random() < 0.5
            name = self._name(woman=woman)
            if any(item.first_name == name for item in family):
                continue  # nobody calls two children alike
            family.append(replace(first, first_name=name, birth_date=born, woman=woman))
        return family

    def _adult(self) -> Entry:
        woman = self._choose.random() < 0.6
        addresses = self._email(), self._phone(), self._street()
        return Entry(self._name(woman=woman), self._surname(), self._date(1935, 2004), *addresses, woman)

    def _name(self, *, woman: bool) -> str:
        return self._choose.choice(_WOMEN if woman else _MEN)

    def _surname(self) -> str:
        """Return a surname: the first of the list are common ones, and some have a double one."""
        name = _LAST[min(int(self._choose.paretovariate(0.08)) - 1, self._choose.randrange(len(_LAST)))]
        return f"{name}-{self._choose.choice(_LAST)}" if self._choose.random() < 0.04 else name

    def _date(self, first: int, last: int) -> str:
        return f"{self._choose.randint(first, last)}-{self._choose.randint(1, 12):02}-{self._choose.randint(1, 28):02}"

    def _email(self) -> str:
        self._made += 1
        return f"person{self._made}@example.com" if self._choose.random() < 0.85 else ""

    def _phone(self) -> str:
        return f"+614{self._choose.randrange(10**8):08}" if self._choose.random() < 0.95 else ""

    def _street(self) -> str:
        return (
            f"{self._choose.randint(1, 300)} {self._choose.choice(_STREETS)} Street"
            if self._choose.random() < 0.9
            else ""
        )

    def _one(self, *values: str) -> str:
        return self._choose.choice(values)

    def again(self, entry: Entry) -> tuple[str, Entry]:
        """Return how a patient was entered a second time, and the entry."""
        kind = self._choose.choice(list(self._kinds()))
        second = self._kinds()[kind](entry)
        if kind not in {"married", "no birth date", "two errors"}:
            second = self._moved_on(second)
        return kind, second

    def _moved_on(self, entry: Entry) -> Entry:
        """Return the entry as years later: another house, phone or e-mail."""
        return replace(
            entry,
            street=self._street() if self._choose.random() < 0.3 else entry.street,
            phone=self._phone() if self._choose.random() < 0.3 else entry.phone,
            email=self._email() if self._choose.random() < 0.4 else entry.email,
        )

    def _kinds(self) -> dict[str, Callable[[Entry], Entry]]:
        return {
            "as before": lambda item: item,
            "moved house": lambda item: replace(item, street=self._street(), phone=self._phone(), email=self._email()),
            "surname mistyped": lambda item: replace(item, last_name=self._mistyped(item.last_name)),
            "first name mistyped": lambda item: replace(item, first_name=self._mistyped(item.first_name)),
            "as it sounds": lambda item: replace(item, last_name=self._as_it_sounds(item.last_name)),
            "names swapped": lambda item: replace(item, first_name=item.last_name, last_name=item.first_name),
            "short form": lambda item: replace(item, first_name=_SHORT.get(item.first_name, item.first_name)),
            "initial": lambda item: replace(item, first_name=item.first_name[0]),
            "second name": lambda item: replace(item, first_name=f"{item.first_name} {self._name(woman=item.woman)}"),
            "double name": lambda item: replace(item, last_name=self._half_or_double(item.last_name)),
            "capitals": lambda item: replace(item, first_name=item.first_name.upper(), last_name=f" {item.last_name.upper()}"),
            "day and month": lambda item: replace(item, birth_date=self._day_for_month(item.birth_date)),
            "birth date mistyped": lambda item: replace(item, birth_date=self._wrong_digit(item.birth_date)),
            "no birth date": lambda item: replace(self._reachable(item), birth_date=self._one("", "1900-01-01")),
            "married": lambda item: replace(self._reachable(item), last_name=self._surname()),
            "two errors": lambda item: replace(
                self._reachable(item),
                last_name=self._mistyped(item.last_name),
                birth_date=self._wrong_digit(item.birth_date),
            ),
        }  # fmt: skip

    def _reachable(self, entry: Entry) -> Entry:
        """Return the entry with one address that stays, if there is any, and others that may not."""
        kept = self._one(*[name for name in ("phone", "email", "street") if getattr(entry, name)] or [""])
        new = {"phone": self._phone, "email": self._email, "street": self._street}
        told = {
            name: make() if name != kept and self._choose.random() < 0.5 else getattr(entry, name)
            for name, make in new.items()
        }
        return replace(entry, phone=told["phone"], email=told["email"], street=told["street"])

    def _mistyped(self, name: str) -> str:
        """Return a name with one letter left out, doubled, swapped with its neighbour or another one."""
        place = self._choose.randrange(1, max(2, len(name) - 1))
        before, letter, after = name[:place], name[place], name[place + 1 :]
        return self._one(
            before + after,
            before + letter * 2 + after,
            before + after[:1] + letter + after[1:],
            before + self._choose.choice(_LETTERS) + after,
        )

    def _as_it_sounds(self, name: str) -> str:
        fitting = [(one, two) for one, two in _SOUNDS if one in name.lower()[1:]]
        if not fitting:
            return name
        one, two = self._choose.choice(fitting)
        return name[0] + name[1:].replace(one, two, 1)

    def _half_or_double(self, name: str) -> str:
        return (
            self._one(*name.split("-"))
            if "-" in name
            else f"{name}{self._one('-', ' ')}{self._choose.choice(_LAST)}"
        )

    def _day_for_month(self, day: str) -> str:
        year, month, number = day.split("-")
        return f"{year}-{number}-{month}" if int(number) <= 12 else self._wrong_digit(day)

    def _wrong_digit(self, day: str) -> str:
        year, month, number = day.split("-")
        kind = self._choose.randrange(3)
        if kind == 0:
            return f"{year[:3]}{(int(year[3]) + 1) % 10}-{month}-{number}"
        if kind == 1:
            return f"{year[:2]}{year[3]}{year[2]}-{month}-{number}"
        return f"{year}-{month}-{number[0]}{(int(number[1]) + 1) % 9 or 1}"


@dataclass(frozen=True)
class Measured:
    """How many of the seeded second entries were found, and how many of the pairs found are seeded ones."""

    recall: float
    precision: float
    missed: dict[str, int]


def measure(patients: int, twice: int, seed: int) -> Measured:
    """Seed second entries among a clinic's patients, and look for them."""
    made = Clinic(seed)
    entries = made.patients(patients)
    people = [entry.person(number) for number, entry in enumerate(entries)]
    seeded = {}
    for number, entry in enumerate(entries[:twice]):
        kind, second = made.again(entry)
        again = second.person(patients + number)
        people.append(again)
        seeded[people[number].source_id, again.source_id] = kind
    found = {(pair.first, pair.second) for pair in possible_duplicates(people)}
    missed: dict[str, int] = {}
    for pair, kind in seeded.items():
        if pair not in found:
            missed[kind] = missed.get(kind, 0) + 1
    return Measured(1 - sum(missed.values()) / len(seeded), len(found & set(seeded)) / len(found), missed)
