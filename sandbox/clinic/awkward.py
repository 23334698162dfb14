"""The patients every migration stumbles over. All of them are invented.

A key that starts with an underscore is not a column: `_answers` to custom fields, `_archived`,
`_merged_into` (the place of the survivor in this list), `_related` and `_formerly_related` (place and
relation).
"""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

from typing import Any

from sandbox.clinic.names import phone

_LONG = "Long " * 50 + "end."

AWKWARD: tuple[dict[str, Any], ...] = (
    # 0-2: a family with one e-mail address and one telephone
    {
        "first_name": "Petra",
        "last_name": "Larkspur",
        "email": "larkspur.family@example.org",
        "patient_phone_numbers": [phone("0491 570 156")],
        "_related": ((1, 20), (2, 20)),
    },
    {
        "first_name": "Milo",
        "last_name": "Larkspur",
        "email": "larkspur.family@example.org",
        "patient_phone_numbers": [phone("0491570156")],
        "date_of_birth": "2017-03-04",
        "_related": ((0, 10), (2, 30)),
    },
    {
        "first_name": "Juno",
        "last_name": "Larkspur",
        "email": "Larkspur.Family@Example.org",
        "patient_phone_numbers": [phone("+61 491 570 156")],
        "date_of_birth": "2019-11-30",
        "_related": ((0, 10),),
    },
    # 3-4: a couple with one telephone and two addresses
    {
        "first_name": "Omar",
        "last_name": "Hazelgrove",
        "email": "omar.h@example.com",
        "patient_phone_numbers": [phone("(02) 5550 0199", "Home")],
        "_related": ((4, 40),),
    },
    {
        "first_name": "Ines",
        "last_name": "Hazelgrove",
        "email": "ines.h@example.com",
        "patient_phone_numbers": [phone("02 5550 0199", "Home")],
        "_related": ((3, 40),),
    },
    # 5-6: one e-mail address, two telephones
    {
        "first_name": "Hanne",
        "last_name": "Oakhaven",
        "email": "household@example.net",
        "patient_phone_numbers": [phone("03 5550 0101")],
        "_formerly_related": ((6, 50),),
    },
    {
        "first_name": "Leif",
        "last_name": "Oakhaven",
        "email": "household@example.net",
        "patient_phone_numbers": [phone("03 5550 0102")],
    },
    # 7-8: neither
    {"first_name": "Quill", "last_name": "Neither", "email": None, "patient_phone_numbers": []},
    {"first_name": "Vera", "last_name": "", "email": "", "patient_phone_numbers": None, "date_of_birth": ""},
    # 9-10: same name and birth date, different people
    {
        "first_name": "Alex",
        "last_name": "Winterbourne",
        "date_of_birth": "1980-02-29",
        "email": "alex.one@example.org",
        "patient_phone_numbers": [phone("07 5550 0111")],
    },
    {
        "first_name": "Alex",
        "last_name": "Winterbourne",
        "date_of_birth": "1980-02-29",
        "email": "alex.two@example.org",
        "patient_phone_numbers": [phone("07 5550 0222")],
    },
    # 11-20: scripts, directions, marks and pictures
    {"first_name": "ليلى", "last_name": "الحسني", "address_1": "١٢ شارع المثال"},
    {"first_name": "נועה", "last_name": "בן־דוד", "notes": "מעדיפה בוקר (AM)"},
    {"first_name": "小明", "last_name": "王", "city": "範例市", "country": "Taiwan", "country_code": "TW"},
    {"first_name": "さくら", "last_name": "例田", "preferred_first_name": "サクラ"},
    {"first_name": "Людмила", "last_name": "Примерова"},
    {"first_name": "Ελένη", "last_name": "Παραδειγματίδου"},
    {"first_name": "आरती", "last_name": "उदाहरणकर"},
    {"first_name": "สมหญิง", "last_name": "ตัวอย่าง"},
    {"first_name": "Zoe\u0308", "last_name": "Nguyê\u0303n-D’Arcy O'Neil", "title": "Mx"},
    {
        "first_name": "Bee 🐝",
        "last_name": "Sunflower 🌻👩🏽‍🦽",
        "notes": "Likes 🎸\u200d; zero\u200bwidth\u00a0blank",
        "occupation": "<script>alert(1)</script>",
    },
    # 21-25: telephones as people write them
    {
        "first_name": "Edda",
        "last_name": "Letters",
        "patient_phone_numbers": [phone("0491 570 CALL (ask for Edda)")],
    },
    {
        "first_name": "Tamsin",
        "last_name": "Overseas",
        "country": "United Kingdom",
        "country_code": "GB",
        "patient_phone_numbers": [phone("020 7946 0123", "Home"), phone("0011 44 20 7946 0999", "Other")],
    },
    {
        "first_name": "Calla",
        "last_name": "Overseas",
        "country": "United States",
        "country_code": "US",
        "patient_phone_numbers": [phone("(202) 555-0143 ext. 5", "Work")],
    },
    {
        "first_name": "Jürgen",
        "last_name": "Beispiel-Größe",
        "country": "Germany",
        "country_code": "DE",
        "patient_phone_numbers": [phone("030/23125-012", "Home"), phone("+49 (0)30 23125 034", "Work")],
    },
    {
        "first_name": "Fleur",
        "last_name": "Toolong",
        "patient_phone_numbers": [
            phone("0491 570 157 / 0491 570 158"),
            phone("12", "Fax"),
            phone("n/a", "Other"),
        ],
    },
    # 26: archived; 27-29: merged, one of them in a chain
    {"first_name": "Arlo", "last_name": "Archived", "_archived": True},
    {"first_name": "Thea", "last_name": "Survivor", "email": "thea@example.org"},
    {"first_name": "Thea", "last_name": "Survivor", "email": "thea@example.org", "_merged_into": 27},
    {"first_name": "T.", "last_name": "Survivor", "email": "thea@example.org", "_merged_into": 28},
    # 30-33: insurers in all three places, disability insurance numbers
    {
        "first_name": "Nadia",
        "last_name": "Insured",
        "invoice_default_to": "EXAMPLE HEALTH ",
        "invoice_email": "claims@fund.example.com",
        "invoice_extra_information": "Member 000111, NDIS 430000111",
        "_answers": {"Health fund": "Example Health", "Membership number": "000111"},
    },
    {
        "first_name": "Ravi",
        "last_name": "Planholder",
        "_answers": {
            "NDIS number": "430 000 222",
            "NDIS plan end": "2031-06-30",
            "Goals": "<p>Walk to the sea</p>",
            "Health fund": "A fund nobody listed",
        },
    },
    {
        "first_name": "Greta",
        "last_name": "Payer",
        "invoice_default_to": "Parent of Greta\n1 Sample Street\nSampleton",
        "invoice_email": "accounts@payer.example.com, second@payer.example.com",
        "dva_card_number": "VX000000",
    },
    {
        "first_name": "Xanthe",
        "last_name": "Everyfield",
        "appointment_notes": _LONG,
        "address_2": "Level 2\nSuite 9",
        "address_3": "c/o Sample",
        "old_reference_id": "0042",
        "_answers": {
            "Health fund": "Fund of Förde & 例",
            "Membership number": " 00 12 ",
            "Interests": ["Running", "Chess ♟", "Curling"],
            "Preferred room": "Blue",
            "Fax consent (old)": "yes",
            "Old question": "old answer",
        },
    },
    # 34-35: consent and dates
    {
        "first_name": "Silas",
        "last_name": "Optedout",
        "accepted_email_marketing": False,
        "accepted_sms_marketing": False,
        "reminder_type": "None",
        "date_of_birth": "1901-01-01",
    },
    {
        "first_name": "Wren",
        "last_name": "Unknownconsent",
        "accepted_email_marketing": None,
        "accepted_sms_marketing": None,
        "accepted_privacy_policy": None,
        "date_of_birth": None,
        "email": "not an address",
    },
)
