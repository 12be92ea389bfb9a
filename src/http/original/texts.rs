//! The original's Korean texts, word for word, and ours in its manner; `web::texts` translates them for pages.

use actix_web::ResponseError as _;
use actix_web::http::StatusCode;

use crate::account::AccountError;
use crate::domain::{Money, Rejection};
use crate::http::HttpError;

/// Not signed in.
pub const SIGN_IN_NEEDED: &str = "로그인 필요";
pub(super) const EMAIL_TAKEN: &str = "이미 가입된 이메일입니다.";
pub(super) const BAD_CREDENTIALS: &str = "이메일 또는 비밀번호가 올바르지 않습니다.";
pub(super) const INVALID: &str = "입력한 내용을 확인해 주세요.";
pub(super) const TRY_LATER: &str = "잠시 후 다시 시도해 주세요.";
pub(super) const RATE_LIMITED: &str = "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.";
pub(super) const NO_ITEM: &str = "해당 상품은 존재하지 않습니다.";
pub(super) const ABOVE_START: &str = "시작 가격보다 높게 입찰해야 합니다.";
pub(super) const ENDED: &str = "경매가 이미 종료되었습니다";
pub(super) const ABOVE_TOP: &str = "이전 입찰가보다 높아야 합니다";
pub(super) const INCREMENT: &str = "최소 입찰 단위를 지켜야 합니다.";
pub(super) const OWN_ITEM: &str = "자신의 상품에는 입찰할 수 없습니다.";
pub(super) const ALREADY_LEADING: &str = "이미 최고 입찰자입니다.";
pub(super) const NOT_STARTED: &str = "아직 시작되지 않은 경매입니다.";
pub(super) const NOT_A_NUMBER: &str = "입찰가를 숫자로 입력해 주세요.";
pub(super) const TOO_FINE: &str = "입찰가의 소수 자릿수가 올바르지 않습니다.";
pub(super) const TOO_LARGE: &str = "입찰가가 너무 큽니다.";
pub(super) const MESSAGE_TOO_LONG: &str = "메시지는 100자까지 쓸 수 있습니다.";
pub(super) const BID_ID_REUSED: &str = "이미 사용된 입찰 번호입니다.";

/// Why `amount` was refused in an auction that started at `start_price`, in the original's precedence:
/// above the start price, then not ended, then above the top.
pub(super) fn of_rejection(rejection: &Rejection, amount: Money, start_price: Money) -> &'static str {
    if !matches!(rejection, Rejection::OwnAuction) && amount <= start_price {
        return ABOVE_START;
    }
    match rejection {
        Rejection::OwnAuction => OWN_ITEM,
        Rejection::NotStarted { .. } => NOT_STARTED,
        Rejection::Closed { .. } | Rejection::NotDue { .. } => ENDED,
        Rejection::TooLow { top: Some(top), .. } if amount <= top.amount => ABOVE_TOP,
        Rejection::TooLow { .. } => INCREMENT,
        Rejection::AlreadyLeading { .. } => ALREADY_LEADING,
    }
}

/// Why a sign-up or sign-in failed; the first wrong field when there are several.
pub(super) fn of_account_error(error: &AccountError) -> &'static str {
    match error {
        AccountError::EmailTaken => EMAIL_TAKEN,
        AccountError::BadCredentials => BAD_CREDENTIALS,
        AccountError::Invalid(fields) => match fields.first().map(|(field, _)| *field) {
            Some("email") => "이메일 주소가 올바르지 않습니다.",
            Some("nick") => "닉네임은 1자 이상 30자 이하여야 합니다.",
            Some("password") => "비밀번호는 8자 이상 128자 이하여야 합니다.",
            _ => INVALID,
        },
        AccountError::Overloaded | AccountError::Store(_) => TRY_LATER,
    }
}

