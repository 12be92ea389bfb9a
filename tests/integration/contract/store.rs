//! The store port's promises, for any backend.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod extending;
pub(crate) mod ledger;
pub(crate) mod listing;

/// A test for each promise, each on a fresh `$backend`.
macro_rules! every_promise {
    ($backend:expr) => {
        use crate::contract::store::{accounts, catalog, extending, ledger, listing};

        crate::contract::store::promises! { $backend =>
            ledger::each_takeover_gives_a_higher_epoch,
            ledger::a_commit_is_read_back_as_it_was_decided,
            ledger::a_commit_of_an_earlier_epoch_writes_nothing,
            ledger::a_batch_after_another_head_writes_nothing_and_the_others_are_written,
            ledger::rejections_alone_are_written_onto_any_head,
            ledger::a_batch_of_an_unknown_auction_writes_nothing,
            ledger::a_batch_that_does_not_fit_together_leaves_no_trace_and_the_others_are_written,
            ledger::every_rejection_is_given_back_as_it_was,
            ledger::a_rejection_under_a_remembered_bid_id_is_skipped,
            ledger::a_rejection_of_a_bid_that_was_accepted_far_along_is_skipped,
            ledger::rejections_alone_leave_the_head_as_it_is,
            ledger::a_closing_settles_once,
            ledger::a_closing_without_bids_settles_without_a_sale,
            ledger::answers_are_found_far_back,
            ledger::events_come_page_by_page,
            ledger::events_of_a_long_auction_come_in_order_wherever_a_page_begins,
            ledger::heads_come_in_one_read_without_auctions_that_are_not_there,
            ledger::rejections_come_page_by_page_each_once,
            ledger::concurrent_commits_each_get_their_own_answer,
            ledger::what_was_committed_is_there_after_a_reopening,
            extending::an_extension_is_read_back_in_its_place,
            extending::an_extension_moves_the_auction_in_every_order,
            extending::an_extension_behind_another_event_leaves_no_trace,
            extending::a_probe_changes_nothing_that_can_be_read,
            catalog::an_auction_is_given_back_as_it_was_created,
            catalog::an_auction_of_nobody_is_refused,
            catalog::own_bids_come_newest_first_over_all_auctions,
            catalog::a_running_auction_shows_the_newest_own_bid_however_many_came_after_elsewhere,
            catalog::what_a_user_put_up_comes_newest_first,
            catalog::won_auctions_come_newest_closing_first,
            catalog::watching_twice_is_no_error,
            listing::each_state_lists_its_auctions_soonest_closing_first,
            listing::what_just_ended_comes_newest_first,
            listing::a_cursor_goes_on_behind_the_last_entry,
            listing::deadlines_come_page_by_page_without_the_closed,
            listing::auctions_come_by_id,
            accounts::an_email_address_is_taken_whatever_its_case,
            accounts::a_user_is_found_whatever_the_case_of_the_address,
            accounts::a_token_counts_until_it_expires,
            accounts::a_revoked_token_is_unknown,
            accounts::the_oldest_tokens_beyond_the_most_go,
            accounts::expired_tokens_go_with_the_next_one_and_take_no_place,
            accounts::a_picture_is_given_back_byte_by_byte,
            accounts::the_oldest_pictures_that_no_auction_shows_go_beyond_the_most,
            accounts::pictures_that_no_auction_shows_go_after_a_while,
            accounts::after_the_close_everything_is_refused,
        }
    };
}
pub(crate) use every_promise;

macro_rules! promises {
    ($backend:expr => $($room:ident::$promise:ident,)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $room::$promise(&$backend).await;
            }
        )*
    };
}
pub(crate) use promises;
