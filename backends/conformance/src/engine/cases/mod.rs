//! The cases, listed once. A module is a subject; a case's name is the behaviour that it proves.

macro_rules! engine_cases {
    (($dollar:tt) $($subject:ident { $($case:ident,)+ })+) => {
        $(pub mod $subject;)+

        /// Makes two `#[test]`s of each case, with and without live runs in memory, for the store that `$create`
        /// makes: an `async fn(ManualClock) -> S`, where `S` is a [`StoreUnderTest`](crate::StoreUnderTest).
        #[macro_export]
        macro_rules! engine_suite {
            ($dollar create:expr) => {
                $dollar crate::engine_suite!(@mode $dollar create, cached, Cached);
                $dollar crate::engine_suite!(@mode $dollar create, uncached, Uncached);
            };
            (@mode $dollar create:expr, $dollar module:ident, $dollar mode:ident) => {
                mod $dollar module {
                    $(mod $subject {
                        #[allow(unused_imports)]
                        use super::super::*;

                        $(#[test]
                        fn $case() {
                            $dollar crate::engine::run(
                                $dollar create,
                                $dollar crate::engine::Mode::$dollar mode,
                                $dollar crate::engine::cases::$subject::$case,
                            );
                        })+
                    })+
                }
            };
        }
    };
}

