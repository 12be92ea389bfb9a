//! The pages as data: what each template is filled with.

mod card;
mod frame;
mod lists;
mod room;
mod sell;
mod standing;

use std::borrow::Cow;

use askama::Template;

pub use card::Card;
pub use frame::Frame;
pub use lists::{IndexPage, MinePage, OwnBidRow};
pub use room::{Around, Desk, HistoryRow, RoomPage};
pub use sell::{SellFields, SellPage};
pub use standing::Standing;

/// `GET /join`
#[derive(Template)]
#[template(path = "join.html", config = "src/web/askama.toml")]
pub struct JoinPage {
    pub f: Frame,
    /// What was typed before; never the password.
    pub email: String,
    pub nick: String,
}

/// Any page that could not be shown.
#[derive(Template)]
#[template(path = "error.html", config = "src/web/askama.toml")]
pub struct ErrorPage {
    pub f: Frame,
    pub status: u16,
    pub title: Cow<'static, str>,
    pub text: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::account::User;
    use crate::domain::{
        AuctionId, Bidder, Currency, Epoch, Head, Money, Outcome, Rules, Seq, Span, Terms, Timestamp, Top, UserId,
    };
    use crate::protocol::client::BidView;
    use crate::store::StoredAuction;
    use crate::web::Lang;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
    const EVIL: &str = "<script>alert('x')</script>\"&";

    fn money(minor: i64) -> Money {
        Money::new(minor).unwrap()
    }

    fn user(id: i64) -> User {
        User { id: UserId(id), email: Arc::from("x@x.test"), nick: Arc::from(format!("user{id}{EVIL}")) }
    }

    fn frame(reader: Option<i64>) -> Frame {
        Frame { lang: Lang::En, user: reader.map(user), path: "/good/7".to_owned(), next: None, note: None, now: NOW }
    }

    /// Seller 1, top bid 1,500 of user 2.
    fn auction() -> StoredAuction {
        let bidder = Bidder { id: UserId(2), nick: Arc::from(EVIL) };
        let top = Top { seq: Seq(1), bidder, amount: money(1_500), at: NOW };
        let terms = Terms {
            seller: UserId(1),
            currency: Currency::DEFAULT,
            start_price: money(1_000),
            starts_at: NOW.plus(Span::from_secs(-60)),
            ends_at: NOW.plus(Span::from_secs(90)),
            rules: Rules { min_increment: money(100), leader_may_raise: false },
        };
        StoredAuction {
            id: AuctionId(7),
            title: Arc::from(EVIL),
            description: Arc::from(EVIL),
            image_id: None,
            seller_nick: Arc::from(EVIL),
            created_at: NOW,
            terms,
            head: Head { seq: Seq(1), last_at: NOW, top: Some(top), bid_count: 1, extension: None, outcome: None },
            epoch: Epoch(1),
        }
    }

    fn room(reader: Option<i64>, auction: &StoredAuction) -> String {
        let bid = BidView {
            seq: 1,
            bid_id: String::new(),
            amount: 1_500,
            bidder: crate::protocol::client::UserRef { id: "2".to_owned(), nick: EVIL.to_owned() },
            message: Some(EVIL.to_owned()),
            at: "2027-01-15T08:00:00.000Z".to_owned(),
        };
        let around = Around { bids: &[bid], ..Around::default() };
        RoomPage::new(frame(reader), auction, around, "id".to_owned()).render().unwrap()
    }

    #[test]
    fn whatever_people_type_is_text_on_the_page() {
        let page = room(Some(3), &auction());
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(
            page.matches("&#60;script&#62;alert").count() >= 7,
            "title, seller, description, bidder, message, JSON"
        );
        let mut noted = frame(None);
        noted.note = Some(EVIL.to_owned());
        assert!(
            !JoinPage { f: noted, email: EVIL.to_owned(), nick: EVIL.to_owned() }
                .render()
                .unwrap()
                .contains("<script>alert")
        );
    }

    #[test]
    fn no_link_leads_where_the_asked_address_says() {
        let f = Frame { path: "//evil.example/x".to_owned(), ..frame(None) };
        let page = ErrorPage { f, status: 404, title: "".into(), text: "".into() }.render().unwrap();
        assert!(page.contains(r#"href="?lang=ko""#) && !page.contains("evil.example"), "{page}");
    }

    #[test]
    fn the_form_asks_for_what_would_be_accepted() {
        let page = room(Some(3), &auction());
        assert!(page.contains(r#"min="1600""#) && page.contains(r#"value="1600""#));
        assert!(!page.contains(" disabled>"));
    }

    #[test]
    fn who_cannot_bid_gets_no_form_that_could() {
        assert!(!room(None, &auction()).contains("bid-form"), "a visitor is asked to sign in");
        assert!(room(None, &auction()).contains("sign-in-email"));
        assert!(!room(Some(1), &auction()).contains("bid-form"), "the seller is told why");
        assert!(room(Some(2), &auction()).contains(" disabled>"), "the leader waits to be outbid");
    }

    #[test]
    fn each_reader_is_told_where_they_stand() {
        let mood = |reader, has_bid, auction: &StoredAuction| Standing::of(auction, &frame(reader), has_bid).mood;
        let mut auction = auction();
        assert_eq!(mood(Some(2), true, &auction), "leading");
        assert_eq!(mood(Some(3), true, &auction), "outbid");
        assert_eq!(mood(Some(3), false, &auction), "neutral");
        assert_eq!(mood(None, false, &auction), "neutral");
        auction.head.outcome = Some(Outcome { winner: auction.head.top.clone(), closed_at: NOW });
        assert_eq!(mood(Some(2), true, &auction), "won");
        assert_eq!(mood(Some(3), true, &auction), "lost");
        auction.head.outcome = Some(Outcome { winner: None, closed_at: NOW });
        assert_eq!(Standing::of(&auction, &frame(None), false).text, "Ended without a bid: not sold.");
    }
}
