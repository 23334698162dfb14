"""Bodies as HighLevel takes them and gives them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import simplejson


def encode(payload: Any) -> bytes:
    """JSON in UTF-8; a Decimal is written as the number it is, digit by digit, as money must be.

    Half a surrogate pair, left over where a text was cut in the middle of an emoji, becomes a question mark:
    UTF-8 cannot hold it.

    Raises:
        ValueError: a number is not finite.
    """
    text = simplejson.dumps(
        payload, use_decimal=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return str(text).encode("utf-8", "replace")


def decode(content: bytes) -> Any:
    """The parsed body; numbers with a fraction come back as Decimals.

    Raises:
        ValueError: it is not JSON, or only the beginning of some.
    """
    return json.loads(content, parse_float=Decimal)
