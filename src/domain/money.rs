//! Money: whole minor units of one currency, never a fraction, never a float.

use std::fmt;

/// An amount in the currency's minor unit (cents; whole won). Between 0 and [`Money::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 10^15 minor units, which every JSON reader holds exactly (< 2^53).
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// `minor` units, or `None` when negative or above [`Money::MAX`].
    #[must_use]
    pub const fn new(minor: i64) -> Option<Self> {
        if minor < 0 || minor > Self::MAX.0 { None } else { Some(Self(minor)) }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The sum of both. Never overflows; a sum above [`Money::MAX`] is kept as it is, so that
    /// "one more than the most" stays out of every bidder's reach.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A currency by its ISO 4217 code; only those in [`Currency::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency {
    code: &'static str,
    decimals: u32,
}

impl Currency {
    /// The currencies that can be auctioned in, with the digits of their minor unit (ISO 4217).
    pub const ALL: [Self; 8] = [
        Self::of("KRW", 0),
        Self::of("USD", 2),
        Self::of("EUR", 2),
        Self::of("GBP", 2),
        Self::of("JPY", 0),
        Self::of("CNY", 2),
        Self::of("CHF", 2),
        Self::of("AUD", 2),
    ];
    /// The currency of an auction that names none.
    pub const DEFAULT: Self = Self::ALL[0];

    const fn of(code: &'static str, decimals: u32) -> Self {
        Self { code, decimals }
    }

    /// The currency with this ISO 4217 code in capitals, if it can be auctioned in.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|currency| currency.code == code)
    }

    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// How many digits of an amount stand behind the decimal point.
    #[must_use]
    pub const fn decimals(self) -> u32 {
        self.decimals
    }
}
