//! What `docs/guide.md` shows beside what its own blocks run: the workflow on which they stand, and its folder of
//! histories.

include!("../../docs/order.rs");

retell_tester::replay_folder!("tests/guide", [process_order]);

#[test]
fn the_first_block_shows_the_workflow_of_the_others() {
    let guide = include_str!("../../docs/guide.md");
    let first = guide.split("```").nth(1).unwrap();
    assert!(first.contains(include_str!("../../docs/order.rs").trim()), "{first}");
}
