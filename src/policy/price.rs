//! What a model's tokens cost: list price, tiers by length, dated changes, off-peak hours. Not which model has which
//! price (see `policy::catalog`) and not who pays (see `ledger`).

use crate::chat::money::{Money, TokenPrice};
use crate::chat::usage::Usage;
use crate::config::policy::WrittenPrice;
use crate::host::Timestamp;

/// The prices of one model.
///
/// Why absent prices are kept absent: "not offered" and "costs as much as input" cost the same here, but a listing must
/// not show a cache price that the vendor does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// An input token that is neither read from nor written to the prompt cache.
    pub input: TokenPrice,
    /// An output token.
    pub output: TokenPrice,
    /// An input token read from the prompt cache; the input price when absent.
    pub cache_read: Option<TokenPrice>,
    /// An input token written to the prompt cache; the input price when absent.
    pub cache_write: Option<TokenPrice>,
    /// An input token written to the one-hour prompt cache; the price of `cache_write` when absent.
    pub cache_write_1h: Option<TokenPrice>,
    /// A reasoning token; the output price when absent.
    pub reasoning: Option<TokenPrice>,
    /// Prices of long requests, in ascending order of `above_input_tokens`.
    pub tiers: Vec<Tier>,
    /// Dated changes of the list price, in ascending order of `from`.
    pub changes: Vec<PriceChange>,
    /// Prices of the quiet hours.
    pub off_peak: Option<OffPeak>,
}

/// Prices that stand in for the list price.
///
/// What is absent here (and what has no place here: the one-hour write and reasoning) moves in proportion: cache prices
/// as `input` moves, reasoning as `output` moves. Vendors define them as multiples of those two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Instead of `Prices::input`.
    pub input: TokenPrice,
    /// Instead of `Prices::output`.
    pub output: TokenPrice,
    /// Instead of `Prices::cache_read`.
    pub cache_read: Option<TokenPrice>,
    /// Instead of `Prices::cache_write`.
    pub cache_write: Option<TokenPrice>,
}

/// The price of every token of a request whose input is long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tier {
    /// The tier is for requests with more input tokens than this.
    pub above_input_tokens: u64,
    /// Its prices.
    pub rate: Rate,
}

/// A list price that is known to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceChange {
    /// The first moment of these prices.
    pub from: Timestamp,
    /// The prices from then on.
    pub rate: Rate,
}

/// Prices of the quiet hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffPeak {
    /// Its prices.
    pub rate: Rate,
    /// When they hold.
    pub windows: Vec<Window>,
}

/// A span of the day on some days of the week, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Bit *n* is the *n*th day of the week, Monday being bit 0.
    pub days: u8,
    /// The first minute of the day.
    pub from_minute: u16,
    /// The minute after the last one; 1440 is midnight.
    pub to_minute: u16,
}

impl Prices {
    /// The prices that a policy writes for a target of its own.
    pub fn from_written(written: &WrittenPrice) -> Self {
        Self {
            input: written.input,
            output: written.output,
            cache_read: written.cache_read,
            cache_write: written.cache_write,
            ..Self::default()
        }
    }

    /// What a call costs that ends at `at`, rounded up once.
    ///
    /// Of a usage that contradicts itself (more cached than input), every part that is named is paid for.
    pub fn cost(&self, usage: &Usage, at: Timestamp) -> Money {
        let price = self.effective(usage.input, at);
        let named = usage.cache_read.saturating_add(usage.cache_write).saturating_add(usage.cache_write_1h);
        let write = price.cache_write.unwrap_or(price.input);
        price
            .input
            .times(usage.input.saturating_sub(named))
            .plus(price.cache_read.unwrap_or(price.input).times(usage.cache_read))
            .plus(write.times(usage.cache_write))
            .plus(price.cache_write_1h.unwrap_or(write).times(usage.cache_write_1h))
            .plus(price.output.times(usage.output.saturating_sub(usage.reasoning)))
            .plus(price.reasoning.unwrap_or(price.output).times(usage.reasoning))
            .rounded_up()
    }

    /// The six prices of one request: the list price of that day, the quiet hours', or its tier's.
    fn effective(&self, input_tokens: u64, at: Timestamp) -> Effective {
        let list = Effective {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            reasoning: self.reasoning,
        };
        let change = self.changes.iter().rev().find(|change| change.from <= at).map(|change| &change.rate);
        let quiet = self.off_peak.as_ref().filter(|off_peak| off_peak.holds(at)).map(|off_peak| &off_peak.rate);
        let tier = self.tiers.iter().rev().find(|tier| tier.above_input_tokens < input_tokens).map(|tier| &tier.rate);
        [change, quiet, tier].into_iter().flatten().fold(list, Effective::replaced_by)
    }
}

