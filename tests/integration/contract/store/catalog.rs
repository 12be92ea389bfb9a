//! Auctions as things to create, show and look up.

use bytes::Bytes;
use gavel::domain::{AuctionId, Currency, Epoch, Head, Rules, Terms, Timestamp, UserId};
use gavel::store::{NewAuction, StoredImage, Ties};

use crate::contract::Backend;
use crate::contract::driver::{Driver, END, at, bid, money, new_auction, terms, user};

pub(crate) async fn an_auction_is_given_back_as_it_was_created(backend: &impl Backend) {
    let store = backend.open().await;
    let sam = user(&*store, "sam").await;
    let image = StoredImage { media_type: "image/png".into(), bytes: Bytes::from_static(b"\x89PNG") };
    store.put_image("0a1b", image, sam.id, at(0)).await.unwrap();
    let new = NewAuction {
        title: "등잔".to_owned(),
        description: "brass,\nold".to_owned(),
        image_id: Some("0a1b".to_owned()),
        created_at: at(-9),
        terms: Terms {
            seller: sam.id,
            currency: Currency::from_code("EUR").unwrap(),
            start_price: money(0),
            starts_at: at(1),
            ends_at: at(2),
            rules: Rules { min_increment: money(50), leader_may_raise: true },
        },
    };
    let created = store.create_auction(new.clone()).await.unwrap();
    let found = store.auction(created.id).await.unwrap().unwrap();
    for auction in [&created, &found] {
        assert!(auction.id.0 >= 1);
        assert_eq!(*auction.title, *new.title);
        assert_eq!(*auction.description, *new.description);
        assert_eq!(auction.image_id.as_deref(), Some("0a1b"));
        assert_eq!(*auction.seller_nick, *sam.nick);
        assert_eq!(auction.created_at, new.created_at);
        assert_eq!(auction.terms, new.terms);
        assert_eq!(auction.head, Head::EMPTY);
        assert_eq!(auction.epoch, Epoch(0));
    }
    assert!(store.auction(AuctionId(created.id.0 + 1)).await.unwrap().is_none());
}

pub(crate) async fn an_auction_of_nobody_is_refused(backend: &impl Backend) {
    let store = backend.open().await;
    assert!(store.create_auction(new_auction("a lamp", terms(UserId(12)))).await.is_err());
    assert_eq!(store.auctions_by_id(AuctionId(0), 10).await.unwrap().len(), 0);
}

pub(crate) async fn own_bids_come_newest_first_over_all_auctions(backend: &impl Backend) {
    let store = backend.open().await;
    let mut one = Driver::open(&store).await;
    let mut two = Driver::with(&store, one.epoch, |_| ()).await;
    let (ann, bob) = (one.ann.clone(), one.bob.clone());
    one.bid(bid(1, &ann, 101), at(1)).unwrap();
    two.bid(bid(1, &ann, 102), at(2)).unwrap();
    one.bid(bid(2, &bob, 103), at(3)).unwrap();
    one.bid(bid(3, &ann, 104), at(4)).unwrap();
    two.bid(bid(2, &bob, 105), at(5)).unwrap();
    two.bid(bid(3, &ann, 106), at(6)).unwrap();
    two.bid(bid(4, &ann, 1), at(7)).unwrap_err();
    one.commit().await;
    two.commit().await;
    one.close(Timestamp(END));
    one.commit().await;

    let amounts = async |user, limit| {
        let bids = store.bids_of(user, limit).await.unwrap();
        assert!(bids.iter().all(|bid| &*bid.title == "a lamp"));
        bids.iter().map(|bid| bid.amount.minor()).collect::<Vec<_>>()
    };
    assert_eq!(amounts(ann.id, 10).await, [106, 104, 102, 101]);
    assert_eq!(amounts(ann.id, 3).await, [106, 104, 102]);
    assert_eq!(amounts(ann.id, 1).await, [106]);
    assert_eq!(amounts(bob.id, 10).await, [105, 103]);
    assert!(amounts(one.seller.id, 10).await.is_empty());
}

