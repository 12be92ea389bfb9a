//! The pages' texts in Korean and English, by key; `texts/*.yml` holds them.
//!
//! The original application's Korean messages travel in addresses (`?error=…`); a page shows the ones
//! that it knows in its reader's language.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_i18n::t;

use super::Lang;
use crate::limits::NOTE_CHARS_MAX;

/// The text of `key`.
#[must_use]
pub fn text(lang: Lang, key: &str) -> Cow<'_, str> {
    t!(key, locale = lang.code())
}

/// The text of `key` with `%{name}` replaced by its value.
#[must_use]
pub fn text_with(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = values.iter().map(|(_, value)| (*value).to_owned()).collect();
    rust_i18n::replace_patterns(&text(lang, key), &names, &values)
}

/// What scripts say: all keys under `live.`, as JSON of key without that prefix → text.
#[must_use]
pub fn for_scripts(lang: Lang) -> String {
    let texts: BTreeMap<&str, Cow<'_, str>> =
        SCRIPT_KEYS.iter().map(|key| (key.trim_start_matches("live."), text(lang, key))).collect();
    serde_json::to_string(&texts).unwrap_or_default()
}

/// The keys that scripts use.
pub const SCRIPT_KEYS: [&str; 47] = [
    "live.start_price",
    "live.top_bid",
    "live.final_price",
    "live.bids_none",
    "live.bids_one",
    "live.bids_many",
    "live.ends_in",
    "live.starts_in",
    "live.closing",
    "live.ended",
    "live.days",
    "live.nobody_yet",
    "live.you_lead",
    "live.you_outbid",
    "live.other_leads",
    "live.you_won",
    "live.sold_to",
    "live.unsold",
    "live.at_least",
    "live.place_bid",
    "live.sending",
    "live.accepted",
    "live.moved",
    "live.not_a_number",
    "live.too_fine",
    "live.too_large",
    "live.no_higher",
    "live.too_low",
    "live.already_leading",
    "live.closed",
    "live.not_started",
    "live.own_auction",
    "live.unauthenticated",
    "live.rate_limited",
    "live.invalid",
    "live.not_found",
    "live.unknown_outcome",
    "live.refused",
    "live.retrying",
    "live.reconnecting",
    "live.announce",
    "live.you",
    "live.watch",
    "live.unwatch",
    "live.picture_too_large",
    "live.picture_wrong_kind",
    "live.earlier_failed",
];

/// The original application's messages (and ours beside them), with the key of their translation.
pub const ORIGINAL: [(&str, &str); 22] = [
    ("이미 가입된 이메일입니다.", "note.email_taken"),
    ("이메일 또는 비밀번호가 올바르지 않습니다.", "note.bad_credentials"),
    ("이메일 주소가 올바르지 않습니다.", "note.email_invalid"),
    ("닉네임은 1자 이상 30자 이하여야 합니다.", "note.nick_invalid"),
    ("비밀번호는 8자 이상 128자 이하여야 합니다.", "note.password_invalid"),
    ("입력한 내용을 확인해 주세요.", "note.invalid"),
    ("잠시 후 다시 시도해 주세요.", "note.try_later"),
    ("요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.", "note.rate_limited"),
    ("로그인 필요", "note.sign_in_needed"),
    ("해당 상품은 존재하지 않습니다.", "note.no_item"),
    ("시작 가격보다 높게 입찰해야 합니다.", "note.above_start"),
    ("경매가 이미 종료되었습니다", "note.ended"),
    ("이전 입찰가보다 높아야 합니다", "note.above_top"),
    ("최소 입찰 단위를 지켜야 합니다.", "note.increment"),
    ("자신의 상품에는 입찰할 수 없습니다.", "note.own_item"),
    ("이미 최고 입찰자입니다.", "note.already_leading"),
    ("아직 시작되지 않은 경매입니다.", "note.not_started"),
    ("입찰가를 숫자로 입력해 주세요.", "note.not_a_number"),
    ("입찰가의 소수 자릿수가 올바르지 않습니다.", "note.too_fine"),
    ("입찰가가 너무 큽니다.", "note.too_large"),
    ("메시지는 100자까지 쓸 수 있습니다.", "note.message_too_long"),
    ("이미 사용된 입찰 번호입니다.", "note.bid_id_reused"),
];

/// A message from the address, fit to be shown: translated when it is one of ours, else as it is, cut short.
#[must_use]
pub fn note(lang: Lang, message: &str) -> Option<String> {
    let message = message.trim();
    if message.is_empty() {
        return None;
    }
    if let Some((_, key)) = ORIGINAL.iter().find(|(korean, _)| *korean == message) {
        return Some(text(lang, key).into_owned());
    }
    Some(message.chars().filter(|character| !character.is_control()).take(NOTE_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(yaml: &str) -> Vec<String> {
        let mut section = "";
        let mut keys = Vec::new();
        for line in yaml.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (key, _) = line.split_once(':').unwrap();
            if line.starts_with(' ') {
                keys.push(format!("{section}.{}", key.trim()));
            } else {
                section = key;
            }
        }
        keys
    }

    fn english() -> Vec<String> {
        keys_of(include_str!("texts/en.yml"))
    }

    #[test]
    fn both_languages_have_the_same_keys() {
        assert_eq!(english(), keys_of(include_str!("texts/ko.yml")));
    }

    #[test]
    fn every_key_that_a_template_or_a_script_uses_exists() {
        let keys = english();
        let mut used = 0;
        for entry in std::fs::read_dir("src/web/templates").unwrap() {
            let template = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for call in template.split(".t(\"").skip(1).chain(template.split(".tv(\"").skip(1)) {
                let key = call.split('"').next().unwrap();
                assert!(keys.iter().any(|known| known == key), "{key} is not in the texts");
                used += 1;
            }
        }
        assert!(used > 40, "the search must find the calls, found {used}");
        for key in SCRIPT_KEYS.iter().copied().chain(ORIGINAL.iter().map(|(_, key)| *key)) {
            assert!(keys.iter().any(|known| known == key), "{key} is not in the texts");
        }
        let told: Vec<&String> = keys.iter().filter(|key| key.starts_with("live.")).collect();
        assert_eq!(told.len(), SCRIPT_KEYS.len(), "scripts get every text under live");
    }

    #[test]
    fn an_original_message_is_shown_in_the_readers_language() {
        assert_eq!(note(Lang::Ko, "경매가 이미 종료되었습니다").unwrap(), "경매가 이미 종료되었습니다");
        assert_eq!(note(Lang::En, "경매가 이미 종료되었습니다").unwrap(), "This auction has ended.");
        for (korean, _) in ORIGINAL {
            assert_eq!(note(Lang::Ko, korean).unwrap(), korean);
            assert_ne!(note(Lang::En, korean).unwrap(), korean);
        }
    }

    #[test]
    fn a_foreign_message_is_shown_as_it_is_but_cut_short() {
        assert_eq!(note(Lang::En, "hello\u{7}").unwrap(), "hello");
        assert_eq!(note(Lang::En, "  "), None);
        assert_eq!(note(Lang::En, &"x".repeat(1_000)).unwrap().len(), NOTE_CHARS_MAX);
    }

    #[test]
    fn values_take_their_place_in_a_text() {
        assert!(text_with(Lang::En, "live.sold_to", &[("nick", "ann"), ("amount", "$5.00")]).contains("ann"));
    }
}
