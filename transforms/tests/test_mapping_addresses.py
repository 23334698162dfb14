"""Phones and e-mails as people type, paste and export them: found where a person would find them, never guessed."""

from __future__ import annotations

import unicodedata
from typing import Any

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mapping_runs import one

from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.phones import e164


@pytest.mark.parametrize(
    ("typed", "normalized", "country", "expected"),
    [
        # went through a spreadsheet: exact, one zero short and told by Cliniko, or rounded for good
        ("4.9157011E8", "491570110", "AU", "+61491570110"),
        ("6.1491570156E10", "61491570156", "AU", "+61491570156"),
        ("4.91570156E8", None, "AU", "+61491570156"),
        ("4.9157011E8", None, "AU", None),
        ("4.9157011E8", "491570118", "AU", None),
        ("4.92E+08", "492000000", "AU", None),
        ("491570110", "491570110", "AU", "+61491570110"),
        ("61491570110.0", "614915701100", "AU", "+61491570110"),
        ("491570110,00", None, "AU", "+61491570110"),
        ("16045550143.0", None, "CA", "+16045550143"),
        ("491,570,110", None, "AU", "+61491570110"),
        ("1,604,555,0143", None, "CA", "+16045550143"),
        ("4.915701100E8", None, "AU", "+61491570110"),
        ("4.915701105E8", None, "AU", None),
        ("4,9157E+08", "491570000", "AU", None),
        ('="0491570110"', None, "AU", "+61491570110"),
        ("'0491570110", None, "AU", "+61491570110"),
        # letters inside
        ("03 98E76 5432", None, "AU", None),
        ("03 98E76 5432", "61398765432", "AU", None),
        ("02 5550 0O199", "61255500199", "AU", None),
        ("0491570159x12", "61491570159", "AU", "+61491570159"),
        ("0491570159 ask4Jane", "61491570159", "AU", "+61491570159"),
        ("0491 57O 006", "6149157006", "AU", None),
        ("O491 570 006", None, "AU", None),
        ("1800 FLOWERS", None, "AU", None),
        # several in one
        ("0491 570 006 & 0491 570 156", "61491570006491570156", "AU", "+61491570006"),
        ("0491 570 006 0491 570 156", None, "AU", "+61491570006"),
        ("0491 570 006\n0491 570 156", None, "AU", "+61491570006"),
        ("0491570006or0491570156", "61491570006", "AU", "+61491570006"),
        # the first one, whichever is written with its country
        ("0491 570 006 / +61 491 570 156", None, "AU", "+61491570006"),
        ("0491 570 006 / +61 491 570 156", "61491570006", "AU", "+61491570006"),
        ("0491 570 006 \\ +61 491 570 156 (work)", None, "AU", "+61491570006"),
        ("604-555-0143* & +1 604 555 0144", None, "CA", "+16045550143"),
        ("Jane 0491 570 159, John +64 21 123 456", None, "AU", "+61491570159"),
        ("+64 21 123 456 (Sydney 02 9876 5432)", "61298765432", "AU", "+6421123456"),
        ("020 7946 0123 \\ 020 7946 0124 (fax)", None, "GB", "+442079460123"),
        # a plus sign between two numbers, and one in front of ten digits, which may be a number in Malaysia
        ("(604) 555-0143 + (604) 555-0144", None, "CA", "+16045550143"),
        ("604-555-0143 after 5pm+(604) 555-0144", None, "CA", "+16045550143"),
        ("+604-555-0143", None, "CA", None),
        ("+604-555-0143", "16045550143", "CA", "+16045550143"),
        ("+60 4-555 0143", None, "CA", "+6045550143"),
        ("+ 61 491 570 006", None, "CA", "+61491570006"),
        # a digit that numbers a list or a label is no number before a plus sign
        ("1. + 61 491 570 006", None, "NZ", "+61491570006"),
        ("Ph 1: +(61) 2 9876 5432", None, "NZ", "+61298765432"),
        ("Mob1 + 61 491 570 006", None, "NZ", "+61491570006"),
        ("1. 021 234 5678 2. + 61 491 570 156", None, "NZ", "+64212345678"),
        ("0491570006.0491570156", None, "AU", "+61491570006"),
        ("0491570006~0491570156", None, "AU", "+61491570006"),
        ("0491 570 006_0491 570 156", None, "AU", "+61491570006"),
        ("0491570006\u20220491570156", None, "AU", "+61491570006"),
        ("0491~570~0066", None, "AU", None),
        ("Jane 0491 570 159, John 0491 570 160", None, "AU", "+61491570159"),
        ("03 9876 5432/33", None, "AU", "+61398765432"),
        ("604-555-0143 / 604-555-0144", None, "CA", "+16045550143"),
        ("0491 570 006 0", None, "AU", None),
        ("0491 570 006 0491 570 156 0491 570 159", None, "AU", "+61491570006"),
        ("0491570006-0491570156", None, "AU", "+61491570006"),
        ("1) 0491 570 006 2) 0491 570 156", None, "AU", "+61491570006"),
        ("#1 0491570006 #2 0491570156", None, "AU", "+61491570006"),
        ("0491570006(0491570156)", None, "AU", "+61491570006"),
        ("(212) 555-0143 [home]", None, "US", "+12125550143"),
        ("212-555-O143", None, "US", None),
        ("1. 604 555 0143 2. 604 555 0144", None, "CA", "+16045550143"),
        # the end of a second number, or an extension, where a longer number is valid too
        ("021 123 456/7", None, "NZ", "+6421123456"),
        ("021 123 456/7/8", None, "NZ", "+6421123456"),
        ("021 123 456-7", None, "NZ", "+6421123456"),
        ("021 123 456-7", "64211234567", "NZ", "+6421123456"),
        ("021 123 456-7 09 361 2345", None, "NZ", "+6421123456"),
        ("01 234 5678-7 01 234 5670", None, "IE", "+35312345678"),
        ("Ph. 021 1234 5678-7. 1) 09 361 2345 (fax)", None, "NZ", "+642112345678"),
        ("1300 975 707 9-5/0491 570 006", None, "AU", "+611300975707"),
        ("021 123 456 9-5->09 361 2345", None, "NZ", "+6421123456"),
        ("021 123 456 - 7", None, "NZ", "+6421123456"),
        ("021 123 456 (7)", None, "NZ", "+6421123456"),
        ("mob 021 123 456-7", None, "NZ", "+6421123456"),
        ("+64 21 123 456-7", None, "AU", "+6421123456"),
        ("021 123 456:22", None, "NZ", "+6421123456"),
        ("021 123 456*2", None, "NZ", "+6421123456"),
        ("021 123 456*2", "64211234562", "NZ", "+6421123456"),
        ("021 123 456\\7", None, "NZ", "+6421123456"),
        ("021 123 456~7", None, "NZ", "+6421123456"),
        ("021 123 456 9-5", None, "NZ", "+6421123456"),
        ("9-5 021 123 456", None, "NZ", "+6421123456"),
        ("0800 123 456/7", None, "NZ", "+64800123456"),
        ("021-123-456-7", None, "NZ", None),
        ("021-1234-56-7", None, "NZ", None),
        ("006421123456-7", None, "NZ", "+6421123456"),
        ("021-12-34-567", None, "NZ", "+64211234567"),
        ("021 123 456 7", None, "NZ", "+64211234567"),
        ("021/123/4567", None, "NZ", "+64211234567"),
        ("021 12-34-56", None, "NZ", "+6421123456"),
        ("030 2312 5012/13", None, "DE", "+493023125012"),
        ("030/2312 5012/13", None, "DE", "+493023125012"),
        ("089 1234567/8", None, "DE", "+49891234567"),
        ("0171 1234567/8", None, "DE", "+491711234567"),
        ("0171/1234567", None, "DE", "+491711234567"),
        ("06221/54-2315", None, "DE", "+496221542315"),
        ("089 123456-78", None, "DE", "+498912345678"),
        ("0711/123/4567", None, "DE", None),
        ("021 123 456_22", None, "NZ", "+6421123456"),
        ("021 123 456\u00b9", None, "NZ", "+6421123456"),
        ("\u2460 021 123 456", None, "NZ", "+6421123456"),
        # a stroke behind the code of an area, also where there are words
        ("089/123456 (privat) 0171/1234567 (mobil)", None, "DE", "+4989123456"),
        ("p: 089/123456 d: 089/654321", None, "DE", "+4989123456"),
        ("Handy +49 171/1234567", None, "DE", "+491711234567"),
        ("0171/1234567 ab 17 Uhr", None, "DE", "+491711234567"),
        ("Fax: 089/123457 Tel: 089/123456", None, "DE", "+4989123456"),
        ("Telefax 089/123457, Tel. 089/123456", None, "DE", "+4989123456"),
        ("Mobile 0491/570006", None, "AU", "+61491570006"),
        ("Mum 0491 570 006/0491 570 156", None, "AU", "+61491570006"),
        ("Casa 02/1234/5251", None, "IT", None),
        ("Mum 03 9876 5432/33 or Dad 0491/570/006", None, "AU", "+61398765432"),
        ("Dad 0491/570/006 or Mum 03 9876 5432/33", None, "AU", "+61491570006"),
        ("08-12 39 29 9-5", None, "SE", "+468123929"),
        # what is no telephone number
        ("21/12/80", None, "DE", None),
        ("1980-12-21", None, "IE", None),
        ("12/31/1980", None, "IE", None),
        ("2023-2024", None, "DE", None),
        ("2345678", None, "DE", None),
        ("Tel. 5885834", None, "AT", None),
        ("1711234567", None, "DE", "+491711234567"),
        ("Medicare 2123 45670 1", None, "NZ", None),
        ("NDIS no. 430123456", None, "AU", None),
        ("MRN 491570156", None, "AU", None),
        ("UR no. 491570156", None, "AU", None),
        ("NDIS 430123456, 0491 570 006", None, "AU", "+61491570006"),
        ("https://example.com/12345678", None, "IE", None),
        # the country's own code without a plus sign
        ("49 171 1234567", None, "DE", "+491711234567"),
        ("61 491 570 006", None, "AU", "+61491570006"),
        ("0491\t570\t006", None, "AU", "+61491570006"),
        # numbers that are somebody else's by now
        ("wrong number 0491 570 006", None, "AU", None),
        ("0491 570 006 (disconnected)", "61491570006", "AU", None),
        ("old: 0491 570 006 new: 0491 570 156", None, "AU", None),
        ("0491 570 006 (an old friend)", None, "AU", "+61491570006"),
        ("was 0491 570 006 now 0491 570 156", None, "AU", None),
        ("not 0491 570 006, use 0491 570 156", None, "AU", None),
        ("previous number 0491 570 006", None, "AU", None),
        ("0491 570 006 (former)", None, "AU", None),
        ("don\u2019t use 0491 570 006", None, "AU", None),
        ("0491 570 006 not hers", "61491570006", "AU", None),
        ("0491 570 006 inactive", None, "AU", None),
        ("0491 570 006 (cancelled)", None, "AU", None),
        ("0491 570 006 number cancelled", None, "AU", None),
        ("cancelled: 0491 570 006", None, "AU", None),
        ("0491 570 006 (cancelled last appt)", None, "AU", "+61491570006"),
        ("0491 570 006 appt cancelled", None, "AU", "+61491570006"),
        ("0491 570 006, not 0491 570 156", None, "AU", "+61491570006"),
        ("0491 570 006 (was 0491 570 156)", None, "AU", "+61491570006"),
        ("0491 570 006 was 0491 570 156 now 0491 570 159", None, "AU", None),
        ("0491 570 006 (was in hospital)", None, "AU", "+61491570006"),
        ("0491 570 006 (not after 9)", None, "AU", "+61491570006"),
        # the country beside it
        ("NZ 021 234 5678", None, "AU", "+64212345678"),
        ("NZ 021 234 5678", "61212345678", "AU", "+64212345678"),
        ("027 412 3456 (New Zealand)", None, "AU", "+64274123456"),
        ("UK: 07400 123456", None, "AU", "+447400123456"),
        ("087 123 4567 Irish mobile", None, "GB", "+353871234567"),
        ("USA 212 555 0143", None, "AU", "+12125550143"),
        ("0491 570 006 (in the UK until May)", None, "AU", "+61491570006"),
        ("Aus 0491 570 006, NZ 021 234 5678", None, "AU", "+61491570006"),
        ("Aus 0491 570 006 NZ 021 234 5678", None, "GB", "+61491570006"),
        ("0491 570 006, NZ 021 123 4567", None, "AU", "+61491570006"),
        ("0491 570 006/021 123 4567 (NZ)", None, "AU", "+61491570006"),
        ("07400 123456, USA 212 555 0143", None, "GB", "+447400123456"),
        ("087 123 4567 Irish mobile, 07400 123456", None, "GB", "+353871234567"),
        ("NZ mob: 021 234 5678 (wife Jane)", None, "AU", "+64212345678"),
        ("Mum (NZ) 021 234 5678", None, "AU", "+64212345678"),
        ("Mum (NZ trip) 021 234 5678", None, "AU", "+61212345678"),
        ("NZ021 234 5678", None, "AU", "+64212345678"),
        ("NZ 021 123 456/7", None, "AU", "+6421123456"),
        ("021/234/5678 (NZ)", None, "AU", "+64212345678"),
        ("UK 07400/123456", None, "AU", "+447400123456"),
        # a name or a remark is no country of a number that is one at home, or as Cliniko has read it
        ("Mrs Ireland 08 9123 4567", None, "AU", "+61891234567"),
        ("Ireland 08 9123 4567", None, "AU", "+61891234567"),
        ("Ireland: 087 123 4567", None, "GB", "+353871234567"),
        ("Mum in Ireland 087 123 4567", None, "GB", "+353871234567"),
        ("Mrs Ireland 087 123 4567", None, "GB", None),
        ("08 9321 4567 Kathy Ireland", "61893214567", "AU", "+61893214567"),
        ("027 412 3456 Australia trip", None, "NZ", "+64274123456"),
        ("087 123 4567 Aus visa", None, "IE", "+353871234567"),
        ("0491 570 006 Australia trip", None, "NZ", None),
        ("021 234 5678 NZ", None, "AU", "+61212345678"),
        ("021 234 5678 NZ", None, "GB", "+64212345678"),
        ("021 234 5678 NZ", "61212345678", "GB", "+61212345678"),
        ("CALL US 0491 570 006", None, "AU", "+61491570006"),
        ("0491 570 006 (not working Fridays)", None, "AU", "+61491570006"),
        ("0491 570 006 not working", None, "AU", None),
        ("0491 570 006 doesn\u2019t work", None, "AU", None),
        ("0491 570 006 does not work Fridays", None, "AU", "+61491570006"),
        ("0711 12-34 567", None, "DE", "+497111234567"),
        ("01/58858-12", None, "AT", "+4315885812"),
        ("044 668 18 00/01", None, "CH", "+41446681800"),
        ("03 9876 5432-33", None, "AU", "+61398765432"),
        ("0491-570-006-6", None, "AU", None),
        ("01 234 5678/9", None, "IE", "+35312345678"),
        ("020 7946 0123/4", None, "GB", "+442079460123"),
        ("01204 523456/7", None, "GB", "+441204523456"),
        ("(604) 555-0143/4", None, "CA", "+16045550143"),
        ("(202) 555-0143-4", None, "US", "+12025550143"),
        # remarks and labels
        ("0491 570 159 (wife Jane)", None, "AU", "+61491570159"),
        ("0491570159wife", None, "AU", "+61491570159"),
        ("0491570159m", None, "AU", "+61491570159"),
        ("w0398765432", None, "AU", "+61398765432"),
        ("0491 570 159 - 9am to 5:30pm", None, "AU", "+61491570159"),
        ("0491 570 159 17:00", None, "AU", "+61491570159"),
        ("0491 570 006 after 5pm", None, "AU", "+61491570006"),
        ("0491 570 006 dob 12/3/80", None, "AU", "+61491570006"),
        ("until 01/02/2026 0491 570 006", None, "AU", "+61491570006"),
        ("0491 570 006 [12.03.24 JB]", None, "AU", "+61491570006"),
        ("21/12/1980", None, "DK", None),
        ("0491 570 006 (Mon-Fri 9-5)", None, "AU", "+61491570006"),
        ("0491 570 006 9-5", None, "AU", "+61491570006"),
        ("03 9876 5432 24/7", None, "AU", "+61398765432"),
        ("02 55-50 1234", None, "AU", "+61255501234"),
        ("Unit 4 03 9876 5432", None, "AU", "+61398765432"),
        ("call after 5 (03) 9876 5432", None, "AU", "+61398765432"),
        ("6 0491 570 006", None, "AU", None),
        ("c808-555-0123", None, "US", "+18085550123"),
        ("808-555-0123(h)808-555-0124(c)", None, "US", "+18085550123"),
        ("jane0491570006@example.com", None, "AU", None),
        ("0491 570 006 jane@example.com", None, "AU", "+61491570006"),
        # a fax is no phone, unless it says that it is one too
        ("Fax 03 9876 5432", None, "AU", None),
        ("Fax 03 9876 5432", "61398765432", "AU", None),
        ("F: 03 9876 5432 P: 03 9876 5433", None, "AU", "+61398765433"),
        ("03 9876 5432 (fax); 03 9876 5433", None, "AU", "+61398765433"),
        ("tel 03 9876 5432 fax 03 9876 5433", None, "AU", "+61398765432"),
        ("(P) 03 9123 4567 (F) 03 9123 4568", None, "AU", "+61391234567"),
        ("[F] 03 9123 4568 [P] 03 9123 4567", None, "AU", "+61391234567"),
        ("03 9876 5432 (fax) 03 9876 5433", None, "AU", "+61398765433"),
        ("03 9123 4568 (F) 03 9123 4567 (P)", None, "AU", "+61391234567"),
        ("Jane 03 9123 4568 (f) 03 9123 4567 (p)", None, "AU", "+61391234567"),
        ("Ph/Fax: 03 9876 5432", None, "AU", "+61398765432"),
        ("0491 570 006 father", None, "AU", "+61491570006"),
        ("FAX03 9876 5432", None, "AU", None),
        ("Fx 03 9876 5432", None, "AU", None),
        ("03 9876 5432 - fax", None, "AU", None),
        ("03 9876 5432, fax", None, "AU", None),
        ("03 9876 5432, fax 03 9876 5433", None, "AU", "+61398765432"),
        ("mob0491570006", None, "AU", "+61491570006"),
        ("m0491570006", None, "AU", "+61491570006"),
        ("tel:+61491570006", None, "NZ", "+61491570006"),
        ("03 9876 5432 x12", None, "AU", "+61398765432"),
        ("021 234 5678 wife", None, "NZ", "+64212345678"),
        ("07400 123456 (mum)", None, "GB", "+447400123456"),
        ("087 123 4567 dad", None, "IE", "+353871234567"),
        ("(202) 555-0143 work", None, "US", "+12025550143"),
        ("0491 570 006 (2nd floor)", None, "AU", "+61491570006"),
        # signs between digits that mean nothing
        ("0491_570_006", None, "AU", "+61491570006"),
        ("0491\u00b7570\u00b7006", None, "AU", "+61491570006"),
        ("0491,570,006", None, "AU", "+61491570006"),
        ("0491,570,0066", None, "AU", None),
        ("0491/570/006", None, "AU", "+61491570006"),
        ("0491\\570\\006", None, "AU", "+61491570006"),
        ("0491*570*006", None, "AU", "+61491570006"),
        ("06:12:34:56:78", None, "FR", "+33612345678"),
        ("+61&nbsp;491&nbsp;570&nbsp;006", None, "AU", "+61491570006"),
        ("&#43;61491570006", None, "NZ", "+61491570006"),
        ("\u0660\u0664\u0669\u0661 \u0665\u0667\u0660 \u0660\u0660\u0666", None, "AU", "+61491570006"),
        ("0491 570 006 " * 99, None, "AU", None),
        # signs nobody sees, wide digits, dashes of all lengths, prefixes
        ("0491570006\u200b", None, "AU", "+61491570006"),
        ("\u202a+61 491 570 006\u202c", None, "NZ", "+61491570006"),
        ("\uff10\uff14\uff19\uff11 570 006", None, "AU", "+61491570006"),
        ("0491\u2013570\u2013006", None, "AU", "+61491570006"),
        ("0491\u2043570\u2043006", None, "AU", "+61491570006"),
        ("0491\u22c5570\u22c5006", None, "AU", "+61491570006"),
        ("0491 570 006\u3164", None, "AU", "+61491570006"),
        ("%2B61%20491%20570%20006", None, "NZ", "+61491570006"),
        ("0061 491 570 006", None, "AU", "+61491570006"),
        ("+61 (0)491 570 006", None, "IE", "+61491570006"),
        # how many there are of something, and what a word behind digits may claim
        ("021 123 456 2 kids", None, "NZ", "+6421123456"),
        ("021 123 456 2 kids", "64211234562", "NZ", "+6421123456"),
        ("021 123 456 (2 kids)", None, "NZ", "+6421123456"),
        ("021 123 456 24 hrs", None, "NZ", "+6421123456"),
        ("021 123 456 9 to 5", None, "NZ", "+6421123456"),
        ("089 123456 8 bis 17 Uhr", None, "DE", "+4989123456"),
        ("08-12 39 29 2 kids", "4681239292", "SE", "+468123929"),
        ("040 123 45 67 hours 9-5", None, "FI", "+358401234567"),
        ("040 123 456 9 to 5", None, "FI", "+35840123456"),
        ("089 123456 100%", "4989123456100", "DE", "+4989123456"),
        ("021 123 456 7 cousins", None, "NZ", None),
        ("021 123 456 7 cousins", "64211234567", "NZ", None),
        ("0664 123456 2 Hunde", None, "AT", None),
        ("089 12 34 56 78 privat", None, "DE", "+498912345678"),
        ("021 123 456 5%", None, "NZ", "+6421123456"),
        ("0171 1234567 (2)", None, "DE", "+491711234567"),
        ("021 123 456 [5]", "64211234565", "NZ", None),
        ("021 123 456 3b Smith St", "64211234563", "NZ", None),
        ("0491570006 9-5pm", None, "AU", "+61491570006"),
        ("0491 570 006 after 1730 hrs", None, "AU", "+61491570006"),
        ("0491 570 006 0900-1700", None, "AU", "+61491570006"),
        ("0491 570 006 (0900 - 1730)", "6149157000609001730", "AU", "+61491570006"),
        ("2100-1200", None, "HK", "+85221001200"),
        # a digit before a number that begins with a zero
        ("2 021 123 456", None, "NZ", None),
        ("2-021 123 456", None, "NZ", None),
        ("(2) 021 123 456", None, "NZ", "+6421123456"),
        ("2 x 021 123 456", None, "NZ", "+6421123456"),
        ("2: 021 123 456", None, "NZ", "+6421123456"),
        ("Phone2 021 123 456", None, "NZ", "+6421123456"),
        ("phone 2: 021 123 456", None, "NZ", "+6421123456"),
        ("2. 021 123 456", "642021123456", "NZ", "+6421123456"),
        ("1) 040 123456", "3581040123456", "FI", "+35840123456"),
        ("9-5 0171 1234567", "499501711234567", "DE", "+491711234567"),
        ("Room 12 0664 123456", None, "AT", None),
        ("Room 12 0664 123456", "43120664123456", "AT", None),
        ("before 10 - 09 123456", "3581009123456", "FI", None),
        ("level 3: 347 123 4567", None, "IT", "+393471234567"),
        ("61 0491 570 006", None, "AU", "+61491570006"),
        ("22 05 67 89", None, "NO", "+4722056789"),
        ("22 05 67 89 (Kari)", "4722056789", "NO", "+4722056789"),
        ("27 09 64 49", "35227096449", "LU", "+35227096449"),
        ("8 0152 82-82-70", None, "BY", "+375152828270"),
        ("John (son, 12) 0491 570 006", None, "AU", "+61491570006"),
        ("9876 5432 (h)", "61398765432", "AU", "+61398765432"),
        # what stands between digits and is no number parts them
        ("0491 570 9am 006", None, "AU", None),
        ("0491 9-5 570 006", None, "AU", None),
        ("0491 570 006 9am 0491 570 156", None, "AU", "+61491570006"),
        # too short, too long
        ("9876 5432", None, "AU", None),
        ("0491 570 00", "6149157000", "AU", None),
        ("0491 570 0066", None, "AU", None),
    ],
)
def test_a_number_is_found_where_a_person_would_find_it(
    typed: str, normalized: str | None, country: str, expected: str | None
) -> None:
    """A number is read out of remarks and labels; digits are never made up, dropped or joined."""
    assert e164(typed, normalized, None, (country,)) == expected


