//! What the bidder of a refused bid was told, as JSON in one column. A new reason needs no new column.

use serde::{Deserialize, Serialize};

use crate::domain::{Bidder, Money, Rejection, Seq, Timestamp, Top, UserId};
use crate::store::StoreError;

#[derive(Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
enum Told {
    OwnAuction,
    NotStarted { starts_us: i64 },
    Closed { ended_us: i64 },
    TooLow { min_next: i64, top: Option<ToldTop> },
    AlreadyLeading { top: ToldTop },
    NotDue { ends_us: i64 },
}

#[derive(Serialize, Deserialize)]
struct ToldTop {
    seq: i64,
    bidder_id: i64,
    nick: String,
    amount: i64,
    at_us: i64,
}

/// `rejection` as it is stored.
pub(super) fn encode(rejection: &Rejection) -> Result<String, StoreError> {
    let told = match rejection {
        Rejection::OwnAuction => Told::OwnAuction,
        Rejection::NotStarted { starts_at } => Told::NotStarted { starts_us: starts_at.0 },
        Rejection::Closed { ended_at } => Told::Closed { ended_us: ended_at.0 },
        Rejection::TooLow { min_next, top } => {
            Told::TooLow { min_next: min_next.minor(), top: top.as_ref().map(told_top) }
        }
        Rejection::AlreadyLeading { top } => Told::AlreadyLeading { top: told_top(top) },
        Rejection::NotDue { ends_at } => Told::NotDue { ends_us: ends_at.0 },
    };
    serde_json::to_string(&told).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// The way back.
pub(super) fn decode(text: &str) -> Result<Rejection, StoreError> {
    let told = serde_json::from_str(text)
        .map_err(|error| StoreError::Damaged(format!("a rejection cannot be read: {error}")))?;
    Ok(match told {
        Told::OwnAuction => Rejection::OwnAuction,
        Told::NotStarted { starts_us } => Rejection::NotStarted { starts_at: Timestamp(starts_us) },
        Told::Closed { ended_us } => Rejection::Closed { ended_at: Timestamp(ended_us) },
        Told::TooLow { min_next, top } => {
            Rejection::TooLow { min_next: beyond(min_next)?, top: top.map(domain_top).transpose()? }
        }
        Told::AlreadyLeading { top } => Rejection::AlreadyLeading { top: domain_top(top)? },
        Told::NotDue { ends_us } => Rejection::NotDue { ends_at: Timestamp(ends_us) },
    })
}

fn told_top(top: &Top) -> ToldTop {
    ToldTop {
        seq: top.seq.0,
        bidder_id: top.bidder.id.0,
        nick: top.bidder.nick.to_string(),
        amount: top.amount.minor(),
        at_us: top.at.0,
    }
}

fn domain_top(top: ToldTop) -> Result<Top, StoreError> {
    Ok(Top {
        seq: Seq(top.seq),
        bidder: Bidder { id: UserId(top.bidder_id), nick: top.nick.into() },
        amount: super::rows::money(top.amount)?,
        at: Timestamp(top.at_us),
    })
}

/// The least that would have been enough may be out of every bidder's reach.
fn beyond(minor: i64) -> Result<Money, StoreError> {
    match Money::new(minor) {
        Some(money) => Ok(money),
        None if minor > Money::MAX.minor() => {
            Ok(Money::MAX.plus(super::rows::money(minor.saturating_sub(Money::MAX.minor()))?))
        }
        None => Err(StoreError::Damaged(format!("{minor} is not an amount"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top() -> Top {
        Top {
            seq: Seq(3),
            bidder: Bidder { id: UserId(7), nick: "ann \"the\" bold".into() },
            amount: Money::MAX,
            at: Timestamp(-5),
        }
    }

    #[test]
    fn every_rejection_comes_back_as_it_was_told() {
        let at = Timestamp(1_700_000_000_000_000);
        let beyond = Money::MAX.plus(Money::MAX);
        for rejection in [
            Rejection::OwnAuction,
            Rejection::NotStarted { starts_at: at },
            Rejection::Closed { ended_at: at },
            Rejection::TooLow { min_next: Money::ZERO, top: None },
            Rejection::TooLow { min_next: beyond, top: Some(top()) },
            Rejection::AlreadyLeading { top: top() },
            Rejection::NotDue { ends_at: at },
        ] {
            assert_eq!(decode(&encode(&rejection).unwrap()).unwrap(), rejection);
        }
    }

    #[test]
    fn a_text_that_is_no_rejection_is_damage() {
        assert!(matches!(decode("{\"reason\":\"mood\"}"), Err(StoreError::Damaged(_))));
    }
}