impl OffPeak {
    /// Whether `at` is in one of the windows.
    fn holds(&self, at: Timestamp) -> bool {
        let minutes = at.secs() / 60;
        // The epoch was a Thursday, the fourth day of the week.
        let day = (minutes / 1440 + 3) % 7;
        let minute = minutes % 1440;
        self.windows.iter().any(|window| {
            window.days >> day & 1 == 1
                && (u64::from(window.from_minute)..u64::from(window.to_minute)).contains(&minute)
        })
    }
}

/// The prices that apply to one request.
#[derive(Clone, Copy)]
struct Effective {
    input: TokenPrice,
    output: TokenPrice,
    cache_read: Option<TokenPrice>,
    cache_write: Option<TokenPrice>,
    cache_write_1h: Option<TokenPrice>,
    reasoning: Option<TokenPrice>,
}

impl Effective {
    fn replaced_by(self, rate: &Rate) -> Self {
        let by_input = |price: TokenPrice| scaled(price, self.input, rate.input);
        Self {
            input: rate.input,
            output: rate.output,
            cache_read: rate.cache_read.or_else(|| self.cache_read.map(by_input)),
            cache_write: rate.cache_write.or_else(|| self.cache_write.map(by_input)),
            cache_write_1h: self.cache_write_1h.map(by_input),
            reasoning: self.reasoning.map(|price| scaled(price, self.output, rate.output)),
        }
    }
}