NUMBERS = [
    ("0491 570 006", "AU"), ("03 9876 5432", "AU"), ("021 123 456", "NZ"), ("09 361 2345", "NZ"), ("07400 123456", "GB"),
    ("01 234 5678", "IE"), ("(604) 555-0143", "CA"), ("0171 1234567", "DE"), ("040 123456", "FI"), ("0664 123456", "AT"),
    ("08-12 39 29", "SE"), ("06 12 34 56 78", "FR"), ("+64 21 123 456", "AU"),
]  # fmt: skip
BEFORE = [
    "", "Mum ", "Jane: ", "ph. ", "2. ", "1) ", "(2) ", "#1 ", "after 5pm ", "Unit 4 ", "9-5 ", "Room 12 ", "aged 7 ", "2 kids, ",
    "dob 1/2/1980 ", "before 10 - ", "level 3: ", "x2 ", "24/7 ", "H2: ",
]  # fmt: skip
BEHIND = [
    "", " (wife)", " Jane", " 2 kids", " 9-5", " 9am-5pm", " 9 to 5", " after 5", " x12", " ext 4", " #7", " (2)", " room 5",
    " 5 rings", " - Unit 4", " dob 1/2/1980", " until 5", "; 7", ", 2", " [5]", " or 5", " no 2", " 2x", " 0800 hrs", " 5%",
    " 5'", " 3b Smith St", " 5 Smith St", " 2nd floor",
]  # fmt: skip


