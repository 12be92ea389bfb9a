//! The door: the whole route table on one screen.

pub mod streams;

use std::sync::Arc;

use crate::account::{Accounts, Limiter};
use crate::auction::Engine;
use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::Store;

/// What handlers work with; one for the process, behind `web::Data`.
pub struct Door {
    pub engine: Arc<Engine>,
    pub store: Arc<dyn Store>,
    pub accounts: Arc<Accounts>,
    pub limiter: Arc<Limiter>,
    pub clock: Arc<Clock>,
    pub settings: Arc<Settings>,
}
