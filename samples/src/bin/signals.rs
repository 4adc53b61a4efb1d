//! Signals: messages to a running workflow. They wait, in order, until the code takes them.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;

/// Adds up what it is sent until it is sent 0.
#[retell::workflow]
async fn tally(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let mut taken = Vec::new();
    loop {
        match cx.signal::<u32>("add").await? {
            0 => return Ok(taken),
            number => taken.push(number),
        }
    }
}

async fn run(numbers: &[u32]) -> Result<Vec<u32>, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(tally).start().await?;
    let handle = engine.start(tally, "tally-1", ()).await?;
    for number in numbers {
        handle.signal("add", number).await?;
    }
    handle.signal("add", &0_u32).await?;
    let taken = handle.result().await?;
    engine.shutdown().await;
    Ok(taken)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("taken, in order: {:?}", run(&[3, 1, 2]).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use retell::vocabulary::RequestId;
    use retell_tester::Tester;

    use super::*;

    #[test]
    fn every_signal_is_taken_once_and_in_order() {
        let numbers: Vec<_> = (1..=200).collect();
        let tester = Tester::new().workflow(tally);
        let run = tester.start(tally, "tally-1", ());
        numbers.iter().for_each(|number| run.signal("add", number).unwrap());
        run.signal("add", &0).unwrap();
        assert_eq!(run.result().unwrap(), numbers);
    }

    /// A test says beforehand what comes when; the result then takes the time that it takes.
    #[test]
    fn signals_come_in_the_order_of_their_times() {
        let tester = Tester::new().workflow(tally);
        let run = tester.start(tally, "tally-1", ());
        for (days, number) in [(3, 0), (1, 7), (2, 5)] {
            let run = run.clone();
            tester.after(Duration::from_secs(days * 86_400), move |_| run.signal("add", &number).unwrap());
        }
        assert_eq!(run.result().unwrap(), [7, 5]);
    }

    #[test]
    fn a_signal_that_is_sent_again_under_its_request_id_counts_once() {
        let tester = Tester::new().workflow(tally);
        let run = tester.start(tally, "tally-1", ());
        let request = RequestId::from_key("the seventh of May");
        run.signal_with("add", &7, request).unwrap();
        run.signal_with("add", &7, request).unwrap();
        run.signal("add", &0).unwrap();
        assert_eq!(run.result().unwrap(), [7]);
    }
}