@given(
    st.sampled_from(NUMBERS),
    st.sampled_from(BEFORE),
    st.sampled_from(BEHIND),
    st.sampled_from([None, "run together"]),
)
def test_other_digits_make_no_other_number(
    number: tuple[str, str], before: str, behind: str, run_together: str | None
) -> None:
    """Whatever stands around a number, also where Cliniko took all digits for one: that number is found, or none."""
    digits, country = number
    typed = f"{before}{digits}{behind}"
    code = phonenumbers.country_code_for_region(country)
    all_digits = "".join(filter(str.isdecimal, typed)).lstrip("0")
    normalized = f"{code}{all_digits}" if run_together else None
    right = e164(digits, None, None, (country,))
    assert right is not None
    assert e164(typed, normalized, None, (country,)) in {right, None}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("jane.citizen@example.com.", ["jane.citizen@example.com"]),
        ("jane@example.com\u200b", ["jane@example.com"]),
        ("\ufeffjane@\u2060example.com", ["jane@example.com"]),
        ("mailto:jane@example.com", ["jane@example.com"]),
        ("MAILTO:jane@example.com?subject=Hello", ["jane@example.com"]),
        ('"Citizen, Jane" <jane@example.com>', ["jane@example.com"]),
        ("[jane@example.com](mailto:jane@example.com)", ["jane@example.com"]),
        ("'jane@example.com'", ["jane@example.com"]),
        ("jane@example.com (work)", ["jane@example.com"]),
        ("e-mail: jane@example.com!", ["jane@example.com"]),
        ("jane @ example.com", ["jane@example.com"]),
        ("\uff4aane\uff20example.com", ["jane@example.com"]),
        ("a@example.com;b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com, b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com/b@example.com", ["a@example.com", "b@example.com"]),
        ("broken@example; b@example.com", ["b@example.com"]),
        ("a+b@example.com", ["a+b@example.com"]),
        ("\u201cjane@example.com\u201d", ["jane@example.com"]),
        ("&lt;jane@example.com&gt;&nbsp;", ["jane@example.com"]),
        ("mailto:jane%40example.com", ["jane@example.com"]),
        ("mailto:jane%2Bphysio%40example.com%20", ["jane+physio@example.com"]),
        ("%20jane@example.com%0A", ["jane@example.com"]),
        ("jane%20smith@example.com", []),
        ("jane%dot@example.com", ["jane%dot@example.com"]),
        ("email=jane@example.com", ["jane@example.com"]),
        ("<a href='mailto:jane@example.com'>Jane</a>", ["jane@example.com"]),
        (
            '<a class="x" href="mailto:jane@example.com?subject=x">jane@example.com</a><br>',
            ["jane@example.com"],
        ),
        ("jane@example.com<br>", ["jane@example.com"]),
        ("<p>jane@example.com</p><p>june@example.com</p>", ["jane@example.com", "june@example.com"]),
        ("jane@<b>example</b>.com", []),
        ("<b@example.com>", ["b@example.com"]),
        ("jane@example.com\u3164", ["jane@example.com"]),
        ("jane\ufe0f@example.com\u034f", ["jane@example.com"]),
        ("was jane@example.com now june@example.com", []),
        ("not jane@example.com", []),
        ("not jane@example.com, june@example.com", []),
        ("jane@example.com, not june@example.com", ["jane@example.com"]),
        ("Jane <jane@example.com>, not <june@example.com>", ["jane@example.com"]),
        ("jane@example.com (was june@example.com)", ["jane@example.com"]),
        ("jane@example.com not june@example.com now a@example.com", []),
        ("jane@example.com (cancelled)", []),
        ("jane@example.com cancelled last appt", ["jane@example.com"]),
        ("previous email jane@example.com", []),
        ("jane (at) example.com", ["jane@example.com"]),
        ("jane[AT]example.com", ["jane@example.com"]),
        ("jane@example\u3002com", ["jane@example.com"]),
        ("a@example.com\u3001b@example.com", ["a@example.com", "b@example.com"]),
        ("jane\u3001smith@example.com", []),
        ("jane@example.com=", ["jane@example.com"]),
        ("meet (at) noon", []),
        ("*jane@example.com*", ["jane@example.com"]),
        ("=jane@example.com", ["jane@example.com"]),
        ("http://jane@example.com/", ["jane@example.com"]),
        ("jane@example.com'", ["jane@example.com"]),
        ("o\u2019brien@example.com", ["o'brien@example.com"]),
        ("jane@m\u00fcller.example", ["jane@xn--mller-kva.example"]),
        ("jane@stra\u00dfe.example", []),
        ("jane@example\u2026com", []),
        ("jane@example.com,au", []),
        ("jane@example.com,Jo", ["jane@example.com"]),
        ("jane citizen @example.com", []),
        ("jane@@example.com", []),
        ("\u2709\ufe0f jane@example.com", ["jane@example.com"]),
        ("\u2709jane@example.com\U0001f600", ["jane@example.com"]),
        ("jane@example.com\u00b7", ["jane@example.com"]),
        ("jane\u00b7citizen@example.com", []),
        ("jane (at) example (dot) com", ["jane@example.com"]),
        ("jane[at]example[.]com", ["jane@example.com"]),
        ("0491570006/jane@example.com", ["jane@example.com"]),
        ("jane@example,com", []),
        # a sign inside of a name before the at sign: what stands behind it would be somebody else
        ("jane+physio@example.com/john@example.net", ["jane+physio@example.com", "john@example.net"]),
        ("a@example.com&jane+physio@example.net", ["a@example.com", "jane+physio@example.net"]),
        ("a@example.com+b@example.com/", ["a@example.com", "b@example.com"]),
        ("a@example.com.bob@example.net", []),
        ("jane&june@example.com", ["jane&june@example.com"]),
        ("tom&ethel@example.com", ["tom&ethel@example.com"]),
        ("jane,smith@example.com", []),
        ("jane;smith@example.com", []),
        ("jane:smith@example.com", []),
        ("jane>smith@example.com", []),
        ("jane<smith@example.com", []),
        ("jane(smith@example.com", []),
        ("jane|smith@example.com", []),
        ("jane\uff0csmith@example.com", []),
        ("o\u00b4brien@example.com", []),
        ("jane\u00a8smith@example.com", []),
        ("Dr jane\u203esmith@example.com", []),
        ("jane. smith@example.com", []),
        ("jane _smith@example.com", []),
        ("jane,smith@example.com, june@example.com", ["june@example.com"]),
        ("a@example.com,b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com. b@example.com", ["a@example.com", "b@example.com"]),
        ("\u00b4jane@example.com\u00b4", ["jane@example.com"]),
        ("Jane<jane@example.com>", ["jane@example.com"]),
        ("Jane(jane@example.com)", ["jane@example.com"]),
        ('"Jane"jane@example.com', ["jane@example.com"]),
        ("(work)jane@example.com", ["jane@example.com"]),
        ("Email:jane@example.com", ["jane@example.com"]),
        ("work;jane@example.com", ["jane@example.com"]),
        ("0491570006,jane@example.com", ["jane@example.com"]),
        ("1)a@example.com 2)b@example.com", ["a@example.com", "b@example.com"]),
        ("Dr. jane@example.com", ["jane@example.com"]),
        ("mailto:a@example.com?cc=b@example.com", ["a@example.com"]),
        ("jane smith@example.com", []),
        ("Jane jane.smith@example.com", ["jane.smith@example.com"]),
        ("Mum june@example.com", ["june@example.com"]),
        ("jane ,smith@example.com", []),
        # a blank inside, whatever stands around it
        ("mailto:jane smith@example.com", []),
        ("email: jane smith@example.com", []),
        ("Dr Jane smith@example.com", []),
        ("mary jane smith@example.com", []),
        ("jane.smith- jones@example.com", []),
        ("jane smith@example.com; june@example.net", ["june@example.net"]),
        ("JANE DOE SMITH@EXAMPLE.COM", []),
        ("Jane Citizen info@example.com", ["info@example.com"]),
        ("Citizen, Jane info@example.com", ["info@example.com"]),
        ("please use jane@example.com", ["jane@example.com"]),
        ("husband's june@example.com", ["june@example.com"]),
        ("home- june@example.com", ["june@example.com"]),
        ("jane@example.com @jane", ["jane@example.com"]),
        ("https://example.com/?e=jane@example.com", []),
        ("o\u02bcbrien@example.com", ["o'brien@example.com"]),
        ("?jane@example.com?", ["jane@example.com"]),
        ("Jane <j_s@example.com>", ["j_s@example.com"]),
        ("Jane (info@example.com)", ["info@example.com"]),
        ("jane & john@example.com", []),
        ("a@example.com & b@example.com", ["a@example.com", "b@example.com"]),
        ("jane@example.com/0491570006", ["jane@example.com"]),
        # what its own remark calls wrong
        ("wrong: jane@example.com", []),
        ("jane@example.com (bounced)", []),
        ("jane@example.com (undeliverable)", []),
        ("jane@example.com doesn't exist", []),
        ("old: a@example.com new: b@example.com", []),
        ("old@example.com", ["old@example.com"]),
        # a sign inside of a domain
        ("jane@gm\u0430il.example", []),
        ("jane@example.net;au", []),
        ("jane@example.net>au", []),
        ("jane@example.net,com.au", []),
        ("jane@example.com,AU", []),
        ("jane@example.co uk", []),
        ("jane@example.com. au", []),
        ("jane@example.com at work", ["jane@example.com"]),
    ],
)
def test_an_address_is_found_where_a_person_would_find_it(typed: str, expected: list[str]) -> None:
    """What stands around an address is left out; what is wrong in it is not mended."""
    assert emails(typed) == expected


