//! The suite: every test of the files beside this one, by file. A target of a database says with `$test` what one is
//! made of; those that need two threads say so.

macro_rules! suite {
    ($test:ident) => {
        $test! { following:
            rows_equal_the_fold_after_every_batch on 2,
            a_restart_continues_exactly_once,
            a_replaced_runner_changes_nothing,
        }
        $test! { outages:
            an_outage_of_the_database_is_waited_out,
            an_outage_of_the_log_is_waited_out,
        }
        $test! { parked:
            an_event_that_cannot_be_taken_parks_its_key_and_the_rest_flows,
            an_event_that_cannot_be_read_parks_its_key,
            what_hurts_only_together_parks_nothing,
            a_record_whose_envelope_cannot_be_read_stops_its_shard,
            keys_are_retried_one_by_one_or_by_their_cause_and_it_is_recorded,
            an_event_is_skipped_and_a_key_discarded_for_good,
            too_many_parked_keys_stop_the_shard_and_start_again_when_the_code_is_mended,
            parked_mended_and_resumed_is_as_if_it_had_never_failed on 2,
        }
        $test! { ready_made:
            entities_are_kept_with_their_last_change,
            shards_show_how_far_their_readers_are,
            a_read_model_that_runs_elsewhere_is_waited_for,
        }
        $test! { rebuild:
            a_version_is_built_beside_the_live_one_and_takes_its_place,
            differences_are_shown_row_by_row,
            a_version_that_is_behind_is_not_swapped_in,
            a_new_version_that_parks_a_key_or_stops_is_not_ready,
            a_rebuild_that_is_cancelled_leaves_nothing_and_begins_anew,
            what_was_visible_stays_visible_through_every_swap on 2,
            a_wait_goes_through_rebuild_swap_parking_and_stopping,
            a_build_that_has_only_the_new_version_shows_the_old_tables_until_the_swap,
            a_view_of_the_stable_name_is_never_a_table_of_somebody_else,
            a_status_says_when_the_end_of_the_log_was_seen,
        }
        $test! { records:
            dead_records_are_not_projected,
            commits_without_its_events_move_the_position,
            a_recreated_log_is_refused,
            a_log_that_is_not_the_services_is_refused,
            a_log_that_was_restored_and_grew_again_is_refused,
            a_log_that_was_cut_short_is_refused_once_an_owner_wrote_below,
            a_log_that_changes_under_a_running_reader_stops_it,
            a_log_that_was_cut_back_and_grew_again_under_a_running_reader_stops_it,
            a_log_that_was_cut_back_under_a_running_reader_is_not_taken_for_quiet,
        }
        $test! { waiting:
            waiting_for_a_token_answers_with_a_reason,
            the_log_is_looked_at_when_no_owner_tells,
            a_projection_whose_tables_cannot_be_made_does_not_start,
        }
    };
}
pub(crate) use suite;
