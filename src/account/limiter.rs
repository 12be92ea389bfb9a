//! How often one user or address may do something.
//!
//! Token buckets (governor): the burst equals the rate. Forgets those whose bucket is full again, so
//! that memory is bounded by how many different ones come within one refill. In a cluster, what is dear is counted
//! over all nodes as well; while that cannot be, each node's own buckets decide alone.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::open_streams::{HeldStream, OpenStreams};
use crate::domain::{Span, UserId};
use crate::limits::{LIMITER_CHECKS_BETWEEN_SWEEPS, LIMITER_KEYS_UNSWEPT_MAX, STREAM_PLACE_RETRY};
use crate::settings::RateLimits;

/// What is limited; see `settings::RateLimits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    Bid,
    SignIn,
    SignUp,
    Write,
    Read,
    Stream,
}

impl Limited {
    const fn name(self) -> &'static str {
        match self {
            Self::Bid => "bid",
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::Write => "write",
            Self::Read => "read",
            Self::Stream => "stream",
        }
    }
}

/// Whose rate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    User(UserId),
    Address(IpAddr),
}

impl Who {
    /// One customer of a network usually holds a whole /64 of IPv6 addresses: they share one rate. An
    /// IPv4 address counts the same when it comes mapped into IPv6.
    fn bucket(self) -> Self {
        match self {
            Self::Address(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                Some(mapped) => Self::Address(IpAddr::V4(mapped)),
                None => Self::Address(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
            },
            Self::User(_) | Self::Address(IpAddr::V4(_)) => self,
        }
    }

    fn key(self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Address(address) => format!("address:{address}"),
        }
    }
}

/// Counts over all nodes of a cluster. `app` plugs it in.
#[async_trait]
pub trait SharedTally: Send + Sync {
    /// Counts one more of `key`, in a window that begins with the first and lasts `window`: how many there are in it
    /// by now, and when it is over. `None` when that cannot be told at once.
    async fn count(&self, key: &str, window: Span) -> Option<(u64, Span)>;
}

/// One limiter for HTTP, SSE and WebSocket.
pub struct Limiter {
    rates: Option<Rates>,
    shared: Option<Arc<dyn SharedTally>>,
    streams: Arc<OpenStreams>,
}

struct Rates {
    bid: Rate,
    sign_in: Rate,
    sign_up: Rate,
    write: Rate,
    read: Rate,
    stream: Rate,
}

impl Limiter {
    /// A limiter of these rates; lets everything through when they are not enabled.
    #[must_use]
    pub fn new(rates: RateLimits) -> Self {
        let per_second = |rate| Rate::new(at_least_one(rate), Span::from_secs(1));
        let per_minute = |rate| Rate::new(at_least_one(rate), Span::from_secs(60));
        Self {
            rates: rates.enabled.then(|| Rates {
                bid: per_second(rates.bids_per_second),
                sign_in: per_minute(rates.sign_ins_per_minute),
                sign_up: per_minute(rates.sign_ups_per_minute),
                write: per_second(rates.writes_per_second),
                read: per_second(rates.reads_per_second),
                stream: per_minute(rates.streams_per_minute),
            }),
            streams: OpenStreams::new(rates.enabled.then_some(rates.streams_per_address)),
            shared: None,
        }
    }

    /// The same for a node of a cluster, which counts what is dear with the others.
    #[must_use]
    pub fn shared(rates: RateLimits, tally: Arc<dyn SharedTally>) -> Self {
        Self { shared: Some(tally), ..Self::new(rates) }
    }