@pytest.mark.parametrize(
    "typed", ["a@example <a href=" + " " * 400_000, "a@example" + " " * 400_000, "<a " * 130_000 + ">"]
)
def test_a_text_of_blanks_and_tags_is_read_once(typed: str) -> None:
    """Searched again from every blank, such a text would take longer than any test may."""
    assert emails(typed) == []


ADDRESSES = [
    "jane@example.com",
    "o'brien@example.ie",
    "jane.smith+a@mail.example.com.au",
    "j/x@example.co.uk",
]


@given(
    st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True),
    st.sampled_from([" ", "\n", ", ", ",", ";", "; ", "/", " / ", "&", " & ", " and ", "|"]),
)
def test_addresses_that_follow_one_another_are_all_found(several: list[str], between: str) -> None:
    """Whatever parts them, each is whole."""
    assert emails(between.join(several)) == several
    assert emails(", ".join(f"Jane <{each}>" for each in several)) == several


@given(
    st.sampled_from(["jane", "j.p", "mary-ann", "O'Neil", "jane2", "k_", "jane.", "jane-"]),
    st.sampled_from([" ", "  ", "\u00a0", "\t", "\n"]),
    st.sampled_from(["smith", "doe.x", "van-berg", "Smith"]),
    st.sampled_from(
        [
            "{}",
            "mailto:{}",
            "<{}>",
            "Jo <{}>",
            "Dr {}",
            "E-mail: {}",
            "{} (work)",
            "{}; June",
            "({})",
            "mum: {}",
        ]
    ),
)
def test_the_rest_of_an_address_is_none(begin: str, blank: str, end: str, around: str) -> None:
    """An address with a blank in it could be mended in two ways, and its end is somebody else's."""
    assert emails(around.format(f"{begin}{blank}{end}@example.com")) == []


