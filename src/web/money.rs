//! Money as people read and type it: the major unit with its symbol, exactly, without floats.
//!
//! `static/money.js` does the same in the browser; the browser tests compare both.

use crate::domain::{Currency, Money};

use super::Lang;

/// Why a typed amount is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("not a number")]
    NotANumber,
    /// More digits behind the point than the currency has.
    #[error("too many decimals")]
    TooFine,
    #[error("too large")]
    TooLarge,
}

/// `₩12,000`, `$12.50`: as `Intl.NumberFormat` writes it in `lang`.
#[must_use]
pub fn format(amount: Money, currency: Currency, lang: Lang) -> String {
    let plain = to_major(amount, currency);
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut text = symbol(currency, lang).to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

fn symbol(currency: Currency, lang: Lang) -> &'static str {
    match (currency.code(), lang) {
        ("KRW", _) => "₩",
        ("USD", Lang::Ko) => "US$",
        ("USD", Lang::En) => "$",
        ("EUR", _) => "€",
        ("GBP", _) => "£",
        ("JPY", Lang::Ko) => "JP¥",
        ("JPY", Lang::En) => "¥",
        ("CNY", _) => "CN¥",
        ("CHF", _) => "CHF\u{a0}",
        ("AUD", Lang::Ko) => "AU$",
        ("AUD", Lang::En) => "A$",
        _ => "",
    }
}

/// The amount in the major unit as an input field takes it: `12000`, `12.50`.
#[must_use]
pub fn to_major(amount: Money, currency: Currency) -> String {
    let digits = amount.minor().to_string();
    let decimals = currency.decimals() as usize;
    if decimals == 0 {
        return digits;
    }
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    format!("{whole}.{fraction}")
}

/// The smallest step of an input field: `1`, `0.01`.
#[must_use]
pub fn step(currency: Currency) -> String {
    to_major(Money::new(1).unwrap_or(Money::ZERO), currency)
}

/// Reads what [`to_major`] writes, with or without thousands commas and with fewer decimals.
///
/// # Errors
/// [`AmountError`] for anything else: signs, exponents, a finer fraction than the currency has.
pub fn parse_major(text: &str, currency: Currency) -> Result<Money, AmountError> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = without_commas(whole)?;
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let pointed = text.contains('.');
    if whole.is_empty() || !all_digits(&whole) || !all_digits(fraction) || (pointed && fraction.is_empty()) {
        return Err(AmountError::NotANumber);
    }
    let decimals = currency.decimals() as usize;
    if fraction.len() > decimals {
        return Err(AmountError::TooFine);
    }
    let minor = format!("{whole}{fraction:0<decimals$}");
    let minor = minor.trim_start_matches('0');
    if minor.is_empty() {
        return Ok(Money::ZERO);
    }
    minor.parse().ok().and_then(Money::new).ok_or(AmountError::TooLarge)
}

/// Takes `1,234,567` for `1234567`; commas anywhere else make it no number.
fn without_commas(whole: &str) -> Result<String, AmountError> {
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    if !rest.is_empty() && (first.is_empty() || first.len() > 3 || rest.iter().any(|group| group.len() != 3)) {
        return Err(AmountError::NotANumber);
    }
    Ok(whole.replace(',', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).unwrap()
    }

    fn money(minor: i64) -> Money {
        Money::new(minor).unwrap()
    }

    #[test]
    fn each_currency_is_written_as_browsers_write_it() {
        let cases = [
            ("KRW", 1_234_567, "₩1,234,567", "₩1,234,567"),
            ("USD", 123_456_750, "US$1,234,567.50", "$1,234,567.50"),
            ("EUR", 5, "€0.05", "€0.05"),
            ("GBP", 100, "£1.00", "£1.00"),
            ("JPY", 999, "JP¥999", "¥999"),
            ("CNY", 100_000, "CN¥1,000.00", "CN¥1,000.00"),
            ("CHF", 0, "CHF\u{a0}0.00", "CHF\u{a0}0.00"),
            ("AUD", 12_345, "AU$123.45", "A$123.45"),
        ];
        for (code, minor, ko, en) in cases {
            assert_eq!(format(money(minor), currency(code), Lang::Ko), ko);
            assert_eq!(format(money(minor), currency(code), Lang::En), en);
        }
    }

    #[test]
    fn every_currency_has_a_symbol() {
        for currency in Currency::ALL {
            assert!(!symbol(currency, Lang::Ko).is_empty() && !symbol(currency, Lang::En).is_empty());
        }
    }

    #[test]
    fn what_is_written_into_a_field_is_read_back_the_same() {
        for currency in Currency::ALL {
            for minor in [0, 1, 9, 10, 99, 100, 101, 12_345, 999_999, Money::MAX.minor()] {
                assert_eq!(parse_major(&to_major(money(minor), currency), currency), Ok(money(minor)));
            }
        }
    }

    #[test]
    fn typed_amounts_are_exact() {
        let usd = currency("USD");
        assert_eq!(parse_major("12", usd), Ok(money(1_200)));
        assert_eq!(parse_major(" 12.5 ", usd), Ok(money(1_250)));
        assert_eq!(parse_major("0.29", usd), Ok(money(29)));
        assert_eq!(parse_major("1,234,567.05", usd), Ok(money(123_456_705)));
        assert_eq!(parse_major("007", currency("KRW")), Ok(money(7)));
    }

    #[test]
    fn anything_else_is_refused() {
        let (krw, usd) = (currency("KRW"), currency("USD"));
        for text in ["", " ", ".", "1.", ".5", "-1", "+1", "1e3", "0x10", "12a", "١٢", "1,23", ",123", "1,,000", "NaN"]
        {
            assert_eq!(parse_major(text, usd), Err(AmountError::NotANumber), "{text}");
        }
        assert_eq!(parse_major("1000.4", krw), Err(AmountError::TooFine));
        assert_eq!(parse_major("1000.0", krw), Err(AmountError::TooFine));
        assert_eq!(parse_major("0.001", usd), Err(AmountError::TooFine));
        assert_eq!(parse_major("1000000000000001", krw), Err(AmountError::TooLarge));
        assert_eq!(parse_major(&"9".repeat(400), krw), Err(AmountError::TooLarge));
    }
}
