//! Completion from outside: an activity gives a token away and returns; whoever has the token ends it, days later.

use std::error::Error;
use std::sync::{Arc, Mutex};

use retell::prelude::*;
use retell_memory::Memory;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Where questions to people go; a mail with a link, in earnest.
type Post = Arc<Mutex<UnboundedSender<String>>>;

#[retell::activity]
async fn ask_a_person(cx: ActivityContext, question: String) -> Result<bool, ActivityError> {
    let token = cx.token().await?;
    let post = cx.state::<Post>()?;
    post.lock().expect("no holder panics").send(format!("{question} {token}"))?;
    token.completes_later()
}

#[retell::workflow]
async fn approve(cx: WorkflowContext, amount: u32) -> WorkflowResult<String> {
    let approved = cx.activity(ask_a_person, &format!("Pay {amount}?")).await?;
    Ok(if approved { "paid".to_owned() } else { "kept".to_owned() })
}

async fn run() -> Result<String, Box<dyn Error>> {
    let (post, mut letters) = unbounded_channel();
    let engine = Orchestrator::new(Memory::new())
        .workflow(approve)
        .activity(ask_a_person)
        .state(Post::new(Mutex::new(post)))
        .start()
        .await?;
    let handle = engine.start(approve, "bill-7", 300).await?;
    let letter = letters.recv().await.ok_or("no letter came")?;
    // A person reads it, perhaps after many restarts, and answers through any process on the store.
    let token: ActivityToken = letter.rsplit(' ').next().unwrap_or_default().parse()?;
    engine.client().complete_activity(&token, &true).await?;
    let done = handle.result().await?;
    engine.shutdown().await;
    Ok(done)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_bill_is_paid_once_a_person_says_so() {
        assert_eq!(super::run().await.unwrap(), "paid");
    }
}
