//! The rules as tables. A line is a command and its whole answer:
//!
//! ```text
//! auction start=100 opens=10s ends=60s increment=1 raise=no      the terms; sam sells
//! @55s bob 110 accepted seq=1 ends=60s                            a bid and what becomes of it
//! @56s ann 110 too_low min=111 top=bob:110
//! @57s extend 80s extended seq=2 ends=80s                         the closing instant is moved
//! @80s close over seq=3 winner=bob:110                            the closing
//! ```
//!
//! The facts behind the answer's name may be left out, but none may be wrong. `#` starts a comment.
#![allow(clippy::arithmetic_side_effects, reason = "the tables' own small numbers")]

use std::sync::Arc;

use super::{
    Auction, BidId, Bidder, Command, Currency, Event, EventKind, Head, Money, PlaceBid, Rejection, Rules, Terms,
    Timestamp, Top, UserId,
};

const PEOPLE: [&str; 4] = ["sam", "ann", "bob", "eve"];

/// Runs a table and panics at the first line whose answer differs.
fn check(table: &str) {
    let mut lines = table.lines().enumerate().filter_map(|(number, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (!line.is_empty()).then_some((number, line))
    });
    let (_, first) = lines.next().expect("a table starts with its auction");
    let mut auction = Auction::new(terms(first), Head::EMPTY);
    for (number, line) in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = instant(words[0].strip_prefix('@').expect("a line starts with @"));
        let (command, expected) = match words[1] {
            "close" => (Command::Close, &words[2..]),
            "extend" => (Command::Extend { ends_at: instant(words[2]) }, &words[3..]),
            name => (Command::Bid(bid(number, name, words[2])), &words[3..]),
        };
        let before = auction.clone();
        let decided = auction.decide(command, at);
        assert_eq!(auction, before, "a decision changes nothing");
        let answer = told(&auction, &decided);
        let facts: Vec<&str> = answer.split(' ').collect();
        let fits = expected.first() == facts.first() && expected.iter().all(|fact| facts.contains(fact));
        assert!(fits, "table line {number}: `{line}` was answered `{answer}`");
        if let Ok(event) = decided {
            assert_eq!(event.at, at);
            auction.apply(&event);
        }
    }
}

fn terms(line: &str) -> Terms {
    let fact = |name: &str| {
        let mut words = line.split_whitespace().filter_map(|word| word.split_once('='));
        words.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("the auction lacks {name}")).1
    };
    assert!(line.starts_with("auction "), "`{line}` is not an auction");
    Terms {
        seller: UserId(0),
        currency: Currency::DEFAULT,
        start_price: money(fact("start")),
        starts_at: instant(fact("opens")),
        ends_at: instant(fact("ends")),
        rules: Rules { min_increment: money(fact("increment")), leader_may_raise: fact("raise") == "yes" },
    }
}

fn money(text: &str) -> Money {
    let minor = if text == "max" { Money::MAX.minor() } else { text.parse().expect("an amount is a whole number") };
    Money::new(minor).expect("an amount is within bounds")
}

/// `55s`, or `55.000001s`.
fn instant(text: &str) -> Timestamp {
    let seconds = text.strip_suffix('s').expect("an instant ends with s");
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let micros: i64 = format!("{part:0<6}").parse().expect("up to six decimals");
    Timestamp(whole.parse::<i64>().expect("whole seconds") * 1_000_000 + micros)
}

fn shown(at: Timestamp) -> String {
    let (whole, part) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
    if part == 0 { format!("{whole}s") } else { format!("{whole}.{part:06}s") }
}

fn bid(line: usize, name: &str, amount: &str) -> PlaceBid {
    let id = PEOPLE.iter().position(|person| *person == name).expect("a known person");
    let bidder = Bidder { id: UserId(i64::try_from(id).unwrap_or(0)), nick: Arc::from(name) };
    PlaceBid { bid_id: BidId(line as u128), bidder, amount: money(amount), message: None }
}

fn leader(top: Option<&Top>) -> String {
    top.map_or_else(|| "none".to_owned(), |top| format!("{}:{}", top.bidder.nick, top.amount))
}

/// The answer in the tables' words.
fn told(auction: &Auction, decided: &Result<Event, Rejection>) -> String {
    match decided {
        Ok(event) => match &event.kind {
            EventKind::Bid(_) => format!("accepted seq={} ends={}", event.seq, shown(auction.ends_at())),
            EventKind::Extended { ends_at } => format!("extended seq={} ends={}", event.seq, shown(*ends_at)),
            EventKind::Closed { winner } => format!("over seq={} winner={}", event.seq, leader(winner.as_ref())),
        },
        Err(Rejection::OwnAuction) => "own_auction".to_owned(),
        Err(Rejection::NotStarted { starts_at }) => format!("not_started opens={}", shown(*starts_at)),
        Err(Rejection::Closed { ended_at }) => format!("closed ended={}", shown(*ended_at)),
        Err(Rejection::TooLow { min_next, top }) => {
            assert_eq!(*min_next, auction.min_next());
            format!("too_low min={min_next} top={}", leader(top.as_ref()))
        }
        Err(Rejection::AlreadyLeading { top }) => format!("already_leading top={}", leader(Some(top))),
        Err(Rejection::NotDue { ends_at }) => format!("not_due ends={}", shown(*ends_at)),
    }
}

#[test]
fn a_first_bid_must_beat_the_start_price_by_the_increment() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @20s ann 0   too_low min=101 top=none
         @20s ann 99  too_low min=101 top=none
         @20s ann 100 too_low min=101 top=none   # meeting it is not beating it
         @20s ann 101 accepted seq=1 ends=60s",
    );
    check(
        "auction start=0 opens=10s ends=60s increment=50 raise=no
         @20s ann 49  too_low min=50 top=none
         @20s ann 50  accepted seq=1",
    );
}

