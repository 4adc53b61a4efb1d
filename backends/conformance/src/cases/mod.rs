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
    commit {
        all_of_a_task_is_committed_together,
        a_refused_commit_leaves_nothing,
        members_of_a_batch_are_independent,
        later_members_see_earlier_ones,
        a_queued_task_stays_as_it_is,
        cancelled_tasks_leave_the_queue,
        a_failed_task_parks_its_run_until_one_goes_well,
        a_message_to_another_run_is_delivered_once,
        a_refused_message_is_answered_to_its_sender,
        a_closing_sender_hears_of_no_refusal,
        messages_follow_the_change_of_the_run,
        a_released_run_sleeps_until_it_is_due,
        another_process_sees_what_is_committed,
    }
    identity {
        requests_applied_again_answer_the_same,
        a_commit_applied_again_answers_the_same,
        a_closing_commit_applied_again_answers_the_same,
        a_commit_is_known_again_after_its_run_passed_on,
        a_batch_applied_again_changes_nothing,
        a_request_is_known_for_a_day,
        a_refused_request_may_be_tried_again,
        a_request_id_belongs_to_its_namespace,
        a_sent_message_and_an_outgoing_one_are_the_same,
    }
    inbox {
        messages_come_in_the_order_of_sending,
        each_message_is_shown_once_to_a_holder,
        a_new_holder_is_shown_all_that_is_not_taken_in,
        what_is_taken_in_leaves_the_inbox,
        a_message_wakes_a_sleeping_run,
        a_released_run_with_messages_is_due_at_once,
        a_thousand_unread_messages_wait_in_order,
        senders_at_once_keep_their_orders,
        a_closed_or_unknown_run_takes_no_message,
        a_message_without_a_run_id_finds_the_open_run,
        a_start_brings_messages_along,
    }
    door {
        closing_over_unread_messages_is_refused,
        one_more_try_is_enough_under_a_flood,
        a_signal_that_arrives_while_continue_as_new_commits_is_kept,
        held_messages_stand_behind_the_successors_own,
        held_messages_wake_a_successor_that_nobody_holds,
        the_holder_never_sees_what_is_held,
        a_commit_short_of_the_door_is_refused_again,
        an_open_commit_opens_the_door,
        a_takeover_opens_the_door,
        a_run_that_closes_after_all_takes_in_what_was_held,
        an_outcome_at_a_shut_door_is_not_carried_over,
        a_shut_door_does_not_stop_termination,
        a_door_stays_shut_across_a_restart,
    }
}
