"""Numbers as the page, the documents and the commands write them: three significant digits, and changes with their sign."""

from __future__ import annotations

import math

PLAIN = (1e-6, 1e6)  # in size, from here up to there: no powers of ten
MINUS = "\N{MINUS SIGN}"  # as wide as a plus; never a hyphen


def number(value: float) -> str:
    """Three significant digits: "0.00123", "21.6", "1,050"; powers of ten only from a million on ("2.5e7") and below a millionth.

    Below 0 it begins with a minus sign (U+2212). What is not finite is "inf", "−inf" or "nan".
    """
    if not math.isfinite(value):
        return f"{value}".replace("-", MINUS)
    digits, power = f"{abs(value):.2e}".split("e")
    rounded = float(f"{digits}e{power}")  # first, so that 999.6 becomes a thousand
    sign = MINUS if value < 0 and rounded else ""
    if rounded and not PLAIN[0] <= rounded < PLAIN[1]:
        return f"{sign}{float(digits):g}e{int(power)}"
    places = max(0, 2 - int(power))
    written = f"{rounded:,.{places}f}"
    return sign + (written.rstrip("0").rstrip(".") if places else written)


def signed(value: float) -> str:
    """The same with its sign, also where it rose: "+1.2", "−0.5", "±0"."""
    if math.isnan(value):
        return number(value)
    return "±0" if value == 0 else ("+" if value > 0 else MINUS) + number(abs(value))


def percent(share: float) -> str:
    """A share with its sign, in percent: 0.05 is "+5.0 %". Three significant digits, and one place at most: "+34.1 %", "+1,230 %"."""
    if not math.isfinite(share):
        return f"{signed(share)} %"
    rounded = round(100 * share, 1)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else "±"
    return f"{sign}{abs(rounded):.1f} %" if abs(rounded) < 100 else f"{sign}{number(abs(rounded))} %"


def change(value: float, start: float) -> str:
    """What a value that cannot be below 0 has changed since the start, in percent of the start; "" where there is no such percentage."""
    return percent(value / start - 1) if start > 0 and math.isfinite(start) and not math.isnan(value) else ""
