//! Live streams: the server's clock, Server-Sent Events, WebSocket.

mod sse;
mod unheard;
mod ws;

use serde_json::Value;

/// The auction in a snapshot, whether it stands in the frame itself or in a member of it.
pub(crate) fn auction_in(snapshot: &Value) -> &Value {
    snapshot.get("auction").unwrap_or(snapshot)
}

/// `<auction>-<epoch>-<seq>` taken apart; fails when it is of another form.
pub(crate) fn parts_of(id: &str) -> (String, i64, i64) {
    let parts = id.split('-').collect::<Vec<_>>();
    let [auction, epoch, seq] = parts[..] else { panic!("not auction-epoch-seq: {id}") };
    (auction.to_owned(), epoch.parse().unwrap(), seq.parse().unwrap())
}
