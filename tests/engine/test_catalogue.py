"""The catalogue of invariants and closed forms, and which tests hold the engine to them.

T1  Parameters outside the selection keep every bit, whatever the method, also under AdamW's decay
    test_laws.py::test_what_is_not_selected_stays_the_same_tensor
T2  Amnesiac over all steps, newest first: the start within 1e-8 (float32) and 1e-15 (float64)
    test_ledger.py::test_the_deltas_of_all_steps_newest_first_lead_back_to_the_start
    test_ledger.py::test_in_double_precision_both_ways_back_are_exact_to_rounding
    methods/test_amnesiac.py::test_all_updates_the_newest_first_lead_back_to_the_start
    methods/test_amnesiac.py::test_without_all_updates_it_is_where_it_began_bit_for_bit
T3  The same in any order: 2e-6 (float32), 5e-15 (float64)
    test_ledger.py::test_in_any_other_order_they_lead_back_up_to_rounding
T4  The sum of rate x gradient over all steps of SGD: as T3
    test_ledger.py::test_weighted_gradients_undo_sgd_and_must_not_undo_adamw
    test_ledger.py::test_in_double_precision_both_ways_back_are_exact_to_rounding
    methods/test_first_epoch_ascent.py::test_over_all_texts_and_epochs_it_undoes_a_training_by_sgd
T5  The same after AdamW does not lead back
    test_ledger.py::test_weighted_gradients_undo_sgd_and_must_not_undo_adamw
    methods/test_first_epoch_ascent.py::test_after_adamw_it_undoes_nothing_and_says_so_where_deltas_do
T6  The gradient of a tied embedding is that of its input use + that of its output use: 1e-15 (float64)
    test_methods.py::test_the_two_uses_of_the_tied_matrix_sum_to_its_gradient
T7  The rows of the input use that are not 0 are the tokens with an effect on a target
    test_methods.py::test_the_input_part_moves_exactly_the_rows_of_tokens_that_occur
T8  The gradient of a padded batch is the token-weighted sum of those of its texts: 1e-12 (float64)
    test_methods.py::test_a_batch_weighs_texts_by_their_tokens
T9  Partial amnesiac with rho = 1 is amnesiac, bit for bit; rho = 0, which would be the identity, is refused
    methods/test_amnesiac.py::test_with_all_entries_partial_is_whole_bit_for_bit
    methods/test_amnesiac.py::test_a_share_outside_0_to_1_is_refused
T10 Nabla-tau by numbers: L = 3.0, coefficients -2.0 and 0.5
    methods/test_nabla_tau.py::test_the_loss_and_its_coefficients_are_those_of_the_closed_form
T11 Single gradient: no verification error after one update; on a quadratic the closed form to 1e-12
    methods/test_single_gradient.py::test_after_a_single_update_it_is_the_model_that_never_saw_them
    test_unlearning_error.py::test_the_closed_form_is_what_two_trainings_give
    test_unlearning_error.py::test_a_single_update_is_undone_and_so_is_every_update_of_a_linear_loss
T12 SD loss on known logits, both forms: 1e-15
    test_deviation.py::test_closed_form_values_of_both_forms
T13 Hessian-vector product against differences of gradients: 1e-6, found 1e-9; symmetric to 1e-10
    curvature/test_products.py::test_the_hessian_product_agrees_with_differences_of_gradients
    curvature/test_products.py::test_products_are_linear_and_symmetric
T14 LiSSA: (H + scale x damp x I)^-1 v on a matrix of 2 x 2
    curvature/test_solving.py::test_the_numbers_of_the_literature
T15 TracIn-WE of texts that share no token: 0
    gradients/test_scan.py::test_shared_words_are_the_input_use_alone
T16 Memorisation accuracy and extraction likelihood of what copies and of what never matches: 1 and 0
    test_extraction.py::test_what_copies_has_1_and_what_never_matches_has_0
T17 Exposure among eight: 3, 2, 1 and -0.1699
    test_exposure.py::test_ranks_among_eight
T18 Min-K%++ and LiRA by numbers: 1e-9
    test_token_statistics.py::test_numbers_by_hand
    test_token_statistics.py::test_where_all_tokens_are_equally_likely_none_is_more_expected
    test_likelihood_ratio.py::test_confidences_on_known_probabilities
    test_likelihood_ratio.py::test_the_chance_is_that_of_a_normal_distribution_around_the_median
T19 Projected gradient: inputs in the protected span go through as before to 1e-10 (float64); P^2 = P = P^T; the limits rho = 0 and 1
    methods/test_projected_gradient.py::test_what_lies_in_the_protected_directions_goes_through_as_before
    methods/test_projected_gradient.py::test_the_text_that_was_looked_at_keeps_every_logit
    methods/test_projected_gradient.py::test_where_nothing_is_protected_it_is_gradient_ascent
    methods/test_projected_gradient.py::test_where_texts_to_keep_use_all_there_is_nothing_moves
    test_layer_inputs.py::test_leading_directions_are_those_of_a_singular_value_decomposition
T20 A delta touches the tied embedding once: the length of the change is that of the ledger
    methods/test_amnesiac.py::test_the_tied_embedding_is_changed_once

And the exact tests of single methods and measures:

First-epoch ascent: linear in its strength; one epoch is all epochs where there is one; similarity 0 takes everything, 100 the duplicates
    methods/test_first_epoch_ascent.py::test_it_is_linear_in_the_strength_and_passes_add_up
    methods/test_first_epoch_ascent.py::test_the_first_epoch_is_all_epochs_where_there_is_one
    methods/test_first_epoch_ascent.py::test_a_threshold_of_0_takes_everything_tracked_and_100_the_normalised_duplicates
Pruning: the count; the nearest update of its size; all blocks of a period are everything; bytes fall with the share
    test_pruning.py::test_every_pruning_keeps_the_asked_number_once_each_in_order
    test_pruning.py::test_what_stays_is_the_nearest_update_of_its_size
    test_pruning.py::test_rotating_blocks_together_are_everything_after_one_period
    test_storage_meter.py::test_choices_are_shares_of_keeping_everything_and_grow_with_it
Partial updates: all of a layer is the naive method
    methods/test_partial_updates.py::test_naive_it_is_ascent_difference_or_fine_tuning_to_the_bit
Nabla-tau: at tau and above only texts to keep are followed; without forgetting it is fine-tuning; alpha falls to 0 in a straight line
    methods/test_nabla_tau.py::test_at_tau_and_above_it_only_the_texts_to_keep_are_followed_bit_for_bit
    methods/test_nabla_tau.py::test_without_forgetting_it_is_fine_tuning_on_the_same_batches
    methods/test_nabla_tau.py::test_alpha_falls_to_0_in_a_straight_line_from_five_thirds_of_the_share
Unrolling SGD: doing nothing beside it; the forms of the paper and of the code; the penalty is free of constants and linear
    test_unlearning_error.py::test_after_contraction_doing_nothing_is_nearer_than_adding_the_stale_gradient
    test_unlearning_error.py::test_the_forms_of_the_paper_and_of_its_code
    test_deviation.py::test_a_constant_changes_nothing_and_a_factor_counts_once
Amnesiac: the updates that held a text; two picks are both at once; the last epoch is the checkpoint before it
    methods/test_amnesiac.py::test_it_takes_back_every_update_that_held_a_forget_text
    methods/test_amnesiac.py::test_two_picks_one_after_the_other_are_both_at_once
    methods/test_amnesiac.py::test_the_last_epochs_updates_are_taken_back_exactly
Influence: token shares add up; what one small step leaves is of second order; leaving a text out
    gradients/test_scan.py::test_every_number_agrees_with_autograd
    gradients/test_scan.py::test_one_small_step_lowers_the_forget_loss_by_rate_times_influence
    curvature/test_removing.py::test_influence_foretells_what_leaving_a_text_out_does
Extraction and exposure: by the definition; a secret like any other has log2 e bits
    test_extraction.py::test_an_example_on_paper
    test_extraction.py::test_a_model_that_half_forgot_by_the_definition
    test_exposure.py::test_a_secret_like_any_other_has_log2_e_bits_on_average
Membership: 0.5 alike, 1 apart, the order alone counts
    test_membership.py::test_apart_all_is_100_and_alike_the_intervals_hold_50
    test_membership.py::test_only_the_order_counts
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMED = re.findall(r"^    (\S+\.py::\w+)$", __doc__, re.MULTILINE)


@cache
def functions(file: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse((HERE / file).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_line_of_the_catalogue_has_tests():
    heads = re.findall(r"^(T\d+) +\S.*\n    \S+::test_", __doc__, re.MULTILINE)
    assert heads == [f"T{number}" for number in range(1, 21)]
    assert len(NAMED) == __doc__.count("::")


@pytest.mark.parametrize("node", sorted(set(NAMED)))
def test_what_it_names_is_there_and_runs(node):
    file, name = node.split("::")
    assert name in functions(file)
    marks = " ".join(ast.unparse(each) for each in functions(file)[name].decorator_list)
    assert "skip" not in marks
    assert "xfail" not in marks
