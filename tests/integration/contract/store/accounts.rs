//! Users, tokens, pictures, and the store as a whole.

use std::sync::Arc;

use bytes::Bytes;
use gavel::domain::{AuctionId, Timestamp, UserId};
use gavel::limits::{self, TOKENS_PER_USER_MAX};
use gavel::store::{NewAuction, SignUp, Store, StoreError, StoredImage};

use crate::contract::Backend;
use crate::contract::driver::{at, new_auction, terms, user};

pub(crate) async fn an_email_address_is_taken_whatever_its_case(backend: &impl Backend) {
    let store = backend.open().await;
    let created = store.create_user("Ann.Ö@Test.test", "ann", "$h1", at(0)).await.unwrap();
    assert!(matches!(created, SignUp::Created(user) if &*user.email == "Ann.Ö@Test.test"));
    let again = store.create_user("ann.ö@TEST.test", "other", "$h2", at(1)).await.unwrap();
    assert!(matches!(again, SignUp::EmailTaken));
    let other = store.create_user("ann.o@test.test", "ann", "$h1", at(2)).await.unwrap();
    assert!(matches!(other, SignUp::Created(_)));
}

pub(crate) async fn a_user_is_found_whatever_the_case_of_the_address(backend: &impl Backend) {
    let store = backend.open().await;
    let SignUp::Created(created) = store.create_user("Ann@Test.test", "앤", "$h1", at(0)).await.unwrap() else {
        panic!("the address is taken in an empty store");
    };
    let found = store.user_by_email("aNN@test.TEST").await.unwrap().unwrap();
    assert_eq!(found.id, created.id);
    assert_eq!((&*found.email, &*found.nick, &*found.password_hash), ("Ann@Test.test", "앤", "$h1"));
    assert!(store.user_by_email("ann@test").await.unwrap().is_none());
}

pub(crate) async fn a_token_counts_until_it_expires(backend: &impl Backend) {
    let store = backend.open().await;
    let ann = user(&*store, "ann").await;
    store.create_token([7; 32], ann.id, at(0), at(100)).await.unwrap();
    let (found, expires_at) = store.token_user([7; 32], at(99)).await.unwrap().unwrap();
    assert_eq!((found.id, &*found.email, expires_at), (ann.id, &*ann.email, at(100)));
    assert!(store.token_user([7; 32], at(100)).await.unwrap().is_none());
    assert!(store.token_user([8; 32], at(0)).await.unwrap().is_none());
}

pub(crate) async fn a_revoked_token_is_unknown(backend: &impl Backend) {
    let store = backend.open().await;
    let ann = user(&*store, "ann").await;
    for hash in [[1; 32], [2; 32]] {
        store.create_token(hash, ann.id, at(0), at(100)).await.unwrap();
    }
    store.revoke_token([1; 32]).await.unwrap();
    store.revoke_token([1; 32]).await.unwrap();
    assert!(store.token_user([1; 32], at(1)).await.unwrap().is_none());
    assert!(store.token_user([2; 32], at(1)).await.unwrap().is_some());
}

pub(crate) async fn the_oldest_tokens_beyond_the_most_go(backend: &impl Backend) {
    let store = backend.open().await;
    let (ann, bob) = (user(&*store, "ann").await, user(&*store, "bob").await);
    store.create_token([255; 32], bob.id, at(0), at(1_000)).await.unwrap();
    let most = u8::try_from(TOKENS_PER_USER_MAX).unwrap();
    for number in 0..most + 3 {
        // Several in one microsecond: the later written counts as the newer.
        let gone = store.create_token([number; 32], ann.id, at(i64::from(number / 10)), at(1_000)).await.unwrap();
        let oldest = number.checked_sub(most).map(|oldest| [oldest; 32]);
        assert_eq!(gone, Vec::from_iter(oldest), "beside token {number}");
    }
    for number in 0..most + 3 {
        let known = store.token_user([number; 32], at(20)).await.unwrap().is_some();
        assert_eq!(known, number >= 3, "token {number}");
    }
    assert!(store.token_user([255; 32], at(20)).await.unwrap().is_some());
}

pub(crate) async fn expired_tokens_go_with_the_next_one_and_take_no_place(backend: &impl Backend) {
    let store = backend.open().await;
    let ann = user(&*store, "ann").await;
    let most = u8::try_from(TOKENS_PER_USER_MAX).unwrap();
    for number in 0..most {
        let expires = if number % 2 == 0 { 10 } else { 1_000 };
        store.create_token([number; 32], ann.id, at(0), at(expires)).await.unwrap();
    }
    let mut gone = store.create_token([most; 32], ann.id, at(10), at(1_000)).await.unwrap();
    gone.sort_unstable();
    assert_eq!(gone, (0..most).step_by(2).map(|number| [number; 32]).collect::<Vec<_>>());
    assert!(store.token_user([1; 32], at(11)).await.unwrap().is_some());
}

