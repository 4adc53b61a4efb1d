//! Retries: an activity that fails is tried again as its policy says; a permanent failure is not.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell::workflow::CallError;
use retell_memory::Memory;

/// Answers at the third attempt, unless what is asked for does not exist.
#[retell::activity]
async fn fetch(cx: ActivityContext, page: String) -> Result<String, ActivityError> {
    if page == "nowhere" {
        return Err(ActivityError::new("NotFound", "there is no such page").non_retryable());
    }
    if cx.attempt().0 < 3 {
        return Err(ActivityError::new("Busy", "come back later"));
    }
    Ok(format!("{page}, at attempt {}", cx.attempt()))
}

#[retell::workflow]
async fn read(cx: WorkflowContext, page: String) -> WorkflowResult<String> {
    let policy = RetryPolicy::exponential().initial_interval(Duration::from_millis(1)).attempts(5);
    match cx.activity(fetch, &page).retry(policy).await {
        Ok(text) => Ok(text),
        Err(CallError::Failed(failure)) => Ok(format!("gave up: {failure}")),
        Err(error) => Err(error.into()),
    }
}

async fn run(page: &str) -> Result<String, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(read).activity(fetch).start().await?;
    let text = engine.start(read, "read-1", page.to_owned()).await?.result().await?;
    engine.shutdown().await;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}\n{}", run("home").await?, run("nowhere").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    #[test]
    fn a_busy_page_is_asked_again_and_a_missing_one_is_not() {
        let tester = Tester::new().workflow(read).activity(fetch);
        let page = |page: &str| tester.start(read, page, page.to_owned()).result().unwrap();
        assert_eq!(page("home"), "home, at attempt 3");
        assert_eq!(page("nowhere"), "gave up: there is no such page");
        assert_eq!(tester.calls().count("fetch"), 4);
    }

    /// The policy, attempt by attempt: each wait is twice the one before.
    #[test]
    fn a_page_that_stays_busy_is_given_up_after_five_attempts() {
        let tester = Tester::new().workflow(read);
        let began = tester.now();
        tester.fake(fetch).times(5).fails(ActivityError::new("Busy", "come back later"));
        let text = tester.start(read, "read-1", "home".to_owned()).result().unwrap();
        assert_eq!(text, "gave up: come back later");
        let waited: Vec<_> = tester.calls().iter().map(|call| call.at.since(began).as_millis()).collect();
        assert_eq!(waited, [0, 1, 3, 7, 15]);
    }
}