    /// Takes one unit of `who`'s allowance on this node and, in a cluster, of the one that `who` has on all nodes
    /// together. For what costs much and is rare, since it may take a round trip.
    ///
    /// # Errors
    /// How long to wait before the next try.
    pub async fn check_everywhere(&self, what: Limited, who: Who) -> Result<(), Duration> {
        self.check(what, who)?;
        let (Some(rates), Some(tally)) = (&self.rates, &self.shared) else { return Ok(()) };
        let rate = rates.of(what);
        match tally.count(&format!("{}:{}", what.name(), who.bucket().key()), rate.window).await {
            Some((count, ends_in)) if count > u64::from(rate.units) => Err(ends_in.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes one unit of `who`'s allowance.
    ///
    /// # Errors
    /// How long to wait before the next try.
    pub fn check(&self, what: Limited, who: Who) -> Result<(), Duration> {
        let Some(rates) = &self.rates else {
            return Ok(());
        };
        rates.of(what).take(who.bucket())
    }

    /// A place for one live stream of `who`, to be kept as long as the stream lives.
    ///
    /// # Errors
    /// How long to wait before the next try, when `who` holds as many as one may.
    pub fn hold_stream(&self, who: Who) -> Result<HeldStream, Duration> {
        self.streams.hold(who.bucket()).ok_or_else(|| STREAM_PLACE_RETRY.into())
    }
}

impl Rates {
    const fn of(&self, what: Limited) -> &Rate {
        match what {
            Limited::Bid => &self.bid,
            Limited::SignIn => &self.sign_in,
            Limited::SignUp => &self.sign_up,
            Limited::Write => &self.write,
            Limited::Read => &self.read,
            Limited::Stream => &self.stream,
        }
    }
}

/// Settings refuse a rate of 0; should one come all the same, it lets one through.
fn at_least_one(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)
}

/// The buckets of one [`Limited`].
struct Rate {
    buckets: DefaultKeyedRateLimiter<Who>,
    clock: DefaultClock,
    checks: AtomicU32,
    /// So many in a window.
    units: u32,
    window: Span,
}

impl Rate {
    fn new(units: NonZeroU32, window: Span) -> Self {
        let quota = Quota::with_period(Duration::from(window) / units.get())
            .map_or_else(|| Quota::per_second(units), |quota| quota.allow_burst(units));
        Self {
            units: units.get(),
            window,
            buckets: DefaultKeyedRateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
        }
    }

    fn take(&self, who: Who) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(LIMITER_CHECKS_BETWEEN_SWEEPS)
            && self.buckets.len() > LIMITER_KEYS_UNSWEPT_MAX
        {
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
        self.buckets.check_key(&who).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const RATES: RateLimits = RateLimits {
        enabled: true,
        bids_per_second: 3,
        sign_ins_per_minute: 1,
        sign_ups_per_minute: 1,
        writes_per_second: 1,
        reads_per_second: 1,
        streams_per_minute: 1,
        streams_per_address: 1,
    };

    #[test]
    fn a_burst_up_to_the_rate_passes_and_the_next_is_told_how_long_to_wait() {
        let limiter = Limiter::new(RATES);
        let ann = Who::User(UserId(1));
        for _ in 0..3 {
            assert_eq!(limiter.check(Limited::Bid, ann), Ok(()));
        }
        let wait = limiter.check(Limited::Bid, ann).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(limiter.check(Limited::Bid, Who::User(UserId(2))), Ok(()), "others have their own rate");
        assert_eq!(limiter.check(Limited::Write, ann), Ok(()), "other things have their own rate");
    }

    /// What all nodes together have counted; `None` when nobody can tell.
    struct Told(std::sync::Mutex<Option<u64>>);

    #[async_trait]
    impl SharedTally for Told {
        async fn count(&self, key: &str, window: Span) -> Option<(u64, Span)> {
            assert_eq!((key, window), ("sign_in:address:10.0.0.1", Span::from_secs(60)));
            self.0.lock().unwrap().map(|count| (count, Span::from_secs(30)))
        }
    }

    #[tokio::test]
    async fn what_other_nodes_let_through_counts_and_alone_the_own_count_decides() {
        let who = Who::Address("::ffff:10.0.0.1".parse().unwrap());
        let rates = RateLimits { sign_ins_per_minute: 5, ..RATES };
        let tally = Arc::new(Told(std::sync::Mutex::new(Some(5))));
        let limiter = Limiter::shared(rates, Arc::clone(&tally) as Arc<dyn SharedTally>);
        let told = |count| *tally.0.lock().unwrap() = count;
        assert_eq!(limiter.check_everywhere(Limited::SignIn, who).await, Ok(()));
        told(Some(6));
        assert_eq!(limiter.check_everywhere(Limited::SignIn, who).await, Err(Duration::from_secs(30)));
        told(None);
        for _ in 2..5 {
            assert_eq!(limiter.check_everywhere(Limited::SignIn, who).await, Ok(()));
        }
        assert!(limiter.check_everywhere(Limited::SignIn, who).await.is_err(), "the own bucket is empty");
    }

    #[test]
    fn limits_that_are_turned_off_let_everything_through() {
        let limiter = Limiter::new(RateLimits { enabled: false, ..RATES });
        for _ in 0..100 {
            assert_eq!(limiter.check(Limited::SignIn, Who::User(UserId(1))), Ok(()));
        }
    }

    #[test]
    fn a_slash_64_of_ipv6_shares_one_rate_and_mapped_ipv4_is_ipv4() {
        let address = |text: &str| Who::Address(text.parse().unwrap()).bucket();
        assert_eq!(address("2001:db8:1:2:3::4"), address("2001:db8:1:2::"));
        assert_ne!(address("2001:db8:1:2::"), address("2001:db8:1:3::"));
        assert_eq!(address("::ffff:10.0.0.1"), Who::Address(Ipv4Addr::new(10, 0, 0, 1).into()));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let rate = Rate::new(NonZeroU32::new(1_000_000).unwrap(), Span::from_secs(1));
        let keys = i64::try_from(LIMITER_KEYS_UNSWEPT_MAX).unwrap() + 2;
        for id in 0..keys {
            rate.take(Who::User(UserId(id))).unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
        for _ in 0..LIMITER_CHECKS_BETWEEN_SWEEPS {
            let _ = rate.take(Who::User(UserId(0)));
        }
        assert!(rate.buckets.len() < LIMITER_KEYS_UNSWEPT_MAX, "{}", rate.buckets.len());
    }
}