/// Why a sign-up was not done.
pub(super) fn of_http_error(error: &HttpError) -> &'static str {
    if let HttpError::Account(error) = error {
        return of_account_error(error);
    }
    match error.status_code() {
        StatusCode::TOO_MANY_REQUESTS => RATE_LIMITED,
        StatusCode::UNPROCESSABLE_ENTITY => INVALID,
        _ => TRY_LATER,
    }
}

/// `/join?error=…`: `path` with `message` in its query.
#[must_use]
pub fn with_note(path: &str, parameter: &str, message: &str) -> String {
    use std::fmt::Write as _;
    let mut address = format!("{path}?{parameter}=");
    for byte in message.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Bidder, Seq, Timestamp, Top, UserId};

    fn money(minor: i64) -> Money {
        Money::new(minor).unwrap()
    }

    fn top(amount: i64) -> Top {
        let bidder = Bidder { id: UserId(1), nick: Arc::from("ann") };
        Top { seq: Seq(1), bidder, amount: money(amount), at: Timestamp(0) }
    }

    /// Start price 1,000, top 1,500, increment 100.
    #[test]
    fn the_original_precedence_holds() {
        let closed = Rejection::Closed { ended_at: Timestamp(0) };
        let low = Rejection::TooLow { min_next: money(1_600), top: Some(top(1_500)) };
        let first = Rejection::TooLow { min_next: money(1_100), top: None };
        let early = Rejection::NotStarted { starts_at: Timestamp(9) };
        let text = |rejection, amount| of_rejection(rejection, money(amount), money(1_000));
        assert_eq!(text(&closed, 1_000), ABOVE_START, "the start price comes before the end");
        assert_eq!(text(&closed, 1_001), ENDED, "the end comes before the top");
        assert_eq!(text(&low, 900), ABOVE_START);
        assert_eq!(text(&low, 1_500), ABOVE_TOP);
        assert_eq!(text(&low, 1_501), INCREMENT);
        assert_eq!(text(&first, 1_000), ABOVE_START);
        assert_eq!(text(&first, 1_050), INCREMENT);
        assert_eq!(text(&early, 1_050), NOT_STARTED);
        assert_eq!(text(&Rejection::OwnAuction, 1), OWN_ITEM);
        assert_eq!(text(&Rejection::AlreadyLeading { top: top(1_500) }, 1_700), ALREADY_LEADING);
    }

    #[test]
    fn both_causes_of_a_failed_sign_in_have_one_text() {
        assert_eq!(of_account_error(&AccountError::BadCredentials), BAD_CREDENTIALS);
        let fields = vec![("password", "x".to_owned()), ("email", "y".to_owned())];
        assert!(of_account_error(&AccountError::Invalid(fields)).starts_with("비밀번호"));
    }

    #[test]
    fn a_message_is_encoded_into_the_address() {
        assert_eq!(with_note("/join", "error", "이 a&b"), "/join?error=%EC%9D%B4%20a%26b");
        assert!(with_note("/", "error", "x\r\ny").is_ascii());
        assert!(!with_note("/", "error", "x\r\ny").contains('\n'));
    }

    #[test]
    fn every_text_can_be_translated_on_a_page() {
        let all = [
            SIGN_IN_NEEDED,
            EMAIL_TAKEN,
            BAD_CREDENTIALS,
            INVALID,
            TRY_LATER,
            RATE_LIMITED,
            NO_ITEM,
            ABOVE_START,
            ENDED,
            ABOVE_TOP,
            INCREMENT,
            OWN_ITEM,
            ALREADY_LEADING,
            NOT_STARTED,
            NOT_A_NUMBER,
            TOO_FINE,
            TOO_LARGE,
            MESSAGE_TOO_LONG,
            BID_ID_REUSED,
        ];
        for text in all {
            assert!(crate::web::texts::ORIGINAL.iter().any(|(korean, _)| *korean == text), "{text}");
        }
        for field in ["email", "nick", "password"] {
            let text = of_account_error(&AccountError::Invalid(vec![(field, String::new())]));
            assert!(crate::web::texts::ORIGINAL.iter().any(|(korean, _)| *korean == text), "{text}");
        }
    }
}
