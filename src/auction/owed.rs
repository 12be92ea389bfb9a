//! What an auction owes its bidders after an outage of the store: time.
//!
//! While the store took no commits nobody could bid. So an auction that was about to end runs, once the store is back,
//! for as long as it had left when the outage began, at most for [`limits::CLOSING_WINDOW`]; one that still has as long as
//! that is left alone. Pure: it is told when the outages were and what time it is.

use crate::domain::{Auction, Span, Timestamp};
use crate::limits;
use crate::store::outage::Outage;

/// The closing instant that `auction` should have from `now` on, if that is later than the one it has. Not beyond
/// [`limits::EXTENSION_MAX`] after the one that its seller set.
pub(super) fn owed(auction: &Auction, outages: &[Outage], now: Timestamp) -> Option<Timestamp> {
    if auction.head().outcome.is_some() {
        return None;
    }
    let left = outages.iter().filter_map(|outage| taken_up(auction, *outage)).max()?;
    let ends_at = now.plus(left).min(auction.terms().ends_at.plus(limits::EXTENSION_MAX));
    (ends_at > auction.ends_at()).then_some(ends_at)
}

/// How long the auction had left when `outage` began, if that is owed to its bidders. What was before the auction opened,
/// and before it was extended last, does not count.
fn taken_up(auction: &Auction, outage: Outage) -> Option<Span> {
    let counted = auction.head().extension.map_or(auction.terms().starts_at, |extension| extension.at);
    let from = outage.from.max(counted);
    let left = auction.ends_at().since(from).min(limits::CLOSING_WINDOW);
    let is_long = outage.until.since(from) >= limits::OUTAGE_MIN;
    (is_long && left > Span(0) && outage.until.plus(left) > auction.ends_at()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Command, Currency, Head, Money, Rules, Terms, UserId};
    use crate::store::outage::tests::{at, outage};

    /// Open from 100 s to 1000 s.
    fn auction() -> Auction {
        let terms = Terms {
            seller: UserId(1),
            currency: Currency::DEFAULT,
            start_price: Money::ZERO,
            starts_at: at(100),
            ends_at: at(1_000),
            rules: Rules::default(),
        };
        Auction::new(terms, Head::EMPTY)
    }

    fn extended(now: i64, ends_at: i64) -> Auction {
        let mut auction = auction();
        let event = auction.decide(Command::Extend { ends_at: at(ends_at) }, at(now)).unwrap();
        auction.apply(&event);
        auction
    }

    #[test]
    fn an_auction_runs_again_for_as_long_as_it_had_left_when_the_outage_began() {
        assert_eq!(owed(&auction(), &[outage(980, 990)], at(990)), Some(at(1_010)), "back before its end");
        assert_eq!(owed(&auction(), &[outage(980, 1_300)], at(1_300)), Some(at(1_320)), "back after its end");
        assert_eq!(owed(&auction(), &[outage(980, 990)], at(993)), Some(at(1_013)), "from when it is extended");
    }

    #[test]
    fn it_runs_for_the_closing_window_at_most() {
        assert_eq!(owed(&auction(), &[outage(300, 970)], at(970)), Some(at(1_030)));
        assert_eq!(owed(&auction(), &[outage(300, 5_000)], at(5_000)), Some(at(5_060)));
    }

    #[test]
    fn an_auction_that_has_the_closing_window_still_before_it_is_left_alone() {
        assert_eq!(owed(&auction(), &[outage(300, 940)], at(940)), None);
        assert_eq!(owed(&auction(), &[outage(300, 940)], at(999)), None, "however late it is looked at");
        assert_eq!(owed(&auction(), &[], at(999)), None);
    }

    #[test]
    fn nothing_is_owed_for_a_hiccup_or_for_an_outage_after_the_end() {
        let hiccup = Outage { from: at(980), until: Timestamp(at(980).plus(limits::OUTAGE_MIN).0 - 1) };
        assert_eq!(owed(&auction(), &[hiccup], at(982)), None);
        assert_eq!(owed(&auction(), &[outage(980, 982)], at(982)), Some(at(1_002)));
        assert_eq!(owed(&auction(), &[outage(1_000, 1_100)], at(1_100)), None, "no time was left");
    }

    #[test]
    fn time_before_the_opening_is_not_given_again() {
        let short = Terms { ends_at: at(120), ..auction().terms().clone() };
        let short = Auction::new(short, Head::EMPTY);
        assert_eq!(owed(&short, &[outage(50, 99)], at(99)), None);
        assert_eq!(owed(&short, &[outage(50, 110)], at(110)), Some(at(130)));
    }

    #[test]
    fn an_outage_is_settled_once_and_another_adds_to_it() {
        let first = outage(980, 990);
        assert_eq!(owed(&extended(990, 1_010), &[first], at(991)), None);
        // Seen a little later by the next owner.
        assert_eq!(
            owed(&extended(990, 1_010), &[Outage { until: Timestamp(at(990).0 + 900_000), ..first }], at(991)),
            None
        );
        assert_eq!(owed(&extended(990, 1_010), &[first, outage(1_000, 1_030)], at(1_030)), Some(at(1_040)));
        assert_eq!(owed(&extended(990, 1_010), &[outage(980, 1_030)], at(1_030)), Some(at(1_050)), "it went on");
    }

    #[test]
    fn outages_move_an_end_by_a_day_at_most() {
        let day = limits::EXTENSION_MAX;
        let late = at(1_000).plus(day).plus(Span::from_secs(-5));
        let long = Outage { from: at(980), until: late };
        assert_eq!(owed(&auction(), &[long], late), Some(at(1_000).plus(day)));
        assert_eq!(owed(&extended(990, 1_000 + day.0 / 1_000_000), &[outage(980, 200_000)], at(200_000)), None);
    }

    #[test]
    fn a_closed_auction_is_over() {
        let mut closed = auction();
        let event = closed.decide(Command::Close, at(1_001)).unwrap();
        closed.apply(&event);
        assert_eq!(owed(&closed, &[outage(980, 1_100)], at(1_100)), None);
    }
}
