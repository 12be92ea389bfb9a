//! Reads what the server remembers after the run, and holds it against what it acknowledged.

use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::Value;

use crate::args::Run;
use crate::check::{Checker, Findings, Row};
use crate::client::{Client, Request};
use crate::clock;
use crate::error::LoadError;
use crate::market::Market;
use crate::record::Ack;
use crate::target::Target;

/// Rows asked for at once: the contract's largest page.
const PAGE: usize = 1_000;
/// Histories read at the same time.
const LANES: usize = 4;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    next_after_seq: Option<i64>,
}

#[derive(Deserialize)]
struct Item<'a> {
    seq: i64,
    bid_id: &'a str,
    amount: i64,
    at: &'a str,
}

/// What the history of all auctions says.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    pub(crate) findings: Findings,
    /// For each auction, the amount of its last bid.
    pub(crate) top_amounts: Vec<Option<i64>>,
}

/// Reads every auction's history and checks `acks` against it; `undecided` bids may be in it as well.
pub(crate) async fn check(
    run: &Run,
    market: &Market,
    acks: Vec<Vec<Ack>>,
    undecided: u64,
) -> Result<Histories, LoadError> {
    let mut lanes: Vec<Vec<(usize, Vec<Ack>)>> = (0..LANES).map(|_| Vec::new()).collect();
    for (auction, acks) in acks.into_iter().enumerate() {
        lanes[auction % LANES].push((auction, acks));
    }
    let lanes = lanes.into_iter().enumerate().map(|(lane, work)| async move {
        let mut client = Client::new(run.targets[lane % run.targets.len()].clone());
        let mut done = Vec::with_capacity(work.len());
        for (auction, acks) in work {
            let under_load = &market.auctions[auction];
            let mut checker = Checker::new(&under_load.id, under_load.ends_at_ms, acks);
            read(&mut client, &under_load.id, &mut checker).await?;
            let top_amount = checker.last().map(|row| row.amount);
            done.push((auction, top_amount, checker.finish()));
        }
        Ok::<_, LoadError>(done)
    });
    let checked = try_join_all(lanes).await?.into_iter().flatten();
    let mut histories = Histories { top_amounts: vec![None; market.auctions.len()], ..Histories::default() };
    for (auction, top_amount, findings) in checked {
        histories.top_amounts[auction] = top_amount;
        histories.findings.merge(findings);
    }
    histories.findings.explain(undecided);
    Ok(histories)
}

async fn read(client: &mut Client, auction_id: &str, checker: &mut Checker<'_>) -> Result<(), LoadError> {
    let mut after = 0;
    loop {
        let path = format!("/api/v1/auctions/{auction_id}/bids?after_seq={after}&limit={PAGE}");
        let answer = client.persist(&Request::get(&path)).await?;
        if answer.status != 200 {
            let text = String::from_utf8_lossy(&answer.body);
            return Err(LoadError::failed(format!("reading a history: the server answered {}: {text}", answer.status)));
        }
        let page: Page<'_> = serde_json::from_slice(&answer.body).map_err(LoadError::doing("reading a history"))?;
        for item in &page.items {
            checker.row(row(item)?);
        }
        match page.next_after_seq {
            // A page may be empty before the end: other events lie between bids.
            Some(next) if next > after => after = next,
            Some(next) if !page.items.is_empty() => {
                return Err(LoadError::failed(format!("reading a history: after seq {after} comes {next}")));
            }
            Some(_) | None => return Ok(()),
        }
    }
}

fn row(item: &Item<'_>) -> Result<Row, LoadError> {
    let bid_id = uuid::Uuid::try_parse(item.bid_id).map_err(LoadError::doing("reading a history: a bid_id"))?;
    let at_ms = clock::parse_rfc3339_ms(item.at)
        .ok_or_else(|| LoadError::failed(format!("reading a history: an odd time: {}", item.at)))?;
    Ok(Row { seq: item.seq, bid_id: bid_id.as_u128(), amount: item.amount, at_ms })
}

/// An auction's newest seq, and whether its close is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) settled: bool,
}

/// Asks for the head of one auction.
pub(crate) async fn head(target: &Target, auction_id: &str) -> Result<Head, LoadError> {
    let path = format!("/api/v1/auctions/{auction_id}");
    let answer = Client::new(target.clone()).persist(&Request::get(&path)).await?;
    let auction: Value = answer.expect(&[200], "reading an auction")?;
    let seq = auction["seq"].as_i64();
    Ok(Head {
        seq: seq.ok_or_else(|| LoadError::failed(format!("an auction without seq: {auction}")))?,
        settled: auction["state"] == "closed",
    })
}
