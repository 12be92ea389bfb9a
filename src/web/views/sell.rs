//! The form for a new item.

use askama::Template;

use super::Frame;
use crate::domain::Currency;

/// The choice of an own end.
const CUSTOM: &str = "custom";
const DURATION_DEFAULT: &str = "86400";

/// What was typed into the form for a new item.
#[derive(Debug, Clone, Default)]
pub struct SellFields {
    pub name: String,
    pub price: String,
    pub currency: String,
    pub min_increment: String,
    /// Whole seconds, or `custom`.
    pub duration_s: String,
    /// RFC 3339; empty unless the end was chosen.
    pub ends_at: String,
    pub description: String,
}

/// `GET /good`, and `POST /good` again when something is wrong.
#[derive(Template)]
#[template(path = "sell.html", config = "src/web/askama.toml")]
pub struct SellPage {
    pub f: Frame,
    pub fields: SellFields,
}

impl SellPage {
    /// Currencies to choose from: code and whether it is chosen.
    pub fn currencies(&self) -> Vec<(&'static str, bool)> {
        let chosen = Currency::from_code(&self.fields.currency).unwrap_or(Currency::DEFAULT);
        Currency::ALL.into_iter().map(|currency| (currency.code(), currency == chosen)).collect()
    }

    /// Whether an own end is chosen.
    pub fn is_custom(&self) -> bool {
        self.fields.duration_s == CUSTOM
    }

    /// Durations to choose from: seconds, their name and whether they are chosen. What is not among them counts as the
    /// default.
    pub fn durations(&self) -> Vec<(&'static str, String, bool)> {
        let minutes = |count: &str| self.f.tv("sell.minutes", "count", count);
        let hours = |count: &str| self.f.tv("sell.hours", "count", count);
        let days = |count: &str| self.f.tv("sell.days", "count", count);
        let known = [
            ("600", minutes("10")),
            ("3600", self.f.t("sell.hour").into_owned()),
            ("21600", hours("6")),
            (DURATION_DEFAULT, self.f.t("sell.day").into_owned()),
            ("259200", days("3")),
            ("604800", days("7")),
        ];
        let sent = self.fields.duration_s.as_str();
        let is_known = known.iter().any(|(seconds, _)| *seconds == sent);
        let chosen = if is_known || self.is_custom() { sent } else { DURATION_DEFAULT };
        known.into_iter().map(|(seconds, name)| (seconds, name, seconds == chosen)).collect()
    }
}
