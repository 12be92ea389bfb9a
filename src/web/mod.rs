//! What people see: templates, styles, scripts and texts, all compiled into the binary.
//!
//! This room turns stored auctions into pages. It asks nothing of the store or the engine, decides
//! nothing, and never writes HTML by hand: every value goes through askama, which escapes it.

mod bundle;
mod locale;
pub mod money;
pub mod texts;
mod time;
mod views;

pub use bundle::{Asset, asset, asset_url};
pub use locale::{LANG_COOKIE, Lang};
pub use views::{Around, Desk, SellFields, Standing};
pub use views::{Card, ErrorPage, Frame, HistoryRow, IndexPage, JoinPage, MinePage, OwnBidRow, RoomPage, SellPage};