/// `price` moved as `from` moved to `to`, rounded up; unmoved where `from` is free and has no proportion.
fn scaled(price: TokenPrice, from: TokenPrice, to: TokenPrice) -> TokenPrice {
    if from == TokenPrice::FREE {
        return price;
    }
    let picos = (u128::from(price.picos()) * u128::from(to.picos())).div_ceil(u128::from(from.picos()));
    TokenPrice::from_picos(u64::try_from(picos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use super::{OffPeak, PriceChange, Prices, Rate, Tier, Window};
    use crate::chat::money::{Money, TokenPrice};
    use crate::chat::usage::Usage;
    use crate::config::policy::WrittenPrice;
    use crate::host::Timestamp;

    fn usd(per_mtok: f64) -> TokenPrice {
        TokenPrice::from_usd_per_mtok(per_mtok).unwrap()
    }

    fn list(input: f64, output: f64) -> Prices {
        Prices { input: usd(input), output: usd(output), ..Prices::default() }
    }

    fn micros(prices: &Prices, usage: &Usage) -> u64 {
        prices.cost(usage, Timestamp::default()).micros()
    }

    #[test]
    fn cached_input_costs_the_read_price_and_the_rest_the_input_price() {
        let openai = Prices { cache_read: Some(usd(0.125)), ..list(1.25, 10.0) };
        let usage = Usage { input: 10_000, cache_read: 8_000, output: 500, ..Usage::default() };
        assert_eq!(micros(&openai, &usage), 2_500 + 1_000 + 5_000);
    }

    #[test]
    fn cache_writes_of_both_lifetimes_have_their_own_price() {
        let anthropic = Prices {
            cache_read: Some(usd(0.3)),
            cache_write: Some(usd(3.75)),
            cache_write_1h: Some(usd(6.0)),
            ..list(3.0, 15.0)
        };
        let usage = Usage {
            input: 10_000,
            cache_read: 4_000,
            cache_write: 3_000,
            cache_write_1h: 2_000,
            output: 100,
            ..Usage::default()
        };
        assert_eq!(micros(&anthropic, &usage), 3_000 + 1_200 + 11_250 + 12_000 + 1_500);
    }

    #[test]
    fn absent_prices_fall_back_to_their_nearest() {
        let usage = Usage {
            input: 6,
            cache_read: 1,
            cache_write: 2,
            cache_write_1h: 3,
            output: 5,
            reasoning: 5,
            ..Usage::default()
        };
        assert_eq!(micros(&list(1e6, 1e6), &usage), 11_000_000);
        let write = Prices { cache_write: Some(usd(2e6)), ..list(1e6, 0.0) };
        assert_eq!(micros(&write, &usage), 11_000_000, "the one-hour write costs what a write costs");
    }

    #[test]
    fn a_reasoning_price_is_for_the_reasoning_part_of_the_output() {
        let prices = Prices { reasoning: Some(usd(3.0)), ..list(2.0, 8.0) };
        let usage = Usage { output: 1_000, reasoning: 600, ..Usage::default() };
        assert_eq!(micros(&prices, &usage), 400 * 8 + 600 * 3);
    }

    #[test]
    fn embeddings_cost_their_input_and_are_rounded_up_once() {
        let prices = list(0.02, 0.0);
        let usage = Usage { input: 101, ..Usage::default() };
        assert_eq!(micros(&prices, &usage), 3);
        assert_eq!(micros(&prices, &Usage::default()), 0);
    }

    #[test]
    fn the_highest_tier_below_the_input_prices_the_whole_request() {
        let rate = |input, output| Rate { input: usd(input), output: usd(output), ..Rate::default() };
        let prices = Prices {
            tiers: vec![
                Tier { above_input_tokens: 200_000, rate: rate(2.5, 15.0) },
                Tier { above_input_tokens: 500_000, rate: rate(5.0, 30.0) },
            ],
            ..list(1.25, 10.0)
        };
        for (input, cost) in [(200_000, 250_010), (200_001, 500_018), (500_000, 1_250_015), (1_000_000, 5_000_030)] {
            assert_eq!(
                micros(&prices, &Usage { input, output: 1, ..Usage::default() }),
                cost,
                "{input} tokens of input"
            );
        }
    }

    #[test]
    fn what_a_tier_does_not_name_moves_in_proportion() {
        let prices = Prices {
            cache_read: Some(usd(0.3)),
            cache_write: Some(usd(3.75)),
            cache_write_1h: Some(usd(6.0)),
            reasoning: Some(usd(10.0)),
            tiers: vec![Tier {
                above_input_tokens: 0,
                rate: Rate { input: usd(6.0), output: usd(22.5), cache_write: Some(usd(8.0)), ..Rate::default() },
            }],
            ..list(3.0, 15.0)
        };
        let only = |usage: Usage| micros(&prices, &usage);
        assert_eq!(only(Usage { input: 1_000, cache_read: 1_000, ..Usage::default() }), 600);
        assert_eq!(only(Usage { input: 1_000, cache_write: 1_000, ..Usage::default() }), 8_000);
        assert_eq!(only(Usage { input: 1_000, cache_write_1h: 1_000, ..Usage::default() }), 12_000);
        assert_eq!(only(Usage { input: 1, output: 1_000, reasoning: 1_000, ..Usage::default() }), 15_006);
    }

    #[test]
    fn a_dated_change_holds_from_its_first_second() {
        let prices = Prices {
            changes: vec![PriceChange {
                from: Timestamp::from_secs(1_000),
                rate: Rate { input: usd(4.0), output: usd(20.0), cache_read: Some(usd(0.2)), cache_write: None },
            }],
            cache_read: Some(usd(0.1)),
            ..list(2.0, 10.0)
        };
        let usage = Usage { input: 2_000, cache_read: 1_000, output: 100, ..Usage::default() };
        assert_eq!(prices.cost(&usage, Timestamp::from_secs(999)), Money::from_micros(2_000 + 100 + 1_000));
        assert_eq!(prices.cost(&usage, Timestamp::from_secs(1_000)), Money::from_micros(4_000 + 200 + 2_000));
    }

    #[test]
    fn quiet_hours_are_cheaper_on_their_days() {
        let prices = Prices {
            off_peak: Some(OffPeak {
                rate: Rate { input: usd(0.5), output: usd(1.0), ..Rate::default() },
                windows: vec![
                    Window { days: 0b001_1111, from_minute: 600, to_minute: 1440 },
                    Window { days: 0b110_0000, from_minute: 0, to_minute: 1440 },
                ],
            }),
            ..list(1.0, 2.0)
        };
        let usage = Usage { input: 1_000, ..Usage::default() };
        // 1970-01-05 was a Monday, 1970-01-10 a Saturday.
        let moment =
            |day: u64, hour: u64, minute: u64| Timestamp::from_secs((day - 1) * 86_400 + hour * 3_600 + minute * 60);
        for (at, cost) in [
            (moment(5, 9, 59), 1_000),
            (moment(5, 10, 0), 500),
            (moment(5, 23, 59), 500),
            (moment(6, 0, 0), 1_000),
            (moment(10, 0, 0), 500),
            (moment(11, 12, 0), 500),
            (moment(12, 0, 0), 1_000),
        ] {
            assert_eq!(prices.cost(&usage, at).micros(), cost, "at {at:?}");
        }
    }

    #[test]
    fn a_usage_that_contradicts_itself_pays_for_what_it_names() {
        let prices = Prices { cache_read: Some(usd(0.1)), ..list(1.0, 2.0) };
        let usage = Usage { input: 10, cache_read: 1_000, output: 1, reasoning: 1_000, ..Usage::default() };
        assert_eq!(micros(&prices, &usage), 100 + 2_000);
        let vast = Usage {
            input: u64::MAX,
            cache_read: u64::MAX,
            cache_write: u64::MAX,
            cache_write_1h: u64::MAX,
            output: u64::MAX,
            reasoning: u64::MAX,
            ..Usage::default()
        };
        assert_eq!(micros(&list(360.0, 360.0), &vast), u64::MAX);
    }

    #[test]
    fn a_written_price_is_the_list_price() {
        let written =
            WrittenPrice { input: usd(0.1), output: usd(0.3), cache_read: Some(usd(0.02)), cache_write: None };
        let prices = Prices::from_written(&written);
        let usage = Usage { input: 2_000_000, cache_read: 1_000_000, output: 1_000_000, ..Usage::default() };
        assert_eq!(micros(&prices, &usage), 100_000 + 20_000 + 300_000);
    }
}
