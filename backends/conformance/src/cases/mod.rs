//! The cases, listed once. A module is a subject; a case's doc names the promise or the fault that it stands for.

pub mod answers;
pub mod attempts;
pub mod changes;
pub mod claims;
pub mod commit;
pub mod differential;
pub mod door;
pub mod errands;
pub mod fencing;
pub mod history;
pub mod identity;
pub mod ids;
pub mod inbox;
pub mod queue;
pub mod reads;
pub mod removal;
pub mod replacing;
pub mod restart;
pub mod settling;
pub mod values;

macro_rules! cases {
    (($dollar:tt) $($subject:ident { $($case:ident,)+ })+) => {
        /// Every case: its subject and its name.
        pub const ALL: &[(&str, &str)] = &[$($((stringify!($subject), stringify!($case)),)+)+];

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
        copies_of_a_worker_append_one_event,
        two_commits_never_share_an_event,
    }
    fencing {
        a_stale_token_writes_nothing,
        no_commit_wrote_event_one,
        an_expired_lease_writes_nothing_even_without_takeover,
        a_paused_worker_finds_its_lease_lost,
        a_worker_that_holds_nothing_writes_nothing,
        an_expired_worker_never_takes_its_own_run_again,
        an_expired_lease_is_never_renewed,
        a_renewed_lease_lasts,
        a_living_worker_may_register_again,
        an_unknown_worker_claims_nothing,
        a_retired_worker_leaves_its_runs_at_once,
        a_retired_worker_claims_nothing,
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
        a_message_postpones_nothing,
        a_released_run_with_messages_is_due_at_once,
        a_thousand_unread_messages_wait_in_order,
        senders_at_once_keep_their_orders,
        a_closed_or_unknown_run_takes_no_message,
        a_message_without_a_run_id_finds_the_open_run,
        a_start_brings_messages_along,
    }
    errands {
        an_errand_starts_a_run,
        the_worker_that_commits_may_hold_what_it_starts,
        each_run_that_is_held_from_the_start_is_told,
        a_start_whose_id_is_taken_is_answered_to_its_sender,
        an_errand_ends_a_run,
        an_errand_is_done_once,
        a_sender_that_closes_starts_and_ends_others,
    }
    settling {
        a_terminated_run_with_dependents_is_claimed_once_more,
        without_dependents_nothing_is_left_to_settle,
        settling_is_fenced_and_done_once,
        an_unsettled_run_of_a_dead_worker_is_claimed_again,
        an_unsettled_run_is_closed_for_everything_else,
        a_start_in_its_place_leaves_the_old_run_unsettled,
    }
    replacing {
        a_replacement_begins_as_a_copy_with_what_was_not_taken_in,
        a_run_that_has_advanced_is_not_replaced,
        another_open_run_is_not_replaced,
        where_nothing_is_open_a_replacement_starts,
    }
    removal {
        a_removed_run_leaves_nothing,
        an_open_or_unsettled_run_is_not_removed,
        removing_twice_is_removing_once,
        runs_that_closed_before_a_time_are_found_in_the_order_of_their_ends,
        the_run_before_a_removed_one_is_the_latest_again,
    }
    answers {
        the_last_answer_to_a_request_is_kept_beyond_the_run,
        a_refused_commit_answers_nothing,
        an_answer_is_kept_for_a_day,
        what_a_run_publishes_is_described_and_listed,
    }
    door {
        closing_over_unread_messages_is_refused,
        one_more_try_is_enough_under_a_flood,
        a_signal_that_arrives_while_continue_as_new_commits_is_kept,
        a_flood_across_continue_as_new_loses_and_doubles_nothing,
        a_start_does_not_send_through_a_shut_door,
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
    queue {
        a_queued_activity_is_handed_out_whole,
        a_queued_activity_is_handed_out_once,
        an_outcome_joins_the_inbox,
        a_second_completion_is_refused,
        a_late_completion_is_refused,
        a_true_result_counts_though_the_lease_is_over,
        an_outcome_and_its_record_are_one_commit,
        a_retry_waits_its_time,
        a_released_activity_keeps_its_attempt,
        a_commit_without_a_record_queues_an_activity_once,
        a_dead_workers_activity_is_the_next_attempt,
        a_retired_workers_activity_is_free_at_once,
        abandoned_activities_of_every_queue_are_taken_over,
        a_closed_run_leaves_nothing_in_the_queue,
        unserved_activities_block_nobody,
        groups_have_their_own_room,
        the_longest_visible_goes_first,
    }
    attempts {
        a_row_may_belong_to_its_worker_from_the_start,
        a_heartbeat_leaves_its_details_to_the_next_attempt,
        a_heartbeat_hears_whether_its_attempt_is_wanted,
        a_deferred_attempt_is_ended_from_outside_once,
        a_deferred_attempt_is_handed_out_when_its_time_is_over,
        a_token_ends_an_attempt_that_still_runs,
    }
    ids {
        an_open_id_is_taken,
        an_open_run_may_be_used,
        an_open_run_may_be_sent_what_a_start_brings,
        an_open_run_may_be_replaced,
        a_closed_id_follows_the_reuse_policy,
        the_latest_run_decides_about_reuse,
        continuing_as_new_asks_no_policy,
        starters_at_once_open_an_id_once,
        a_living_owner_holds_what_it_starts,
        a_dead_owner_holds_nothing,
        termination_needs_an_open_run,
        a_terminated_run_keeps_its_last_failure,
        a_run_that_closes_forgets_its_last_failure,
    }
    claims {
        a_claim_tells_all_that_a_holder_needs,
        the_longest_due_goes_first,
        no_room_for_runs_still_shows_what_came,
        unserved_workflows_block_nobody,
        unserved_versions_block_nobody,
        newer_semantics_are_left_to_newer_workers,
        other_queues_and_tenants_are_left_alone,
        a_run_just_started_is_nobody_elses,
        a_dead_holders_due_run_is_taken_over,
        a_dead_holders_sleeper_is_left_asleep,
        a_dead_holders_rowless_work_is_looked_at,
        released_rowless_work_is_nobodys,
        the_next_due_time_is_told,
        a_claim_asked_again_is_answered_as_before,
        what_a_living_worker_holds_is_not_next_due,
        a_wall_clock_jump_breaks_no_lease,
        a_jump_forward_fires_early_and_a_jump_back_late,
    }
    reads {
        lists_filter_by_attributes,
        a_commit_changes_what_a_run_is_found_by,
        paused_runs_are_listed,
        a_run_is_described_as_it_was_started,
        a_closed_run_keeps_its_outcome,
        many_are_described_in_the_order_asked,
        a_target_without_a_run_id_is_the_open_run_or_the_latest,
        lists_go_from_new_to_old_in_pages,
        runs_of_one_instant_are_listed_once_each,
        a_page_is_followed_by_the_same_page_whatever_starts,
        lists_are_filtered,
        namespaces_are_apart,
        stats_count_what_is_there,
        queued_activities_are_listed_in_order,
    }
    values {
        ids_of_all_scripts_come_back,
        ids_that_look_alike_are_different,
        the_longest_ids_fit,
        ten_mebibytes_fit_everywhere,
        the_ends_of_all_ranges_come_back,
        attributes_of_every_kind_come_back,
        failures_come_back,
        a_memo_comes_back,
    }
    changes {
        work_is_announced,
        closings_are_announced,
        answers_are_announced,
        what_came_before_is_seen_at_once,
        another_process_is_noticed,
    }
    restart {
        everything_acknowledged_is_found_again,
        runs_go_on_after_a_restart,
        a_worker_of_the_process_before_writes_nothing,
    }
    differential {
        random_writes_match_the_model,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::ALL;

    /// Every public async function under this folder, by its module.
    fn written() -> BTreeSet<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases");
        let mut written = BTreeSet::new();
        for entry in folder.read_dir().expect("the sources are there") {
            let path = entry.expect("the folder is readable").path();
            let file = if path.is_dir() { path.join("mod.rs") } else { path.clone() };
            let subject = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            let source = std::fs::read_to_string(file).expect("sources are text");
            for rest in source.split("\npub async fn ").skip(1) {
                let case = rest.split('(').next().expect("split answers one part at least");
                written.insert((subject.clone(), case.to_owned()));
            }
        }
        written
    }

    #[test]
    fn every_case_that_is_written_is_listed() {
        let listed: BTreeSet<_> =
            ALL.iter().map(|(subject, case)| (subject.to_string(), case.to_string())).collect();
        assert_eq!(written(), listed);
    }
}
