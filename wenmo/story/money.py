"""What computing texts costs on a machine that is paid by the hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from wenmo.errors import InputError
from wenmo.lab.fits import CARDS_GIB

Currency = Literal["¥", "$", "€"]
CURRENCIES: tuple[Currency, ...] = get_args(Currency)
MIN_PRICE, MAX_PRICE = 0.01, 10_000.0
MAX_TEXTS = 10_000_000_000
MILLION = 1_000_000
DAYS_A_YEAR = 365


@dataclass(frozen=True, kw_only=True)
class Price:
    """The visitor's GPU, by its memory; the price of its hour, with two decimals; how many texts come in a day.

    The defaults are round numbers, not anybody's offer. Raises InputError for values out of range.
    """

    per_hour: float = 1.0
    texts_per_day: int = MILLION
    currency: Currency = "¥"
    card_gib: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_hour", round(self.per_hour, 2))
        if not MIN_PRICE <= self.per_hour <= MAX_PRICE:  # nan, too
            raise InputError(
                f"The price of an hour must be {MIN_PRICE:g} to {MAX_PRICE:,.0f}.",
                f"每小时价格应为 {MIN_PRICE:g} 至 {MAX_PRICE:,.0f}。",
            )
        if not 1 <= self.texts_per_day <= MAX_TEXTS:
            raise InputError(
                f"The texts of a day must be 1 to {MAX_TEXTS:,}.", f"每天的文本数应为 1 至 {MAX_TEXTS:,}。"
            )
        if self.card_gib not in CARDS_GIB:
            raise InputError(
                f"The GPU's memory must be one of {', '.join(map(str, CARDS_GIB))} GB.",
                f"显卡应为 {'、'.join(map(str, CARDS_GIB))} GB 之一。",
            )
        if self.currency not in CURRENCIES:
            raise InputError(
                f"The currency must be one of {', '.join(CURRENCIES)}.", f"货币应为 {'、'.join(CURRENCIES)} 之一。"
            )

    def of(self, texts: float, texts_per_s: float) -> float:
        """texts / (texts per second * 3600 seconds per hour) * price of an hour."""
        return hours(texts, texts_per_s) * self.per_hour

    def shown(self, amount: float) -> str:
        """`amount` with the currency's sign: no decimals from 1,000 on, four below 0.1, otherwise two."""
        sign, size = "−" if amount < 0 else "", abs(amount)
        decimals = 0 if size >= 1000 else 4 if 0 < size < 0.1 else 2
        return f"{sign}{self.currency}{size:,.{decimals}f}"

    @property
    def shown_per_hour(self) -> str:
        """The price as it was given, for formulas."""
        return f"{self.currency}{self.per_hour:,.2f}"


def hours(texts: float, texts_per_s: float) -> float:
    """The hours that one machine takes for `texts`."""
    return texts / texts_per_s / 3600