@given(st.characters(exclude_categories=("Z", "C"), exclude_characters="@"))
def test_no_sign_makes_a_part_of_an_address_one(sign: str) -> None:
    """What stands behind it would be somebody else; only a remark in brackets is no part of an address."""
    assume("(" not in unicodedata.normalize("NFKC", sign))
    assert "smith@example.com" not in emails(f"Dr jane{sign}smith@example.com, June")


@pytest.mark.parametrize(
    ("kind", "typed", "home", "expected"),
    [
        ("Mobile", "0412 345 678", "DE", "+61412345678"),
        ("Mobile", "0412345678", "DE", "+61412345678"),
        ("Home", "0412 345 678", "DE", "+61412345678"),
        ("Home", "0412345678", "DE", "+49412345678"),
        ("Home", "02 9876 5432 (Mum)", "NZ", "+61298765432"),
        ("Home", "029 876 5432", "NZ", "+64298765432"),
        ("Home", "021 123 456 7 cousins", "NZ", None),
        ("Home", "021 123 456 2 kids", "NZ", "+6421123456"),
        ("Mobile", "0171 1234567", "DE", "+491711234567"),
        ("Mobile", "021 234 5678", "NZ", "+64212345678"),
        ("Mobile", "087 123 4567", "IE", "+353871234567"),
        ("Mobile", "03 98765432", "DE", "+49398765432"),
    ],
)
def test_a_number_that_is_valid_in_two_countries_is_of_the_one_that_shows(
    kind: str, typed: str, home: str, expected: str | None
) -> None:
    """A patient may have moved and kept the number: how its digits are grouped tells the country, then its kind."""
    numbers = [{"number": typed, "phone_type": kind}]
    found = one("patients", "hl_contacts", patient_phone_numbers=numbers, country_code=home)
    assert found["phone"] == expected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("Home", "mobile"), "+61491570156"),
        (("Cell", "Home"), "+61491570156"),
        (("Cell", "Fax"), "+61491570006"),
        (("Work fax", None), "+61491570156"),
    ],
)
def test_a_number_of_an_unknown_kind_is_one_too(kinds: tuple[str | None, ...], expected: str) -> None:
    """Only a fax never becomes the contact's phone, however its kind is spelled."""
    numbers = ("0491 570 006", "0491 570 156")
    phones = [{"number": number, "phone_type": kind} for number, kind in zip(numbers, kinds, strict=True)]
    assert one("patients", "hl_contacts", patient_phone_numbers=phones)["phone"] == expected