pub(crate) async fn a_running_auction_shows_the_newest_own_bid_however_many_came_after_elsewhere(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let mut old = Driver::open(&store).await;
    let (ann, bob) = (old.ann.clone(), old.bob.clone());
    old.bid(bid(1, &ann, 101), at(1)).unwrap();
    old.bid(bid(2, &bob, 102), at(2)).unwrap();
    old.bid(bid(3, &ann, 103), at(3)).unwrap();
    old.bid(bid(4, &bob, 104), at(4)).unwrap();
    old.commit().await;
    let mut over = Driver::with(&store, old.epoch, |_| ()).await;
    over.bid(bid(1, &ann, 101), at(5)).unwrap();
    over.commit().await;
    over.close(Timestamp(END));
    over.commit().await;
    let mut busy = Driver::with(&store, old.epoch, |_| ()).await;
    for number in 1..=40_u32 {
        let bidder = if number % 2 == 1 { &ann } else { &bob };
        busy.bid(bid(number.into(), bidder, 100 + i64::from(number)), at(5 + i64::from(number))).unwrap();
    }
    busy.commit().await;

    let running = async |user, limit| {
        let bids = store.running_bids_of(user, limit).await.unwrap();
        bids.iter().map(|bid| (bid.auction_id, bid.amount.minor())).collect::<Vec<_>>()
    };
    assert_eq!(running(ann.id, 10).await, [(busy.id, 139), (old.id, 103)]);
    assert_eq!(running(ann.id, 1).await, [(busy.id, 139)]);
    busy.close(Timestamp(END));
    busy.commit().await;
    assert_eq!(running(ann.id, 10).await, [(old.id, 103)]);
    for (user, auction, has_bid) in [(ann.id, old.id, true), (ann.id, over.id, true), (bob.id, over.id, false)] {
        assert_eq!(store.ties(user, auction).await.unwrap(), Ties { watches: false, has_bid });
    }
    store.set_watched(bob.id, over.id, true).await.unwrap();
    assert_eq!(store.ties(bob.id, over.id).await.unwrap(), Ties { watches: true, has_bid: false });
    assert_eq!(store.ties(bob.id, AuctionId(999)).await.unwrap(), Ties::default());
}

pub(crate) async fn what_a_user_put_up_comes_newest_first(backend: &impl Backend) {
    let store = backend.open().await;
    let (sam, kim) = (user(&*store, "sam").await, user(&*store, "kim").await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, store.create_auction(new_auction("a lamp", terms(sam.id))).await.unwrap().id);
        store.create_auction(new_auction("a chair", terms(kim.id))).await.unwrap();
    }
    let found = async |limit| {
        let auctions = store.put_up_by(sam.id, limit).await.unwrap();
        auctions.iter().map(|auction| auction.id).collect::<Vec<_>>()
    };
    assert_eq!(found(10).await, ids);
    assert_eq!(found(2).await, ids[..2]);
}

pub(crate) async fn won_auctions_come_newest_closing_first(backend: &impl Backend) {
    let store = backend.open().await;
    let epoch = store.take_over().await.unwrap();
    let mut won = Vec::new();
    for number in 0..3 {
        let mut driver = Driver::with(&store, epoch, |_| ()).await;
        let (ann, bob) = (driver.ann.clone(), driver.bob.clone());
        driver.bid(bid(1, &bob, 101), at(1)).unwrap();
        driver.bid(bid(2, &ann, 102), at(2)).unwrap();
        driver.commit().await;
        assert_eq!(store.won_by(ann.id, 10).await.unwrap().len(), number);
        driver.close(Timestamp(END + i64::try_from(number).unwrap()));
        driver.commit().await;
        won.insert(0, driver.id);
        let found: Vec<_> = store.won_by(ann.id, 10).await.unwrap().iter().map(|auction| auction.id).collect();
        assert_eq!(found, won);
        assert_eq!(store.won_by(bob.id, 10).await.unwrap().len(), 0);
        assert_eq!(store.won_by(ann.id, 1).await.unwrap()[0].id, driver.id);
    }
}

pub(crate) async fn watching_twice_is_no_error(backend: &impl Backend) {
    let store = backend.open().await;
    let sam = user(&*store, "sam").await;
    let mut later = terms(sam.id);
    later.ends_at = Timestamp(END + 1);
    let late = store.create_auction(new_auction("late", later)).await.unwrap().id;
    let soon = store.create_auction(new_auction("soon", terms(sam.id))).await.unwrap().id;
    let watched = async |limit| {
        let auctions = store.watched_by(sam.id, limit).await.unwrap();
        auctions.iter().map(|auction| auction.id).collect::<Vec<_>>()
    };
    for id in [late, soon, late, AuctionId(999)] {
        store.set_watched(sam.id, id, true).await.unwrap();
    }
    assert_eq!(watched(10).await, [soon, late]);
    assert_eq!(watched(1).await, [soon]);
    for id in [soon, soon, AuctionId(999)] {
        store.set_watched(sam.id, id, false).await.unwrap();
    }
    assert_eq!(watched(10).await, [late]);
}