#[test]
fn a_bid_below_the_increment_is_rejected() {
    check(
        "auction start=100 opens=10s ends=60s increment=10 raise=no
         @20s ann 110 accepted seq=1 ends=60s
         @21s bob 110 too_low min=120 top=ann:110
         @22s bob 119 too_low min=120 top=ann:110
         @23s bob 120 accepted seq=2 ends=60s
         @24s ann 1000 accepted seq=3 ends=60s   # far above is as good
         @25s bob 1009 too_low min=1010 top=ann:1000",
    );
}

#[test]
fn a_bid_is_in_time_from_the_opening_until_before_the_closing_instant() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @0s         ann 110 not_started opens=10s
         @9.999999s  ann 110 not_started opens=10s
         @10s        ann 110 accepted seq=1 ends=60s
         @59.999999s bob 120 accepted seq=2 ends=60s
         @60s        ann 130 closed ended=60s
         @60.000001s ann 130 closed ended=60s
         @3600s      ann 130 closed ended=60s",
    );
}

#[test]
fn the_seller_may_not_bid() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=yes
         @20s sam 500 own_auction
         @21s ann 110 accepted seq=1
         @22s sam 500 own_auction",
    );
}

#[test]
fn the_leader_may_not_raise_unless_the_rules_say_so() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @20s ann 110 accepted seq=1
         @21s ann 120 already_leading top=ann:110
         @22s bob 120 accepted seq=2
         @23s ann 130 accepted seq=3       # outbid, she may again
         @24s ann 140 already_leading top=ann:130",
    );
    check(
        "auction start=100 opens=10s ends=60s increment=10 raise=yes
         @20s ann 110 accepted seq=1
         @21s ann 119 too_low min=120 top=ann:110
         @22s ann 120 accepted seq=2",
    );
}

#[test]
fn the_first_reason_in_the_precedence_is_told() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @5s  sam 1   own_auction          # also not started, too low
         @5s  ann 1   not_started opens=10s  # also too low
         @20s ann 110 accepted seq=1
         @21s ann 110 too_low min=111 top=ann:110  # also leading
         @21s sam 1   own_auction          # also too low
         @60s sam 1   own_auction          # also closed
         @60s ann 1   closed ended=60s     # also too low, and leading
         @61s close   over seq=2 winner=ann:110
         @62s sam 1   own_auction
         @62s ann 1   closed ended=60s",
    );
}

#[test]
fn an_auction_closes_once_and_not_before_its_time() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @0s         close not_due ends=60s
         @59.999999s close not_due ends=60s
         @59.999999s bob 110 accepted seq=1
         @60s        close over seq=2 winner=bob:110
         @61s        close closed ended=60s
         @62s        ann 120 closed ended=60s",
    );
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @70s close over seq=1 winner=none      # late, and nobody came
         @71s close closed ended=60s",
    );
}

#[test]
fn an_open_auction_may_only_be_extended_to_a_later_end() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @55s        ann 110    accepted seq=1 ends=60s
         @56s        extend 60s not_due ends=60s       # no later than it is
         @56s        extend 59s not_due ends=60s
         @57s        extend 80s extended seq=2 ends=80s
         @58s        extend 70s not_due ends=80s
         @60s        close      not_due ends=80s
         @79.999999s bob 120    accepted seq=3 ends=80s
         @80s        ann 130    closed ended=80s
         @81s        close      over seq=4 winner=bob:120
         @82s        extend 99s closed ended=80s",
    );
}

#[test]
fn an_auction_whose_time_is_up_may_be_extended_until_it_is_closed() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @60s ann 110    closed ended=60s
         @61s extend 70s extended seq=1 ends=70s
         @62s ann 110    accepted seq=2 ends=70s
         @70s extend 75s extended seq=3 ends=75s
         @75s close      over seq=4 winner=ann:110",
    );
}

#[test]
fn an_auction_that_has_not_opened_may_be_extended() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @5s  extend 70s extended seq=1 ends=70s
         @5s  ann 110    not_started opens=10s
         @69s ann 110    accepted seq=2 ends=70s",
    );
}

#[test]
fn rejections_take_no_place_among_the_events() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @20s ann 1   too_low
         @21s ann 101 accepted seq=1
         @22s bob 101 too_low
         @23s ann 102 already_leading
         @24s bob 102 accepted seq=2
         @60s close   over seq=3 winner=bob:102",
    );
}

#[test]
fn nobody_can_beat_the_largest_amount() {
    check(
        "auction start=100 opens=10s ends=60s increment=1 raise=no
         @20s ann max accepted seq=1
         @21s bob max too_low min=1000000000000001 top=ann:1000000000000000
         @60s close over seq=2 winner=ann:1000000000000000",
    );
    check(
        "auction start=max opens=10s ends=60s increment=max raise=no
         @20s ann max too_low min=2000000000000000 top=none",
    );
}

#[test]
fn the_deadline_is_the_closing_instant_until_it_is_closed() {
    let line = "auction start=100 opens=10s ends=60s increment=1 raise=no";
    let mut auction = Auction::new(terms(line), Head::EMPTY);
    assert_eq!(auction.next_deadline(), Some(instant("60s")));
    let event = auction.decide(Command::Close, instant("61s")).expect("it is due");
    assert_eq!(auction.next_deadline(), Some(instant("60s")));
    auction.apply(&event);
    assert_eq!(auction.next_deadline(), None);
}
