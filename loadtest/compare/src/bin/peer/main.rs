//! The Rust peers of the comparison: what one would write with the same tools instead of picking Gavel.
//!
//! Our own code, small on purpose. None of them is a product: they keep no accounts, answer no `bid_id`
//! twice and tell nobody of a bid. That spares them work that Gavel does.

mod clock;
mod door;
mod house;
mod hub;
mod lua;
mod noop;
mod row_lock;
mod sessions;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use clap::{Parser, ValueEnum};

use crate::house::{Fault, House};
use crate::sessions::Sessions;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Accepts and keeps nothing.
    Noop,
    /// The same, decided by an actor on another thread.
    Actor,
    /// One Postgres transaction a bid.
    RowLock,
    /// One Redis Lua script a bid.
    Lua,
    /// Tells every session of every bid.
    Hub,
}

#[derive(Debug, Parser)]
#[command(name = "compare-peer")]
struct Args {
    #[arg(value_enum)]
    kind: Kind,
    /// A loopback address.
    #[arg(long)]
    listen: SocketAddr,
    /// The store of `row-lock` or `lua`: postgres://… or redis://…
    #[arg(long, default_value = "")]
    store: String,
    /// Connections to Postgres.
    #[arg(long, default_value_t = 64)]
    pool: usize,
}

#[actix_web::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Where stderr is closed, the exit code still tells.
            let _written = io::Write::write_fmt(&mut io::stderr(), format_args!("compare-peer: {fault}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Fault> {
    if !args.listen.ip().is_loopback() {
        return Err(Fault(format!("{} is not a loopback address", args.listen)));
    }
    let at = args.listen;
    match args.kind {
        Kind::Noop => serve::<noop::Noop>(at, Arc::default(), |_more| {}).await,
        Kind::Actor => serve::<noop::Judged>(at, noop::Judge::start_apart(), |_more| {}).await,
        Kind::RowLock => {
            let pool = row_lock::pool(&args.store, args.pool).await?;
            serve::<row_lock::RowLock>(at, pool, |_more| {}).await
        }
        Kind::Lua => serve::<lua::Lua>(at, args.store, |_more| {}).await,
        Kind::Hub => {
            let watch = |more: &mut web::ServiceConfig| {
                more.route("/api/v1/ws", web::get().to(hub::watch));
            };
            serve::<hub::Hub>(at, hub::Shared::start(), watch).await
        }
    }
}

/// Serves the house `H` until a signal.
async fn serve<H: House>(at: SocketAddr, shared: H::Shared, more: fn(&mut web::ServiceConfig)) -> Result<(), Fault> {
    let sessions = Arc::new(Sessions::default());
    let app = move || {
        let shared = shared.clone();
        App::new()
            .data_factory(move || H::connect(shared.clone()))
            .app_data(Data::new(Arc::clone(&sessions)))
            .configure(door::routes::<H>)
            .configure(more)
    };
    let server = HttpServer::new(app).tcp_nodelay(true).backlog(4_096);
    server.bind(at).map_err(Fault::of)?.run().await.map_err(Fault::of)
}
