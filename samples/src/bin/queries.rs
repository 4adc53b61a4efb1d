//! Handlers and queries: a run's state is shared with closures that change it and tell of it, while the main body sleeps.

use std::error::Error;

use retell::prelude::*;
use retell::workflow::{QueryType, SignalType};
use retell_memory::Memory;

const SCORE: SignalType<(String, u32)> = SignalType::new("score");
const LEADER: QueryType<(), Option<String>> = QueryType::new("leader");

/// Keeps the score until somebody has as many points as it takes to win.
#[retell::workflow]
async fn game(cx: WorkflowContext, to_win: u32) -> WorkflowResult<String> {
    // A `BTreeMap`: its order is the same at each replay.
    let points = cx.share(std::collections::BTreeMap::<String, u32>::new());
    points.handle_signal(SCORE, |points, (player, more)| *points.entry(player).or_default() += more);
    points.handle_query(LEADER, |points, ()| {
        points.iter().max_by_key(|(_, points)| **points).map(|(player, _)| player.clone())
    });
    cx.wait_until(&points, move |points| points.values().any(|points| *points >= to_win)).await?;
    let winner = points.with(|points| {
        points.iter().find(|(_, points)| **points >= to_win).map(|(player, _)| player.clone())
    });
    winner.ok_or_else(|| WorkflowError::new("nobody has won"))
}

async fn run() -> Result<(Option<String>, String, Option<String>), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(game).start().await?;
    let handle = engine.start(game, "game-1", 10).await?;
    let nobody = handle.query(LEADER, &()).await?;
    for (player, points) in [("Ada", 6), ("Bob", 7), ("Ada", 5)] {
        handle.signal(SCORE, &(player.to_owned(), points)).await?;
    }
    let winner = handle.result().await?;
    // A closed run answers too: its history is told to the code once more.
    let leader = handle.query(LEADER, &()).await?;
    engine.shutdown().await;
    Ok((nobody, winner, leader))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (at_first, winner, at_last) = run().await?;
    println!("led at first: {at_first:?}; won: {winner}; led at last: {at_last:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_state_is_told_live_and_closed() {
        let told = super::run().await.unwrap();
        assert_eq!(told, (None, "Ada".to_owned(), Some("Ada".to_owned())));
    }
}
