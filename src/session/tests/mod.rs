//! Live sessions over real sockets, with an auction house made of memory behind them.

mod following;
mod protocol;
mod slow;
mod sse;
mod support;
mod upgrade;