pub(crate) async fn a_picture_is_given_back_byte_by_byte(backend: &impl Backend) {
    let store = backend.open().await;
    let ann = user(&*store, "ann").await;
    let bytes = Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    let image = StoredImage { media_type: "image/webp".into(), bytes: bytes.clone() };
    store.put_image("ab12", image.clone(), ann.id, at(0)).await.unwrap();
    store.put_image("ab12", image, ann.id, at(1)).await.unwrap();
    let found = store.image("ab12").await.unwrap().unwrap();
    assert_eq!((&*found.media_type, found.bytes), ("image/webp", bytes));
    assert!(store.image("ab13").await.unwrap().is_none());
}

/// A picture of few bytes.
async fn put(store: &Arc<dyn Store>, id: &str, owner: UserId, at: Timestamp) {
    let image = StoredImage { media_type: "image/webp".into(), bytes: Bytes::from_static(b"a picture") };
    store.put_image(id, image, owner, at).await.unwrap();
}

async fn has(store: &Arc<dyn Store>, id: &str) -> bool {
    store.image(id).await.unwrap().is_some()
}

async fn show(store: &Arc<dyn Store>, id: &str, seller: UserId) {
    let auction = NewAuction { image_id: Some(id.to_owned()), ..new_auction("a lamp", terms(seller)) };
    store.create_auction(auction).await.unwrap();
}

pub(crate) async fn the_oldest_pictures_that_no_auction_shows_go_beyond_the_most(backend: &impl Backend) {
    let store = backend.open().await;
    let (ann, bob) = (user(&*store, "ann").await.id, user(&*store, "bob").await.id);
    let most = i64::from(limits::IMAGES_UNUSED_PER_USER_MAX);
    put(&store, "shown", ann, at(0)).await;
    show(&store, "shown", ann).await;
    put(&store, "shown", ann, at(1)).await;
    put(&store, "bobs", bob, at(1)).await;
    put(&store, "both", ann, at(2)).await;
    put(&store, "both", bob, at(3)).await;
    put(&store, "oldest", ann, at(4)).await;
    put(&store, "stored again", ann, at(5)).await;
    for number in 3..most {
        put(&store, &format!("more {number}"), ann, at(10 + number)).await;
    }
    put(&store, "stored again", ann, at(100)).await;
    assert!(has(&store, "oldest").await, "that makes the most");
    put(&store, "last but one", ann, at(101)).await;
    assert!(has(&store, "oldest").await && has(&store, "both").await);
    put(&store, "last", ann, at(102)).await;
    assert!(has(&store, "both").await, "bob has it too");
    assert!(!has(&store, "oldest").await);
    for kept in ["shown", "bobs", "stored again", "more 3", "last but one", "last"] {
        assert!(has(&store, kept).await, "{kept}");
    }
    // Shown once, it stays, whoever stored it.
    show(&store, "bobs", ann).await;
    for number in 0..=most {
        put(&store, &format!("bob's {number}"), bob, at(200 + number)).await;
    }
    assert!(has(&store, "bobs").await && !has(&store, "both").await);
}

pub(crate) async fn pictures_that_no_auction_shows_go_after_a_while(backend: &impl Backend) {
    let store = backend.open().await;
    let (ann, bob) = (user(&*store, "ann").await.id, user(&*store, "bob").await.id);
    for (id, when) in [("shown", 0), ("unused", 1), ("younger", 2)] {
        put(&store, id, ann, at(when)).await;
    }
    show(&store, "shown", bob).await;
    put(&store, "bobs", bob, at(limits::IMAGE_UNUSED_LIFE.0)).await;
    assert!(has(&store, "unused").await);
    put(&store, "bobs", bob, at(1 + limits::IMAGE_UNUSED_LIFE.0)).await;
    assert!(!has(&store, "unused").await && has(&store, "younger").await && has(&store, "shown").await);
}

pub(crate) async fn after_the_close_everything_is_refused(backend: &impl Backend) {
    let store = backend.open().await;
    store.ping().await.unwrap();
    let ann = user(&*store, "ann").await;
    store.close().await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.take_over().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.auction(AuctionId(1)).await, Err(StoreError::Unavailable(_))));
    let created = store.create_auction(new_auction("a lamp", terms(ann.id))).await;
    assert!(matches!(created, Err(StoreError::Unavailable(_))));
}
