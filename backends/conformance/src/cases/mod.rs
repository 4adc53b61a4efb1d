//! The cases, listed once. A module is a subject; a case's doc names the promise or the fault that it stands for.

macro_rules! cases {
    (($dollar:tt) $($subject:ident { $($case:ident,)+ })+) => {
        $(pub mod $subject;)+

        /// Makes one `#[test]` of each case, for the store that `$create` makes: an `async fn(ManualClock) -> S`, where
        /// `S` is a [`StoreUnderTest`](crate::StoreUnderTest).
        #[macro_export]
        macro_rules! suite {
            ($dollar create:expr) => {
                $(mod $subject {
                    #[allow(unused_imports)]
                    use super::*;

                    $(#[test]
                    fn $case() {
                        $dollar crate::run($dollar create, $dollar crate::cases::$subject::$case);
                    })+
                })+
            };
        }
    };
}

cases! { ($)
    history {
        sequence_numbers_run_without_a_gap,
        records_come_back_to_the_byte,
        record_times_never_go_back,
        reading_goes_in_pages,
        a_page_starts_inside_a_record,
        an_unknown_run_has_no_history,
        two_commits_never_share_an_event,
    }
    fencing {
        a_stale_token_writes_nothing,
        an_expired_lease_writes_nothing_even_without_takeover,
        a_paused_worker_finds_its_lease_lost,
        a_worker_that_holds_nothing_writes_nothing,
        an_expired_worker_never_takes_its_own_run_again,
        an_expired_lease_is_never_renewed,
        a_renewed_lease_lasts,
        a_living_worker_may_register_again,
        an_unknown_worker_claims_nothing,
        a_retired_worker_leaves_its_runs_at_once,
        tokens_grow_with_every_holder,
        two_claimers_never_get_one_run,
        termination_fences_the_holder_off,
    }
}
