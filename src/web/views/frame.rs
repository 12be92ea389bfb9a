//! What every page has around its content, and the words and amounts in it.

use std::borrow::Cow;

use crate::account::User;
use crate::domain::{Currency, Money, Timestamp, UserId};
use crate::web::{Lang, asset_url, money, texts};

/// What every page has around its content.
#[derive(Debug, Clone)]
pub struct Frame {
    pub lang: Lang,
    pub user: Option<User>,
    /// The page's own address, without its query.
    pub path: String,
    /// The page of ours that signing in leads back to, if the address named one.
    pub next: Option<String>,
    /// A message from the address, fit to be shown.
    pub note: Option<String>,
    pub now: Timestamp,
}

impl Frame {
    pub fn t(&self, key: &'static str) -> Cow<'static, str> {
        texts::text(self.lang, key)
    }

    /// The text of `key` with one value in it.
    pub fn tv(&self, key: &'static str, name: &str, value: &str) -> String {
        texts::text_with(self.lang, key, &[(name, value)])
    }

    pub fn asset(&self, name: &str) -> String {
        asset_url(name)
    }

    pub fn money(&self, amount: Money, currency: Currency) -> String {
        money::format(amount, currency, self.lang)
    }

    pub fn now_ms(&self) -> i64 {
        self.now.as_millis()
    }

    /// The page that signing in leads back to; none for the front page.
    pub fn back_to(&self) -> Option<&str> {
        let own = Some(self.path.as_str()).filter(|path| !matches!(*path, "/" | "/join"));
        self.next.as_deref().or(own)
    }

    pub fn script_texts(&self) -> String {
        texts::for_scripts(self.lang)
    }

    /// The text for a number of bids.
    pub fn bids(&self, count: i64) -> String {
        match count {
            0 => self.t("live.bids_none").into_owned(),
            1 => self.t("live.bids_one").into_owned(),
            _ => self.tv("live.bids_many", "count", &count.to_string()),
        }
    }

    pub(super) fn is(&self, user: UserId) -> bool {
        self.user.as_ref().is_some_and(|me| me.id == user)
    }
}
