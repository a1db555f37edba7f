//! Money as whole micro-dollars and prices per million tokens. Never a float in a ledger.

use std::fmt;

/// An amount in micro-dollars (10⁻⁶ USD).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// That many micro-dollars.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The amount in micro-dollars.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Both amounts, stopping at the largest that fits.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// A policy's number of USD, with up to six decimals; `None` for a negative, unbounded or finer one.
    pub fn from_usd(usd: f64) -> Option<Self> {
        scaled(usd, 1e6).map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A price in pico-dollars a token, which is micro-dollars per million tokens: 1 USD per million tokens is 1,000,000.
///
/// Why so fine: list prices go down to 0.005 USD per million tokens, and a rounded unit price would be multiplied by
/// every token; rounding happens once, on the whole cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenPrice(u64);

impl TokenPrice {
    /// Free of charge.
    pub const FREE: Self = Self(0);

    /// That many pico-dollars a token.
    pub const fn from_picos(picos: u64) -> Self {
        Self(picos)
    }

    /// The price in pico-dollars a token.
    pub const fn picos(self) -> u64 {
        self.0
    }

    /// A price in USD per million tokens, with up to six decimals; `None` for a negative, unbounded or finer one.
    pub fn from_usd_per_mtok(usd: f64) -> Option<Self> {
        scaled(usd, 1e6).map(Self)
    }

    /// The cost of `tokens` at this price, in pico-dollars, stopping at the largest that fits.
    pub const fn times(self, tokens: u64) -> Picos {
        Picos(self.0 as u128 * tokens as u128)
    }
}

/// A sum of exact costs in pico-dollars (10⁻¹² USD) before its one rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Picos(u128);

impl Picos {
    /// Both sums.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Rounded up to whole micro-dollars: books never show less than was spent.
    pub const fn rounded_up(self) -> Money {
        let micros = self.0.div_ceil(1_000_000);
        Money(if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 })
    }
}

/// `value` × `scale` as a whole number, if it is one to within a float's error.
fn scaled(value: f64, scale: f64) -> Option<u64> {
    let product = value * scale;
    let whole = product.round();
    let fits = value.is_finite() && value >= 0.0 && whole < 9.0e18;
    (fits && (product - whole).abs() <= 1e-9 * scale.max(product.abs())).then_some(whole as u64)
}

#[cfg(test)]
mod tests {
    use super::{Money, TokenPrice};

    #[test]
    fn a_cost_is_rounded_once_and_up() {
        let price = TokenPrice::from_usd_per_mtok(0.15).expect("a price");
        assert_eq!(price.picos(), 150_000);
        assert_eq!(price.times(7).rounded_up(), Money::from_micros(2));
        assert_eq!(price.times(7).plus(price.times(13)).rounded_up(), Money::from_micros(3));
        assert_eq!(TokenPrice::FREE.times(u64::MAX).rounded_up(), Money::ZERO);
    }

    #[test]
    fn usd_takes_six_decimals_and_no_more() {
        assert_eq!(Money::from_usd(0.5), Some(Money::from_micros(500_000)));
        assert_eq!(Money::from_usd(0.000001), Some(Money::from_micros(1)));
        assert_eq!(Money::from_usd(0.0000005), None);
        assert_eq!(Money::from_usd(-1.0), None);
        assert_eq!(Money::from_usd(f64::NAN), None);
        assert_eq!(Money::from_usd(1e300), None);
    }

    #[test]
    fn money_reads_as_dollars() {
        assert_eq!(Money::from_micros(1_234_567).to_string(), "$1.234567");
    }
}