engine_cases! { ($)
    results {
        a_result_is_of_the_workflows_type,
        a_failure_keeps_all_of_it_on_its_way_to_the_caller,
        a_workflow_that_returns_at_once_needs_one_commit,
        each_activity_step_is_one_batch,
        who_watches_next_rests_as_the_one_before_would,
    }
    combinators {
        activities_run_one_after_another,
        joined_activities_run_at_once,
        the_loser_of_a_select_is_cancelled_and_its_body_stopped,
        a_race_yields_the_first,
        fifty_activities_keep_their_places_in_join_all,
        futures_unordered_yields_as_history_says,
    }
    activities {
        a_failed_attempt_is_tried_again_after_its_backoff,
        attempts_are_total_tries,
        a_permanent_failure_is_not_tried_again,
        an_attempt_over_its_time_limit_is_stopped,
        a_panic_is_a_failure,
        a_blocking_activity_has_its_own_thread,
        missing_shared_state_is_named,
        an_unknown_activity_waits_in_the_queue,
        a_queued_attempt_survives_the_release_of_its_run,
    }
    heartbeats {
        details_survive_the_worker_that_sent_them,
        an_attempt_that_got_a_row_while_it_ran_ends_once,
        a_cancelled_body_hears_of_it_on_another_worker,
        a_cancelled_blocking_body_hears_of_it_on_another_worker,
    }
    tokens {
        a_token_outlives_every_worker,
        a_token_ends_an_attempt_whose_body_still_runs,
        a_body_that_took_no_token_fails,
    }
    timeouts {
        a_call_that_nobody_serves_times_out_and_leaves_the_queue,
        a_call_times_out_though_all_workers_were_dead,
        a_call_that_runs_elsewhere_is_stopped_when_its_time_is_over,
    }
    timers {
        a_sleep_of_a_year_ends_when_the_clock_moves,
        a_clock_that_jumps_forward_fires_early,
        a_clock_that_jumps_back_fires_late,
        an_idle_engine_asks_its_store_for_little,
        timer_fires_once_after_crash,
        timers_fire_in_the_order_of_their_due_times,
    }
    signals {
        signals_come_in_the_order_of_sending,
        signals_before_anyone_listens_wait_in_order,
        a_thousand_unread_signals_are_kept,
        an_undecodable_signal_is_set_aside_and_the_run_goes_on,
        a_flood_across_continue_as_new_loses_and_doubles_nothing,
        a_signal_sent_twice_under_one_request_id_counts_once,
        a_signal_to_a_closed_run_is_a_typed_error,
        a_signal_starts_the_run_that_it_is_for,
        a_signal_with_start_meets_a_closing_run,
    }
    queries {
        a_query_is_answered_by_whoever_has_the_code,
        what_a_run_publishes_is_listed_without_its_code,
    }
    updates {
        an_update_is_answered_in_any_process,
        who_waits_for_an_update_hears_of_the_runs_end,
    }
    cancel {
        every_await_ends_and_the_shielded_one_runs,
        code_may_refuse_to_be_cancelled,
        a_cancel_and_a_completion_together_end_the_run,
        a_cancel_request_follows_continue_as_new,
        a_call_that_waits_ends_as_its_body_does,
        a_body_on_another_worker_is_asked_to_stop,
    }
    determinism {
        now_random_and_uuid_are_the_same_after_a_crash,
        a_side_effect_runs_once_and_its_value_survives_a_crash,
        a_side_effect_that_panicked_is_run_again,
        steps_run_in_turn_and_their_outcomes_survive_a_crash,
    }
    groups {
        a_crash_repeats_the_group_that_was_not_stored,
        a_query_is_answered_when_the_group_is_stored,
        a_worker_that_shuts_down_stores_the_group,
    }
    crashes {
        a_crash_between_any_two_commits_changes_nothing,
        an_attempt_that_died_with_its_worker_is_a_failure_if_it_was_the_last,
        an_attempt_that_died_with_its_worker_is_tried_again,
        an_outcome_in_the_inbox_is_not_run_again,
    }
    ownership {
        a_paused_worker_writes_nothing_and_its_bodies_are_stopped,
        a_worker_whose_lease_ran_out_goes_on_under_a_new_identity,
        many_lives_lose_no_run,
        nothing_is_asked_for_behind_the_head_of_a_history,
        two_workers_share_what_a_client_starts,
        a_client_alone_hears_of_results,
        a_lease_is_renewed_for_as_long_as_the_worker_lives,
    }
    starting {
        a_start_is_idempotent_under_its_request_id,
        of_concurrent_starters_exactly_one_wins,
        an_open_id_is_dealt_with_as_the_caller_says,
        a_closed_id_is_used_again_as_the_caller_says,
        bad_ids_and_payloads_are_typed_errors,
        a_slow_first_task_does_not_delay_its_start,
        a_start_whose_caller_has_gone_still_runs,
        a_panicking_first_task_does_not_fail_its_start,
        an_undecodable_input_parks_the_run,
        a_version_that_nobody_serves_waits,
        a_start_by_name_takes_the_default_version,
        a_name_registered_twice_is_a_typed_error,
    }
    runs {
        runs_that_closed_long_ago_are_removed,
        closed_runs_go_when_their_retention_is_over,
        a_run_that_passes_its_limit_closes_wherever_it_is_held,
        a_failed_run_is_tried_again_though_its_worker_dies,
        a_delayed_run_begins_when_it_is_time,
        a_paused_run_rests_on_every_worker,
        an_open_run_is_reset_from_elsewhere,
        a_history_that_grows_too_long_parks_its_run_until_the_limit_is_raised,
        a_parked_run_that_has_drawn_a_value_is_given_back_at_once,
    }
    parking {
        a_panicking_workflow_parks_and_a_fixed_deploy_heals_it,
        an_outcome_that_met_broken_code_is_kept_for_the_fixed,
        nondeterminism_parks_and_names_both_sides_and_the_place,
        a_panic_fails_the_run_where_the_user_wants_that,
        an_await_of_tokios_time_is_named,
        a_foreign_wake_up_is_named_when_it_comes,
        a_never_ending_await_is_found,
        a_damaged_history_parks_its_run_only,
        parked_runs_take_nobodys_place,
        a_run_whose_commits_meet_damage_parks_alone,
        a_run_that_cannot_even_be_parked_does_not_spin,
    }
    queues {
        more_activities_than_slots_run_a_few_at_a_time,
        two_thousand_parallel_activities_end,
        three_hundred_runs_fit_into_a_cache_of_ten,
        runs_that_wait_long_starve_nobody,
        older_calls_go_first,
        a_call_goes_to_the_queue_that_it_names,
    }
    endings {
        a_terminated_run_stops_what_it_runs,
        a_run_terminated_elsewhere_is_let_go_of,
        a_result_follows_the_chain_of_runs,
        a_hundred_who_wait_hear_of_the_result_at_once,
        runs_are_listed_described_and_counted,
    }
    shutdown {
        a_running_activity_ends_and_is_recorded,
        an_idle_run_is_given_back,
        a_process_that_shuts_down_takes_nothing_new,
        a_never_ending_activity_is_cut_after_the_grace,
        a_run_that_always_has_a_next_step_is_given_back,
        a_dropped_engine_leaves_nothing_behind,
    }
    faults {
        a_flaky_store_changes_no_outcome,
        an_outcome_outlives_an_outage,
        a_call_ends_at_its_deadline_and_is_safe_to_repeat,
        an_engine_does_not_start_without_its_store,
    }
    logs {
        user_logs_are_heard_once_and_name_their_run,
    }
    children {
        a_tree_of_children_gives_its_sum,
        a_parent_and_its_child_live_in_two_processes,
        a_childs_end_finds_its_parent_after_a_crash,
        the_parent_of_a_terminated_child_is_told,
        children_follow_the_policy_when_their_parent_closes,
        a_termination_goes_down_the_tree,
        a_parent_waits_for_the_last_run_of_its_child,
        a_cancel_request_follows_a_child_that_continues_as_new,
        a_termination_finds_a_child_that_went_on_unheard,
        a_child_that_was_let_go_of_cleans_up_beyond_its_parent,
        each_way_to_fail_is_a_typed_error_of_the_parent,
        a_child_starts_once_though_the_answer_is_lost,
    }
    external {
        signals_from_a_run_follow_continue_as_new_in_order,
        a_cancel_request_from_a_run_is_delivered_or_refused,
    }
    headers {
        headers_reach_whoever_carries_a_call_out,
    }
    codecs {
        plain_bytes_never_reach_the_store,
    }
}
