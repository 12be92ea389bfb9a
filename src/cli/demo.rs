//! Demo data for an empty store: three users and auctions with pictures, some ending within minutes.
//!
//! Never touches a store that has anything in it. The pictures are drawn here, so the binary carries none.

mod canvas;
mod pictures;

use std::sync::Arc;

use uuid::Uuid;

use crate::account::{AccountError, Accounts, User};
use crate::auction::BidError;
use crate::clock::Clock;
use crate::cluster::Router;
use crate::domain::{AuctionId, BidId, Currency, Money, PlaceBid, Rules, Span, Terms, Timestamp};
use crate::http::picture::{Picture, PictureError, reencode};
use crate::store::{NewAuction, Store, StoreError};

/// The demo users' password.
pub const PASSWORD: &str = "demo-demo-demo";
/// E-mail address and nick of the demo users; the first one sells.
pub const USERS: [(&str, &str); 3] =
    [("seller@demo.test", "seller"), ("ann@demo.test", "ann"), ("bob@demo.test", "bob")];

/// Why there is no demo data.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("demo user: {0}")]
    Account(#[from] AccountError),
    #[error("demo picture: {0}")]
    Encoding(#[from] image::ImageError),
    #[error("demo picture: {0}")]
    Picture(#[from] PictureError),
    #[error("demo bid: {0}")]
    Bid(#[from] BidError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A bid: whether it is ann's (else bob's), its amount and its message.
type DemoBid = (bool, i64, &'static str);

struct Item {
    title: &'static str,
    description: &'static str,
    draw: fn() -> image::RgbImage,
    currency: &'static str,
    start_price: i64,
    min_increment: i64,
    starts_in: Span,
    ends_in: Span,
    bids: &'static [DemoBid],
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

const ITEMS: [Item; 8] = [
    Item {
        title: "필름 카메라 · 35 mm rangefinder, 1958",
        description: "수리를 마친 기계식 카메라입니다. 셔터 전 속도 정상, 렌즈 깨끗합니다.\n\n\
                      Fully mechanical, serviced this spring. All speeds run true, the lens is clear, the leather is original.",
        draw: pictures::camera,
        currency: "KRW",
        start_price: 120_000,
        min_increment: 1_000,
        starts_in: Span(0),
        ends_in: Span::from_secs(2 * MINUTE),
        bids: &[(false, 125_000, "어릴 때 쓰던 카메라네요")],
    },
    Item {
        title: "청자 화병 · Celadon vase",
        description: "물레로 빚은 청자 화병, 높이 31 cm. 깨진 곳 없습니다.\n\n\
                      Wheel-thrown celadon with a fine crackle, 31 cm tall, no chips or repairs.",
        draw: pictures::vase,
        currency: "KRW",
        start_price: 300_000,
        min_increment: 5_000,
        starts_in: Span(0),
        ends_in: Span::from_secs(5 * MINUTE),
        bids: &[(true, 310_000, "색이 참 곱네요"), (false, 325_000, ""), (true, 350_000, "양보 못 합니다")],
    },
    Item {
        title: "어쿠스틱 기타 · Acoustic guitar, cedar top",
        description: "삼나무 상판 어쿠스틱 기타. 하드 케이스 포함.\n\nWarm and easy to play. New strings, hard case included.",
        draw: pictures::guitar,
        currency: "USD",
        start_price: 24_000,
        min_increment: 500,
        starts_in: Span(0),
        ends_in: Span::from_secs(10 * MINUTE),
        bids: &[(false, 25_000, ""), (true, 27_500, "For my sister's birthday")],
    },
    Item {
        title: "클래식 자전거 · Steel city bicycle",
        description: "크로몰리 프레임, 내장 3단 기어.\n\nLugged steel frame, three-speed hub, new tyres. Pick-up preferred.",
        draw: pictures::bicycle,
        currency: "EUR",
        start_price: 18_000,
        min_increment: 500,
        starts_in: Span(0),
        ends_in: Span::from_secs(45 * MINUTE),
        bids: &[],
    },
    Item {
        title: "기계식 손목시계 · Hand-wound watch, 36 mm",
        description: "수동 태엽 시계, 36 mm. 하루 오차 ±5초.\n\nHand-wound, 36 mm steel case, keeps time to five seconds a day.",
        draw: pictures::watch,
        currency: "CHF",
        start_price: 95_000,
        min_increment: 1_000,
        starts_in: Span(0),
        ends_in: Span::from_secs(3 * HOUR),
        bids: &[(true, 97_000, ""), (false, 101_000, "")],
    },
    Item {
        title: "턴테이블 · Belt-drive turntable",
        description: "벨트 구동 턴테이블, 새 벨트와 카트리지.\n\nBelt drive, walnut plinth, new belt and cartridge.",
        draw: pictures::turntable,
        currency: "USD",
        start_price: 15_000,
        min_increment: 250,
        starts_in: Span(0),
        ends_in: Span::from_secs(26 * HOUR),
        bids: &[(true, 16_000, "")],
    },
    Item {
        title: "유화 ‘산 너머 해’ · Oil painting, framed",
        description: "캔버스에 유채, 60 × 45 cm, 액자 포함.\n\nOil on canvas, 60 × 45 cm, in its original frame.",
        draw: pictures::painting,
        currency: "GBP",
        start_price: 8_000,
        min_increment: 100,
        starts_in: Span(0),
        ends_in: Span::from_secs(6 * DAY),
        bids: &[],
    },
    Item {
        title: "책상 스탠드 · Brass desk lamp",
        description: "황동 스탠드. 곧 경매가 시작됩니다.\n\nSolid brass, rewired. Bidding opens soon.",
        draw: pictures::lamp,
        currency: "JPY",
        start_price: 9_000,
        min_increment: 100,
        starts_in: Span::from_secs(15 * MINUTE),
        ends_in: Span::from_secs(DAY),
        bids: &[],
    },
];

/// Fills an empty store; `false` when it was not empty and nothing was done.
///
/// # Errors
/// The first thing that could not be stored; what was stored before stays.
pub async fn fill(store: &dyn Store, accounts: &Accounts, router: &Router, clock: &Clock) -> Result<bool, DemoError> {
    if !is_empty(store).await? {
        return Ok(false);
    }
    let [seller, ann, bob] = USERS;
    let seller = accounts.sign_up(seller.0, seller.1, PASSWORD).await?;
    let ann = accounts.sign_up(ann.0, ann.1, PASSWORD).await?;
    let bob = accounts.sign_up(bob.0, bob.1, PASSWORD).await?;
    let mut drawn = Vec::with_capacity(ITEMS.len());
    for item in &ITEMS {
        drawn.push(reencode(&pictures::encode(&(item.draw)())?)?);
    }
    // Taken after the drawing, so that the shortest auction has its whole two minutes.
    let now = clock.now();
    for (item, Picture { id: image_id, image }) in ITEMS.iter().zip(drawn) {
        store.put_image(&image_id, image, seller.id, now).await?;
        let stored = store.create_auction(item.auction(&seller, image_id, now)).await?;
        router.auction_created(&stored);
        for bid in item.bids {
            router.place_bid(stored.id, demo_bid(bid, &ann, &bob)).await?;
        }
    }
    Ok(true)
}

fn demo_bid((is_anns, amount, message): &DemoBid, ann: &User, bob: &User) -> PlaceBid {
    PlaceBid {
        bid_id: BidId(Uuid::new_v4().as_u128()),
        bidder: if *is_anns { ann } else { bob }.bidder(),
        amount: Money::new(*amount).unwrap_or(Money::ZERO),
        message: Some(*message).filter(|text| !text.is_empty()).map(Arc::from),
    }
}

async fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    for (email, _) in USERS {
        if store.user_by_email(email).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(store.auctions_by_id(AuctionId(0), 1).await?.is_empty())
}

impl Item {
    fn auction(&self, seller: &User, image_id: String, now: Timestamp) -> NewAuction {
        let money = |minor| Money::new(minor).unwrap_or(Money::ZERO);
        let terms = Terms {
            seller: seller.id,
            currency: Currency::from_code(self.currency).unwrap_or(Currency::DEFAULT),
            start_price: money(self.start_price),
            starts_at: now.plus(self.starts_in),
            ends_at: now.plus(self.ends_in),
            rules: Rules { min_increment: money(self.min_increment), ..Rules::default() },
        };
        NewAuction {
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            image_id: Some(image_id),
            created_at: now,
            terms,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::{Auction, Command, Head, UserId};
    use crate::limits::{DESCRIPTION_CHARS_MAX, TITLE_CHARS_MAX};

    #[test]
    fn every_item_keeps_the_bounds_and_names_a_known_currency() {
        let seller = User { id: UserId(1), email: Arc::from("s@x.test"), nick: Arc::from("s") };
        for item in &ITEMS {
            let auction = item.auction(&seller, String::new(), Timestamp(0));
            assert!(auction.title.chars().count() <= TITLE_CHARS_MAX);
            assert!(auction.description.chars().count() <= DESCRIPTION_CHARS_MAX);
            assert_eq!(auction.terms.currency.code(), item.currency);
            assert_eq!(auction.terms.start_price.minor(), item.start_price);
            assert!(auction.terms.starts_at < auction.terms.ends_at);
        }
    }

    #[test]
    fn every_demo_bid_is_accepted() {
        let user = |id, nick: &str| User { id: UserId(id), email: Arc::from("x@x.test"), nick: Arc::from(nick) };
        let (seller, ann, bob) = (user(1, "seller"), user(2, "ann"), user(3, "bob"));
        for item in &ITEMS {
            let terms = item.auction(&seller, String::new(), Timestamp(0)).terms;
            let mut auction = Auction::new(terms, Head::EMPTY);
            for (at, bid) in item.bids.iter().enumerate() {
                let now = Timestamp(1 + i64::try_from(at).unwrap());
                let event = auction.decide(Command::Bid(demo_bid(bid, &ann, &bob)), now).unwrap();
                auction.apply(&event);
            }
        }
    }

    #[test]
    fn every_item_has_its_own_picture() {
        let drawn: HashSet<_> = ITEMS.iter().map(|item| pictures::encode(&(item.draw)()).unwrap()).collect();
        assert_eq!(drawn.len(), ITEMS.len());
        for picture in drawn {
            assert!(picture.len() > 5_000, "there is something to see");
            assert_eq!(image::guess_format(&picture).unwrap(), image::ImageFormat::Jpeg);
        }
    }
}