def test_an_unusable_address_is_kept_and_the_contact_tagged() -> None:
    """The text stays on the contact, and a tag finds who cannot be reached; one good address of several is enough."""
    phones = [{"number": "03 98E76 5432", "phone_type": "Mobile"}]
    found = one("patients", "hl_contacts", email="jane@@example.com", patient_phone_numbers=phones)
    assert (found["email"], found["phone"]) == (None, None)
    assert (found["cliniko_email"], found["cliniko_phone"]) == ("jane@@example.com", "03 98E76 5432")
    assert found["tags"] == ["patient", "invalid-email", "invalid-phone"]
    two = "jane@@example.com, june@example.com"
    found = one("patients", "hl_contacts", email=two, patient_phone_numbers=[])
    assert (found["email"], found["cliniko_email"], found["tags"]) == ("june@example.com", two, ["patient"])
    assert one("contacts", "hl_contacts", email="nowhere")["tags"][-1] == "invalid-email"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"preferred_first_name": "Bob"}, ("Bob", None)),
        ({"preferred_first_name": None}, ("Patient 7", None)),
        ({"first_name": "\u200b", "preferred_first_name": " "}, ("Patient 7", None)),
        ({"first_name": "\u3164", "preferred_first_name": "\u2800"}, ("Patient 7", None)),
        ({"first_name": ".", "last_name": "-", "preferred_first_name": "Bob"}, ("Bob", None)),
        ({"first_name": "?", "preferred_first_name": "..."}, ("Patient 7", None)),
        ({"first_name": "\u674e", "last_name": "."}, ("\u674e", ".")),
        ({"last_name": "Only", "preferred_first_name": "Bob"}, (None, "Only")),
        ({"first_name": "&nbsp;", "preferred_first_name": "\U0001f600"}, ("Patient 7", None)),
        ({"first_name": "Ren&eacute;e", "last_name": "O&#39;Brien"}, ("Ren\u00e9e", "O'Brien")),
        ({"first_name": "A&B;", "last_name": "&lt;b&gt;"}, ("A&B;", "&lt;b&gt;")),
        ({"first_name": "Mary\nAnn", "last_name": "van&nbsp;der\tBerg"}, ("Mary Ann", "van der Berg")),
    ],
)
def test_a_patient_without_a_name_gets_one(names: dict[str, Any], expected: tuple[Any, Any]) -> None:
    """HighLevel refuses a contact without name and address: the preferred name is one, else the number in Cliniko."""
    changes = {"first_name": None, "last_name": None} | names
    found = one("patients", "hl_contacts", **changes)
    assert (found["firstName"], found["lastName"]) == expected
    shown = one("patients", "hl_patient_profiles", **changes)["patient_name"]
    assert shown == " ".join(filter(None, expected))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"company_name": "Acme &amp; Sons"}, "Acme & Sons"),
        ({"preferred_name": "Bob"}, "Bob"),
        ({"title": "Dr"}, "Dr contacts/55"),
        ({"title": None}, "contacts/55"),
    ],
)
def test_a_contact_without_a_name_gets_one(names: dict[str, Any], expected: str) -> None:
    """The company or the preferred name is one; a title alone names nobody."""
    changes = {"first_name": None, "last_name": None, "preferred_name": None, "company_name": None} | names
    assert one("contacts", "hl_contacts", **changes)["firstName"] == expected
